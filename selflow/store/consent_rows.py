"""A consent that an act of the owner brings along, written by light processes."""

from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import Clock
from selflow.core.grants import OWNER
from selflow.store.reading import CatalogReader
from selflow.store.records import Consent
from selflow.store.row_writer import writing


def allow_once(location: CatalogLocation, source: str, clock: Clock) -> bool:
    """Note a consent that was never given; one that was revoked stays so. Whether it stands.

    Raises:
        StoreError: The catalog cannot be written.
    """
    for consent in CatalogReader(location).consents():
        if consent.source == source:
            return consent.revoked_at_us is None
    now_us = clock.now_us()
    with writing(location) as rows:
        rows.insert(Consent(source, now_us, None, {}))
        rows.audit(now_us, OWNER, "consent.grant", source)
    return True
