"""The rankers on top of the count experts: the candidates, their crosses, and what lies outside.

Rankers order at most 64 candidates of each step. What they leave outside is divided among the next
200 known labels by a ranker of its own, and only where one of those is asked for: a fifth to a
third of the steps, so that it costs little.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from selflow.predict.crosses import Crosses, Crossing
from selflow.predict.experts import Distributions
from selflow.predict.features import (
    STRUCTURAL,
    Situation,
    log_probability_features,
    structural_features,
)
from selflow.predict.packing import Packed
from selflow.predict.prior import Prior
from selflow.predict.ranker import Head, Inputs, Rankers, Ranking
from selflow.predict.table import Floats, Ids

RANKERS = ("ranker", "ranker_any")
"""The expert of each ``Head``."""
_WIDE = 200
"""Known labels besides the candidates, those used last, that get a probability of their own."""
_FIRMNESS = 3.0
"""How much more firmly shipped weights are held than the plain start (``Rankers.start_from``)."""
_TINY = 1e-9
"""The least mass that is divided by."""


@dataclass(frozen=True, slots=True)
class Scored:
    """What the count experts say of the labels of one moment: ``ranked`` candidates of the rankers,
    up to ``named`` those of others, up to ``end`` labels that are asked for besides, then
    ``further_labels``, if a known label outside of the first is asked for.
    """

    ids: Ids
    """(m,)"""
    ranked: int
    named: int
    end: int
    p: Floats
    """(k, m): the experts that the rankers see."""
    pool: Floats
    """(m,): the count pool."""
    pool_new: float


@dataclass(frozen=True, slots=True)
class Division:
    """How the known labels outside of the candidates share what is there."""

    features: Floats
    ranking: Ranking
    index_of: dict[int, int]
    """By label id, its column in the ranking."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One moment's ranking, with what learning from it needs."""

    rows: Distributions
    """(heads, end)"""
    features: Floats
    ranking: Ranking
    crossing: Crossing
    division: Division | None


def further_labels(now: Situation, candidates: Sequence[int]) -> list[int]:
    """The known labels that were used last and are no candidates."""
    taken = frozenset(candidates)
    return list(islice((y for y in reversed(now.memory.seen) if y not in taken), _WIDE))


class StackedRankers:
    """Both heads over the candidates, the crosses on top, and the ranker of what is outside."""

    def __init__(self, width: int, blank: int) -> None:
        """``width`` experts have columns in the shipped weights; the last ``blank`` are not there:
        their columns are 0, so that one prior fits streams of one user and of several.
        """
        inputs = 1 + width + STRUCTURAL
        self._blank = blank
        self._rankers, self._inputs = Rankers(inputs), Inputs(inputs)
        self._outside, self._outside_inputs = Rankers(inputs), Inputs(inputs)
        self._crosses = Crosses()

    def rank(self, scored: Scored, now: Situation) -> Ranked:
        """Both heads' distributions; no state changes. Cost: about 0.5 ms; where what is outside is
        asked for, 1.5 ms.
        """
        n, end = scored.ranked, scored.end
        pool = scored.pool
        outside = max(_TINY, 1.0 - float(pool[:n].sum()))
        features = self._features(scored, slice(n), now)
        ranking = self._rankers.rank(self._inputs.of(features, outside))
        crossing = self._crosses.cross(ranking.p, scored.ids[:n], now.view)
        left = crossing.p[:, -1:] / outside
        others = pool[n:end].copy()
        division = None
        if len(scored.ids) > end:
            known = max(_TINY, outside - scored.pool_new)
            division = self._divide(scored, now, known)
            share = _shares(division, scored, known)
            further = scored.named - n
            # What is named beside the candidates stays as the count pool has it: whether the rest
            # is asked for must not change it
            rest = max(0.0, known - float(others[:further].sum()))
            others[further:] = share[further:] * rest / max(_TINY, 1.0 - share[:further].sum())
        p = np.concatenate([crossing.p[:, :-1], others * left], axis=1)
        rows = Distributions(p, left[:, 0] * scored.pool_new)
        return Ranked(rows, features, ranking, crossing, division)

    def _divide(self, scored: Scored, now: Situation, known: float) -> Division:
        """Rank the labels that share ``known``, the count pool's mass of known labels outside."""
        wide = slice(scored.end, None)
        features = self._features(scored, wide, now)
        rest = max(_TINY, known - float(scored.pool[wide].sum()))
        ranking = self._outside.rank(self._outside_inputs.of(features, rest))
        return Division(features, ranking, {y: i for i, y in enumerate(scored.ids[wide].tolist())})

    def _features(self, scored: Scored, part: slice, now: Situation) -> Floats:
        """(n, inputs): what the rankers see of these labels."""
        ids = scored.ids[part]
        return np.concatenate(
            [
                log_probability_features(scored.pool[part], scored.p[:, part]),
                np.zeros((len(ids), self._blank)),
                structural_features(ids, ids.tolist(), now),
            ],
            axis=1,
        )

    def learn(self, ranked: Ranked, came: Ids, hidden: Sequence[int], members: int) -> None:
        """Learn a step.

        Args:
            ranked: Of the step.
            came: Indices of the candidates that came.
            hidden: Label ids of the other known members.
            members: Labels in the step.
        """
        self._rankers.learn(ranked.ranking, came, members)
        self._inputs.learn(ranked.features)
        self._crosses.learn(ranked.crossing, came, members)
        division = ranked.division
        if division is not None and hidden:
            columns = [division.index_of[y] for y in hidden if y in division.index_of]
            self._outside.learn(
                division.ranking,
                np.array(columns, dtype=np.int64),
                len(hidden),
                len(hidden) / members,
            )
            self._outside_inputs.learn(division.features)

    def forget(self, gone: frozenset[int]) -> None:
        """Drop what is known under these ids."""
        self._crosses.forget(gone)

    def start_from(self, prior: Prior) -> None:
        """Begin with shipped weights; only before the first step."""
        self._rankers.start_from(prior.rankers, _FIRMNESS)
        self._inputs.load_state(prior.inputs)
        self._outside.start_from(prior.outside, _FIRMNESS)
        self._outside_inputs.load_state(prior.outside_inputs)

    def as_prior(self) -> Prior:
        """What another predictor may start from: no label, no count."""
        return Prior(
            self._rankers.warm(),
            self._inputs.state(),
            self._outside.warm(),
            self._outside_inputs.state(),
        )

    def state(self) -> Packed:
        return [part.state() for part in self._parts()]

    def load_state(self, packed: Packed) -> None:
        for part, state in zip(self._parts(), packed, strict=True):
            part.load_state(state)

    def _parts(self) -> Iterable[Rankers | Inputs | Crosses]:
        return (
            self._rankers,
            self._inputs,
            self._outside,
            self._outside_inputs,
            self._crosses,
        )


def _shares(division: Division, scored: Scored, known: float) -> Floats:
    """(end - ranked,): the part of the known labels outside that each of those asked for is."""
    p = division.ranking.p[Head.MEMBER]
    wide = scored.pool[scored.end :]
    per_pool = p[-1] / max(_TINY, known - float(wide.sum()))
    others = zip(
        scored.ids[scored.ranked : scored.end].tolist(),
        scored.pool[scored.ranked : scored.end].tolist(),
        strict=True,
    )
    columns = [(division.index_of.get(y), pool) for y, pool in others]
    return np.array([per_pool * pool if i is None else p[i] for i, pool in columns])
