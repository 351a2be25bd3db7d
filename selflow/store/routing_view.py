"""How requests were routed lately, and by what beliefs: for command line and page alike.

No SQLAlchemy and no numpy may be imported here, not even indirectly.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from selflow.core.clock import rfc3339
from selflow.store.reading import CatalogReader
from selflow.store.records import Beliefs, Decision

LAST_ROUTED = 500
LOOKED_AT = 5_000
"""Decisions, routed and others, among which the routed ones are looked for."""
BINS = 20
TOP_ARMS = 5


def routing_document(reader: CatalogReader) -> dict[str, Any]:
    """The last 500 routed requests (of the last 5,000 of all), in at most 20 bins of as many each,
    oldest first; the beliefs of the five arms with the most feedback; and why the newest request
    went where it went.
    """
    newest = (one for one in reader.newest(Decision, LOOKED_AT) if one.routing)
    routed = [*islice(newest, LAST_ROUTED)][::-1]
    size = max(1, -(-len(routed) // BINS))
    bins = [_bin(routed[first : first + size]) for first in range(0, len(routed), size)]
    stored = next(iter(reader.learned(Beliefs)), None)
    surfaces: Any = stored.beliefs.get("surfaces", {}) if stored else {}
    densities = [
        {
            "surface": surface,
            "arm": arm,
            "n": known["pulls"],
            "a": 1.0 + known["wins"],
            "b": 1.0 + known["losses"],
        }
        for surface, arms in surfaces.items()
        for arm, known in arms.items()
    ]
    densities.sort(key=lambda item: (-item["n"], item["surface"], item["arm"]))
    return {
        "n": len(routed),
        "explored": sum(item["explored"] for item in bins),
        "forced": sum(item["forced"] for item in bins),
        "bins": bins,
        "densities": densities[:TOP_ARMS],
        "because": because(routed[-1]) if routed else None,
    }


def because(decision: Decision) -> dict[str, Any]:
    """Why a routed request was answered by whom it was."""
    routing: Any = decision.routing or {}
    who = f"{routing['arm']} answered on {routing['surface']}"
    drawn = f"drawn with probability {routing['propensity']:.2f} by {routing['policy']}"
    if routing["forced"]:
        text = f"{who}: the caller named it"
    elif routing["explored"]:
        text = f"{who}: {drawn}, to learn more of it; another arm has the higher mean"
    else:
        text = f"{who}: {drawn}; no arm has a higher mean"
    return {"decision_id": decision.id, "at": rfc3339(decision.at_us), "text": text}


def _bin(own: Sequence[Decision]) -> dict[str, Any]:
    """What the caller named itself was neither explored nor exploited."""
    routings: list[Any] = [decision.routing for decision in own]
    forced = sum(bool(routing["forced"]) for routing in routings)
    explored = sum(bool(routing["explored"]) and not routing["forced"] for routing in routings)
    return {
        "from_at": rfc3339(own[0].at_us),
        "to_at": rfc3339(own[-1].at_us),
        "n": len(own),
        "explored": explored,
        "exploited": len(own) - explored - forced,
        "forced": forced,
    }
