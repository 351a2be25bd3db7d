"""The recency expert: what is used again soon, learned as a distribution over places in the list of last use."""

from collections.abc import Sequence

import numpy as np

from selflow.predict.experts import View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats, Ids

PLACES = 64
_DECAY = 2.0 ** (-1 / 500)


class RecencyExpert:
    """P(place in the user's list of last use), decayed over 500 steps; the same curve for all users.

    Labels beyond the list share the mass of "further back" evenly; NEW has its own decayed rate.
    """

    def __init__(self) -> None:
        self._places: Floats = np.full(PLACES + 1, 1.0 / PLACES)
        self._fresh: Floats = np.array([0.5, 1.0])

    @property
    def names(self) -> tuple[str, ...]:
        return ("recency",)

    def ask(self, view: View) -> "RecencyAnswer":
        """The curve over this moment's list."""
        return RecencyAnswer(view.recent, self._places, float(self._fresh[0] / self._fresh[1]), len(view.vocabulary))

    def learn(self, view: View, members: Sequence[int], fresh: int) -> None:
        """Count the places at which the members stood."""
        self._fresh = self._fresh * _DECAY + np.array([fresh / len(members), 1.0])
        place = {y: i for i, y in enumerate(view.recent)}
        self._places = self._places * _DECAY
        known = len(members) - fresh
        for y in members[:known] if known else ():
            self._places[place.get(y, PLACES)] += 1.0 / known

    def forget(self, gone: frozenset[int]) -> None:
        """Places know no labels."""

    def dump(self) -> Packed:
        return [pack_array(self._places), pack_array(self._fresh)]

    def restore(self, packed: Packed) -> None:
        self._places, self._fresh = (unpack_array(x) for x in packed)


class RecencyAnswer:
    """The curve over one list of last use."""

    def __init__(self, recent: Sequence[int], places: Floats, fresh: float, known: int) -> None:
        self._recent = recent
        self._fresh = fresh if known else 1.0
        others = known - len(recent)
        mass = np.append(places[: len(recent)], places[PLACES] if others else 0.0)
        mass = mass / mass.sum() if mass.sum() else mass
        self._mass = mass
        self._other = float(mass[-1]) / others if others else 0.0

    def candidates(self) -> Sequence[int]:
        return self._recent[:20]

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        place = {y: i for i, y in enumerate(self._recent)}
        end = len(self._recent)
        curve = np.append(self._mass[:end], self._other)
        p = curve[np.array([place.get(y, end) for y in ids.tolist()], dtype=np.int64)][None]
        return p * (1.0 - self._fresh), np.array([self._fresh])
