"""How long things took, in a form that travels between processes."""

from bisect import bisect_left
from collections.abc import Mapping
from threading import Lock

from selflow.core.events import Json

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets; what took longer is in the last one, without a bound."""


class Histogram:
    """Counts durations by bucket. Safe for threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        with self._lock:
            self._counts[bisect_left(BOUNDS_S, duration_s)] += 1
            self._sum_s += duration_s

    def document(self) -> dict[str, Json]:
        """``counts``, one per bucket, and ``sum_s``."""
        with self._lock:
            return {"counts": list(self._counts), "sum_s": self._sum_s}


def cumulative(document: Mapping[str, Json]) -> tuple[list[tuple[str, float]], float]:
    """What ``document`` made, as Prometheus wants it: (upper bound, how many up to it) for each
    bucket, and the sum in seconds; none of it if nothing was counted yet.
    """
    counts, sum_s = document.get("counts"), document.get("sum_s")
    if not isinstance(counts, list) or not isinstance(sum_s, int | float):
        return [("+Inf", 0.0)], 0.0
    total, buckets = 0.0, []
    for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), counts, strict=True):
        total += count if isinstance(count, int) else 0
        buckets.append((bound, total))
    return buckets, float(sum_s)
