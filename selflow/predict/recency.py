"""The recency expert: what is used again soon, learned as a distribution over ranks in the list of
last use.
"""

from collections.abc import Sequence

import numpy as np

from selflow.predict.experts import ListedAnswer, View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats

RANKS = 64
"""Labels in the list of last use; a label further back has rank 64."""
_DECAY = 2.0 ** (-1 / 500)
"""Per step: a half-life of 500 steps."""
_PROPOSED = 20


class RecencyExpert:
    """P(rank in the user's list of last use), with a half-life of 500 steps; the same curve for all
    users.

    Labels beyond the list share the mass of "further back" evenly; NEW has its own decayed rate.
    Cost: O(64) per step.
    """

    def __init__(self) -> None:
        self.names = ("recency",)
        self._by_rank: Floats = np.full(RANKS + 1, 1.0 / RANKS)
        # Decayed sums: of the parts of steps that were new, and of steps
        self._rate: Floats = np.array([0.5, 1.0])

    def ask(self, view: View) -> ListedAnswer:
        known, listed = len(view.vocabulary), len(view.recent)
        new, steps = self._rate.tolist()
        p_new = new / steps if known else 1.0
        curve = self._by_rank[: listed + 1].copy()
        curve[listed] = self._by_rank[RANKS] if known > listed else 0.0
        curve *= (1.0 - p_new) / (float(curve.sum()) or 1.0)
        curve[listed] /= max(1, known - listed)
        return ListedAnswer(view.rank, curve, p_new, view.recent[:_PROPOSED])

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        self._rate = self._rate * _DECAY + np.array([n_new / len(members), 1.0])
        self._by_rank = self._by_rank * _DECAY
        known = len(members) - n_new
        for y in members[:known] if known else ():
            self._by_rank[view.rank.get(y, RANKS)] += 1.0 / known

    def forget(self, gone: frozenset[int]) -> None:
        """Ranks know no labels."""

    def state(self) -> Packed:
        return [pack_array(self._by_rank), pack_array(self._rate)]

    def load_state(self, packed: Packed) -> None:
        self._by_rank, self._rate = (unpack_array(x) for x in packed)
