"""What may be collected and what came: the same document for the API and the command line."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from selflow.core.clock import rfc3339
from selflow.store.records import Consent

if TYPE_CHECKING:
    from selflow.search.rollups import SourceSeen


def sources_document(
    consents: Iterable[Consent], seen: "Iterable[SourceSeen]", collector: str
) -> dict[str, Any]:
    """In the shape of ``GET /api/sources``."""
    return {
        "consents": [
            {
                "kind": consent.source,
                "is_allowed": consent.revoked_at_us is None,
                "granted_at": rfc3339(consent.granted_at_us),
                "revoked_at": rfc3339(consent.revoked_at_us) if consent.revoked_at_us else None,
                "folders": list(consent.folders),
            }
            for consent in consents
        ],
        "streams": [
            {"source": one.source, "events": one.events, "last_at": rfc3339(one.last_us)}
            for one in seen
        ],
        "collector": collector,
    }
