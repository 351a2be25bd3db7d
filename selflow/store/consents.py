"""What the owner allowed, source by source. Without a standing consent nothing is collected."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from selflow.core.events import Json
from selflow.store.audit import chain
from selflow.store.database import Database, find, put
from selflow.store.records import Consent


class Consents:
    """Grants, revocations, and what stands; each act is audited."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def grant(self, source: str, details: Mapping[str, Json], now_us: int, actor: str) -> None:
        """Allow a source; granting again replaces the details and ends a revocation."""
        with self._database.write() as connection:
            put(connection, Consent(source, now_us, None, dict(details)))
            chain(connection, now_us, actor, "consent.grant", source)

    def revoke(self, source: str, now_us: int, actor: str) -> bool:
        """End a consent; False if none stood."""
        with self._database.write() as connection:
            for standing in find(connection, Consent, source=source, revoked_at_us=None):
                put(connection, replace(standing, revoked_at_us=now_us))
                chain(connection, now_us, actor, "consent.revoke", source)
                return True
        return False

    def revoke_folders(
        self, source: str, folders: Collection[str], now_us: int, actor: str
    ) -> None:
        """End the consent to some of its folders; with the last one the consent ends."""
        with self._database.write() as connection:
            for standing in find(connection, Consent, source=source, revoked_at_us=None):
                left: list[Json] = [folder for folder in standing.folders if folder not in folders]
                if len(left) == len(standing.folders):
                    continue
                put(
                    connection,
                    replace(standing, details={**standing.details, "paths": left})
                    if left
                    else replace(standing, revoked_at_us=now_us),
                )
                chain(
                    connection, now_us, actor, "consent.revoke", source, {"folders_left": len(left)}
                )

    def list_all(self) -> list[Consent]:
        """Every consent that was ever given, by source."""
        return sorted(self._database.records(Consent), key=lambda consent: consent.source)
