"""The threshold of the probability at which completions are shown, learned from the past."""

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from selflow.text.lines import LEAST_LIKELY, Packed

MIN_PRECISION = 0.05
SEARCH_FLOOR = LEAST_LIKELY
"""Completions below this probability are not looked for; no threshold is lower."""
FLOOR_OF_THRESHOLD = 0.25
"""Of the threshold: below it no completion is looked for, so that a search is short where little is
certain, and a threshold that is too high can still fall.
"""
_PAST, _REFIT, _Z = 1_500, 25, 1.28


class PrecisionBound:
    """The threshold of the probability, from what would have been shown and what then came."""

    def __init__(self, min_precision: float = MIN_PRECISION) -> None:
        self._min_precision = min_precision
        self._past: deque[tuple[float, bool]] = deque(maxlen=_PAST)
        self._new = 0
        self.threshold = min_precision
        """Until enough came, probabilities are taken at their word."""

    @property
    def floor(self) -> float:
        """Completions below this probability need not be looked for."""
        return max(SEARCH_FLOOR, FLOOR_OF_THRESHOLD * self.threshold)

    def learn(self, outcomes: Sequence[tuple[float, bool]]) -> None:
        """The different completions of a line: the highest probability of each, and whether the
        line began so. Whether they were shown does not matter.
        """
        self._past.extend(outcomes)
        self._new += len(outcomes)
        if self._new >= _REFIT:
            self._new = 0
            self.threshold = self._fit()

    def _fit(self) -> float:
        best, shown, right = 1.0, 0, 0
        for p, same in groupby(sorted(self._past, reverse=True), key=itemgetter(0)):
            outcomes = [was_right for _, was_right in same]
            shown, right = shown + len(outcomes), right + sum(outcomes)
            if _lower_bound(right, shown) >= self._min_precision:
                best = p
        return best

    def state(self) -> Packed:
        return [self._min_precision, [list(pair) for pair in self._past], self._new, self.threshold]

    def load_state(self, state: Packed) -> None:
        self._min_precision, past, self._new, self.threshold = state
        self._past.clear()
        self._past.extend((p, was_right) for p, was_right in past)


def _lower_bound(right: int, shown: int) -> float:
    """Lower end of Wilson's one-sided 90% interval of a share."""
    share, spread = right / shown, _Z * _Z / shown
    middle = share + spread / 2.0
    width = _Z * ((share * (1.0 - share) + spread / 4.0) / shown) ** 0.5
    return float((middle - width) / (1.0 + spread))
