"""The recency expert: what is used again soon, learned as a distribution over places in the list of
last use.
"""

from collections.abc import Sequence

import numpy as np

from selflow.predict.experts import ListedAnswer, View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats

PLACES = 64
_DECAY = 2.0 ** (-1 / 500)


class RecencyExpert:
    """P(place in the user's list of last use), decayed over 500 steps; the same curve for all
    users.

    Labels beyond the list share the mass of "further back" evenly; NEW has its own decayed rate.
    """

    def __init__(self) -> None:
        self.names = ("recency",)
        self._places: Floats = np.full(PLACES + 1, 1.0 / PLACES)
        self._fresh: Floats = np.array([0.5, 1.0])

    def ask(self, view: View) -> ListedAnswer:
        known, found = len(view.vocabulary), len(view.recent)
        fresh = float(self._fresh[0] / self._fresh[1]) if known else 1.0
        curve = self._places[: found + 1].copy()
        curve[found] = self._places[PLACES] if known > found else 0.0
        curve *= (1.0 - fresh) / (float(curve.sum()) or 1.0)
        curve[found] /= max(1, known - found)
        return ListedAnswer(view.rank, curve, fresh, view.recent[:20])

    def learn(self, view: View, members: Sequence[int], fresh: int) -> None:
        self._fresh = self._fresh * _DECAY + np.array([fresh / len(members), 1.0])
        self._places = self._places * _DECAY
        known = len(members) - fresh
        for y in members[:known] if known else ():
            self._places[view.rank.get(y, PLACES)] += 1.0 / known

    def forget(self, gone: frozenset[int]) -> None:
        """Places know no labels."""

    def state(self) -> Packed:
        return [pack_array(self._places), pack_array(self._fresh)]

    def load_state(self, packed: Packed) -> None:
        self._places, self._fresh = (unpack_array(x) for x in packed)
