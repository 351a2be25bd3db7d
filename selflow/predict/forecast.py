"""What all experts say of one moment, and what came then."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.predict.experts import View
from selflow.predict.ranker import Ranking
from selflow.predict.shared_counts import Offer
from selflow.predict.table import Floats, Ids


@dataclass(frozen=True, slots=True)
class Outcome:
    """The step that came: ids of its known labels, and how many of its labels are new."""

    known: tuple[int, ...]
    fresh: int
    unseen: tuple[str, ...] = ()
    """The texts of those, if the forecast may offer some."""

    @property
    def members(self) -> int:
        return len(self.known) + self.fresh


@dataclass(frozen=True, slots=True)
class Forecast:
    """What everybody says at one moment. Rows: the experts, the two rankers, then those that
    entered.
    """

    view: View
    ids: Ids
    """(m,): the candidates, then known labels that were asked for besides."""
    n: int
    """How many of them are candidates; what the rankers see comes first, then what only agents
    propose.
    """
    p: Floats
    """(experts + 2 + agents, m)"""
    fresh: Floats
    """(experts + 2 + agents,): NEW."""
    pool: Floats
    """(m,): the calibrated mixture."""
    pool_fresh: float
    order: Ids
    """(n,): places of the candidates, the first guess first."""
    raw: Floats
    """(n,): the mixture before calibration."""
    features: Floats
    ranking: Ranking
    worth: Floats
    """(n,): what naming each candidate first is worth."""
    offered: tuple[Offer, ...] = ()
    """What NEW may be called; their probabilities are part of ``pool_fresh``."""

    def ranked(self, limit: int) -> list[int]:
        """The guesses: places of candidates in their order, with -1 - i for the i-th of the offered
        where it is due.
        """
        made: list[int] = []
        waiting = list(range(len(self.offered)))
        for place in self.order[:limit].tolist():
            while waiting and self.offered[waiting[0]][1] > self.worth[place]:
                made.append(-1 - waiting.pop(0))
            made.append(place)
        return [*made, *(-1 - i for i in waiting)][:limit]

    def hits(self, unseen: Sequence[str]) -> list[int]:
        """Those of the offered that came, as ``ranked`` names them."""
        return [-1 - i for i, (label, _) in enumerate(self.offered) if label in unseen]

    def chance(self, place: int) -> float:
        """The probability of a guess."""
        return float(self.pool[place]) if place >= 0 else self.offered[-1 - place][1]

    def places(self, known: Sequence[int]) -> Ids:
        """Where these labels stand in ``ids``."""
        where = {y: i for i, y in enumerate(self.ids.tolist())} if known else {}
        return np.array([where[y] for y in known], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SilentAnswer:
    """In the place of an expert that is not asked."""

    rows: int

    def candidates(self) -> list[int]:
        return []

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        return np.zeros((self.rows, len(ids))), np.zeros(self.rows)
