"""How an entry of the audit log follows the one before it, whoever writes it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

from selflow.core.events import Json
from selflow.store.records import AuditEntry, AuditHead

NOTHING = AuditHead(0, "0" * 64)
"""Where an empty chain ends."""


def following(
    head: AuditHead,
    now_us: int,
    actor: str,
    action: str,
    subject: str = "",
    details: Mapping[str, Json] | None = None,
) -> AuditEntry:
    """The entry that comes behind the end of the chain."""
    unsigned = AuditEntry(
        head.seq + 1, now_us, actor, action, subject, dict(details or {}), head.hash, ""
    )
    return replace(unsigned, hash=hash_of(unsigned))


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 of the entry without its hash. Changing this breaks every chain."""
    parts = [
        entry.seq,
        entry.at_us,
        entry.actor,
        entry.action,
        entry.subject,
        dict(entry.details),
        entry.prev_hash,
    ]
    return hashlib.sha256(
        json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()
    ).hexdigest()
