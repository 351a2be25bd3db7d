"""The audit log: every act carries the hash of the one before it, so that no row can be changed
unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.events import Json
from selflow.store.audit_chain import NOTHING, following, hash_of
from selflow.store.database import Database, add, find, find_one, put
from selflow.store.records import AuditEntry, AuditHead
from selflow.store.schema import TABLES


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
        table = TABLES[AuditEntry]
        chosen = sa.select(table).where(table.c.seq > after_seq).order_by(table.c.seq)
        with self._database.read() as connection:
            rows = connection.execute(chosen.limit(limit_rows))
            return [AuditEntry(**row._mapping) for row in rows]  # noqa: SLF001  (public in SQLAlchemy)

    def verify(self) -> AuditCheck:
        """Follow the whole chain. A changed, removed or reordered row is named; also a removed end.

        Who can rewrite the whole table and its head can forge it: the chain shows tampering, it
        does not prevent it.
        """
        with self._database.read() as connection:
            before = NOTHING
            for entry in find(connection, AuditEntry):
                fault = _fault(entry, before)
                if fault:
                    return AuditCheck(before.seq, fault)
                before = AuditHead(entry.seq, entry.hash)
            if before != _head(connection):
                return AuditCheck(before.seq, f"entries after {before.seq} were removed")
            return AuditCheck(before.seq, "")


def chain(
    connection: Connection,
    now_us: int,
    actor: str,
    action: str,
    subject: str = "",
    details: Mapping[str, Json] | None = None,
) -> AuditEntry:
    """Append an entry in a transaction that writes already, together with what it tells of."""
    entry = add(connection, following(_head(connection), now_us, actor, action, subject, details))
    put(connection, AuditHead(entry.seq, entry.hash))
    return entry


def _head(connection: Connection) -> AuditHead:
    return find_one(connection, AuditHead) or NOTHING


def _fault(entry: AuditEntry, before: AuditHead) -> str:
    if entry.seq != before.seq + 1:
        return f"entries {before.seq + 1} to {entry.seq - 1} are missing"
    if entry.prev_hash != before.hash:
        return f"entry {entry.seq} does not follow entry {before.seq}"
    return f"entry {entry.seq} was changed" if hash_of(entry) != entry.hash else ""
