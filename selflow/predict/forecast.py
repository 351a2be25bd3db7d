"""What all experts say of one moment, and what came then."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.predict.experts import View
from selflow.predict.shared_counts import Offer
from selflow.predict.stack import Ranked
from selflow.predict.table import Floats, Ids


@dataclass(frozen=True, slots=True)
class Outcome:
    """The step that came: ids of its known labels, and how many of its labels are new."""

    known: tuple[int, ...]
    n_new: int
    unseen: tuple[str, ...] = ()
    """The texts of those, if the forecast may offer some."""

    @property
    def members(self) -> int:
        return len(self.known) + self.n_new


@dataclass(frozen=True, slots=True)
class Rows:
    """Whose the rows of a forecast, and the weights of the pool, are. In this order: the experts,
    first those of the count pool, among which first those that the rankers see; the rankers;
    the agents.
    """

    seen_by_rankers: slice
    count_pool: slice
    experts: slice
    rankers: slice
    agents: slice
    plain_ranker: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What everybody says at one moment. ``Rows`` says whose the k rows are."""

    view: View
    ids: Ids
    """(m,): the candidates, then known labels that were asked for besides."""
    n: int
    """How many of them are candidates; what the rankers see comes first, then what only agents
    propose.
    """
    p: Floats
    """(k, m): the probability of each label, by each expert, ranker and agent."""
    p_new: Floats
    """(k,): the probability of NEW."""
    pool: Floats
    """(m,): the calibrated mixture."""
    pool_new: float
    """The mixture's probability of NEW."""
    order: Ids
    """(n,): indices of the candidates, the first guess first."""
    raw: Floats
    """(n,): the mixture before calibration."""
    first_p: float
    """The first guess's probability before its own correction; 0 without candidates."""
    by_rankers: Ranked
    naming_score: Floats
    """(n,): how likely it is that the step holds a candidate; ``order`` starts from it."""
    offered: tuple[Offer, ...] = ()
    """What NEW may be called; their probabilities are part of ``pool_new``."""

    def ranked(self, limit: int) -> list[int]:
        """The guesses, at most ``limit``: indices of candidates in their order, with -1 - i for the
        i-th offer before the first candidate with a smaller score.
        """
        guesses: list[int] = []
        waiting = list(range(len(self.offered)))
        for index in self.order[:limit].tolist():
            while waiting and self.offered[waiting[0]].p > self.naming_score[index]:
                guesses.append(-1 - waiting.pop(0))
            guesses.append(index)
        return [*guesses, *(-1 - i for i in waiting)][:limit]

    def hits(self, unseen: Sequence[str]) -> list[int]:
        """Those of the offered that came, as ``ranked`` names them."""
        return [-1 - i for i, offer in enumerate(self.offered) if offer.label in unseen]

    def probability(self, guess: int) -> float:
        """The pool's probability of a guess, as ``ranked`` names it."""
        return float(self.pool[guess]) if guess >= 0 else self.offered[-1 - guess].p

    def indices(self, known: Sequence[int]) -> Ids:
        """Where these labels stand in ``ids``. Raises KeyError for one that is not there."""
        index_of = {y: i for i, y in enumerate(self.ids.tolist())} if known else {}
        return np.array([index_of[y] for y in known], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SilentAnswer:
    """The answer of an agent that is left out: no candidates, and 0 for everything."""

    rows: int

    def candidates(self) -> list[int]:
        return []

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        return np.zeros((self.rows, len(ids))), np.zeros(self.rows)
