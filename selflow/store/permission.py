"""What the owner allowed, read from the catalog: consents per kind of source and folder, and tokens
that may ingest.
"""

from collections.abc import Mapping

from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import Clock
from selflow.core.grants import ACTIVITYWATCH, IMPORT, Grant
from selflow.store.reading import CatalogReader

CACHE_S = 1.0
"""A revoked consent ends within this time."""


class Permission:
    """Consents that stand now. For any thread."""

    def __init__(self, catalog: CatalogLocation, clock: Clock) -> None:
        self._reader = CatalogReader(catalog)
        self._clock = clock
        self._read_at_s = float("-inf")
        self._granted: Mapping[str, tuple[str, ...]] = {}
        self._granted_at_us: Mapping[str, int] = {}

    def granted(self) -> Mapping[str, tuple[str, ...]]:
        """The kinds of source whose consent stands, each with the folders that it names.

        Raises:
            StoreError: The catalog cannot be read.
        """
        now_s = self._clock.monotonic_s()
        if now_s - self._read_at_s > CACHE_S:
            standing = [
                consent for consent in self._reader.consents() if consent.revoked_at_us is None
            ]
            self._granted = {consent.source: consent.folders for consent in standing}
            self._granted_at_us = {consent.source: consent.granted_at_us for consent in standing}
            self._read_at_s = now_s
        return self._granted

    @property
    def granted_at_us(self) -> Mapping[str, int]:
        """Since when the consents stand that ``granted`` last told, in UTC microseconds."""
        return self._granted_at_us

    def allows(self, kind: str) -> bool:
        """Whether the owner's consent for a kind of source stands.

        A no is final for its sender, so that it is never given from memory.
        """
        if kind not in self.granted():
            self._read_at_s = float("-inf")
        return kind in self.granted()

    def allows_batch(self, source: str) -> bool:
        """Whether batches of this source may come in: the owner's own imports, what watchers sent,
        and other programs have a kind each.
        """
        kind = source.partition(":")[0]
        return self.allows(kind if kind in {IMPORT, ACTIVITYWATCH} else "ingest")


def ingest_grant(location: CatalogLocation, clock: Clock, token: str) -> Grant | None:
    """What a token may bring in; None unless its scope is operate or admin and it is not narrowed
    to something else.
    """
    from selflow.store.catalog import Catalog

    with Catalog.open(location) as catalog:
        grant = catalog.tokens.verify(token, clock.now_us())
    if grant is None or grant.scope not in {"operate", "admin"}:
        return None
    return grant if not grant.only or "ingest" in grant.only else None
