"""What the owner allowed, source by source. Without a standing consent nothing is collected."""

from collections.abc import Mapping

import sqlalchemy as sa

from selflow.core.events import Json
from selflow.store.audit import chain
from selflow.store.database import Database
from selflow.store.records import Consent
from selflow.store.tables import consents


class Consents:
    """Grants, revocations, and what stands; each act is audited."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(self, source: str, details: Mapping[str, Json], now_us: int, actor: str) -> None:
        """Allow a source; granting again replaces the details and ends a revocation."""
        values = {"granted_at_us": now_us, "revoked_at_us": None, "details": dict(details)}
        with self._database.write() as connection:
            changed = connection.execute(consents.update().where(consents.c.source == source).values(values))
            if changed.rowcount == 0:
                connection.execute(consents.insert().values(source=source, **values))
            chain(connection, now_us, actor, "consent.grant", source)

    def revoke(self, source: str, now_us: int, actor: str) -> bool:
        """End a consent; False if none stood."""
        standing = (consents.c.source == source) & consents.c.revoked_at_us.is_(None)
        with self._database.write() as connection:
            changed = connection.execute(consents.update().where(standing).values(revoked_at_us=now_us))
            if changed.rowcount:
                chain(connection, now_us, actor, "consent.revoke", source)
            return bool(changed.rowcount)

    def list_all(self) -> list[Consent]:
        """Every consent that was ever given, by source."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(consents).order_by(consents.c.source))
            return [Consent(row.source, row.granted_at_us, row.revoked_at_us, row.details) for row in rows]
