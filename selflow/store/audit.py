"""The audit log: every act carries the hash of the one before it, so that no row can be changed
unseen.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from selflow.core.events import Json
from selflow.store.database import Database
from selflow.store.records import AuditEntry
from selflow.store.tables import audit, audit_head

FIRST_HASH = "0" * 64
_HEAD = 1


@dataclass(frozen=True, slots=True)
class AuditCheck:
    """How many entries were checked, and the first fault in words; empty if there is none."""

    entries: int
    fault: str


class AuditLog:
    """Appends acts and checks the chain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(
        self,
        now_us: int,
        actor: str,
        action: str,
        subject: str = "",
        details: Mapping[str, Json] | None = None,
    ) -> AuditEntry:
        """Write down that ``actor`` did ``action`` to ``subject``; ids and settings only, never
        event content.
        """
        with self._database.write() as connection:
            return chain(connection, now_us, actor, action, subject, details)

    def entries(self, after_seq: int, limit_rows: int) -> list[AuditEntry]:
        """At most ``limit_rows`` entries after a number, oldest first."""
        chosen = (
            sa.select(audit).where(audit.c.seq > after_seq).order_by(audit.c.seq).limit(limit_rows)
        )
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(chosen)]

    def verify(self) -> AuditCheck:
        """Follow the whole chain. A changed, removed or reordered row is named; also a removed end.

        Who can rewrite the whole table and its head can forge it: the chain shows tampering, it
        does not prevent it.
        """
        with self._database.read() as connection:
            before = (0, FIRST_HASH)
            for row in connection.execute(sa.select(audit).order_by(audit.c.seq)):
                entry = _entry(row)
                fault = _fault(entry, *before)
                if fault:
                    return AuditCheck(before[0], fault)
                before = (entry.seq, entry.hash)
            if before != _head(connection):
                return AuditCheck(before[0], f"entries after {before[0]} were removed")
            return AuditCheck(before[0], "")


def chain(
    connection: Connection,
    now_us: int,
    actor: str,
    action: str,
    subject: str = "",
    details: Mapping[str, Json] | None = None,
) -> AuditEntry:
    """Append an entry in a transaction that writes already, together with what it tells of."""
    last_seq, prev_hash = _head(connection)
    unsigned = AuditEntry(
        last_seq + 1, now_us, actor, action, subject, dict(details or {}), prev_hash, ""
    )
    sha256 = _hash_of(unsigned)
    connection.execute(
        audit.insert().values(
            seq=unsigned.seq,
            at_us=now_us,
            actor=actor,
            action=action,
            subject=subject,
            details=dict(unsigned.details),
            prev_hash=prev_hash,
            hash=sha256,
        )
    )
    moved = connection.execute(audit_head.update().values(seq=unsigned.seq, hash=sha256))
    if moved.rowcount == 0:
        connection.execute(audit_head.insert().values(id=_HEAD, seq=unsigned.seq, hash=sha256))
    return AuditEntry(
        unsigned.seq, now_us, actor, action, subject, unsigned.details, prev_hash, sha256
    )


def _head(connection: Connection) -> tuple[int, str]:
    row = connection.execute(sa.select(audit_head.c.seq, audit_head.c.hash)).first()
    return (row.seq, row.hash) if row else (0, FIRST_HASH)


def _fault(entry: AuditEntry, before_seq: int, before_hash: str) -> str:
    if entry.seq != before_seq + 1:
        return f"entries {before_seq + 1} to {entry.seq - 1} are missing"
    if entry.prev_hash != before_hash:
        return f"entry {entry.seq} does not follow entry {before_seq}"
    return f"entry {entry.seq} was changed" if _hash_of(entry) != entry.hash else ""


def _hash_of(entry: AuditEntry) -> str:
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


def _entry(row: Row[tuple[object, ...]]) -> AuditEntry:
    return AuditEntry(**row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for a row as a map)
