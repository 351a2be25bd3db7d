"""The experts that SelFlow ships, one factory each by entry point; every one keeps the laws of an
expert.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

from selflow.predict.counts import (
    FOLDER,
    HOUR,
    ORDER0,
    ORDER1,
    ORDER2,
    ORDER3,
    SKIP,
    SKIP3,
    Context,
    CountExperts,
)
from selflow.predict.experts import Expert
from selflow.predict.linear import LinearRanker
from selflow.predict.recency import RecencyExpert

OWN = (ORDER0, ORDER1, ORDER2, SKIP, FOLDER, HOUR)
LONG = (ORDER3, SKIP3)
"""In the pool alone: the rankers and their shipped weights do not know them."""
SHARED = (ORDER0, ORDER1, ORDER2)
Factory = Callable[[int], Expert]


def discovered_experts(seed: int) -> dict[str, Expert]:
    """By name, one of each expert that installed packages offer in the entry-point group
    ``selflow.experts``.
    """
    return {point.name: point.load()(seed) for point in entry_points(group="selflow.experts")}


def _counts(*contexts: Context) -> Factory:
    return lambda _seed: CountExperts(contexts)


order0, order1, order2 = _counts(ORDER0), _counts(ORDER0, ORDER1), _counts(ORDER0, ORDER1, ORDER2)
order3 = _counts(ORDER0, ORDER1, ORDER2, ORDER3)
skip3 = _counts(ORDER0, SKIP3)
skip, folder, hour = _counts(ORDER0, SKIP), _counts(ORDER0, FOLDER), _counts(ORDER0, HOUR)
recency: Factory = lambda _seed: RecencyExpert()  # noqa: E731
ranker_plain: Factory = lambda _seed: LinearRanker()  # noqa: E731
