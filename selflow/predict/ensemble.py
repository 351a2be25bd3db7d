"""All experts together: count experts in a pool, the rankers on top of it, and the pool of them
all.
"""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from selflow.core.errors import UsageError
from selflow.predict.agents import PREFIX, AgentExpert, RecentCounts
from selflow.predict.calibration import Temperature
from selflow.predict.counts import LONG, OWN, SHARED, CountExperts, companion_keys, key_labels
from selflow.predict.experts import Expert, View
from selflow.predict.features import (
    STRUCTURAL,
    Situation,
    log_probability_features,
    structural_features,
)
from selflow.predict.forecast import Distributions, Forecast, Outcome, Rows, SilentAnswer
from selflow.predict.linear import LinearRanker
from selflow.predict.memory import UserMemory
from selflow.predict.packing import Packed
from selflow.predict.pool import FixedSharePool
from selflow.predict.prior import Prior
from selflow.predict.ranker import Head, Inputs, Rankers, Ranking
from selflow.predict.recency import RecencyExpert
from selflow.predict.table import Floats, Ids, K, Table

RANKERS = ("ranker", "ranker_any")
"""The expert of each ``Head``."""
_MAX_CANDIDATES = 64
"""Candidates that the rankers see: their cost grows with each."""
_MAX_FURTHER = 32
"""Candidates besides those, of agents and long contexts."""
_COMPANIONS = 30
"""Members of a step that count as companions of each other: the cost grows with their square."""
_WEIGHED = 16
_NAMED = 8
"""Candidates that may be reordered by their companions, and how many of them are."""
_FIRMNESS = 3.0
"""How much more firmly shipped weights are held than the plain start (``Rankers.start_from``)."""
_TINY = 1e-9
"""The least mass that is divided by."""


class Restorable(Protocol):
    """A part of the ensemble with a state of its own."""

    def state(self) -> Packed: ...

    def load_state(self, packed: Packed) -> None: ...


class Ensemble:
    """The experts, the rankers on top of them, the agents that entered, and the pool of all."""

    def __init__(self, *, is_shared: bool, alpha: float, extra: Sequence[Expert]) -> None:
        self._own = CountExperts((*OWN, *LONG))
        shared: list[Expert] = (
            [CountExperts(SHARED, "shared_", is_shared=True)] if is_shared else []
        )
        plain: list[Expert] = [] if is_shared else [LinearRanker()]
        self._experts: list[Expert] = [self._own, RecencyExpert(), *plain, *shared]
        self._agents: list[Expert] = []
        self._recent = RecentCounts()
        names = [name for expert in self._experts for name in expert.names]
        own, long = len(OWN) * K, len(LONG) * K
        # The long contexts go behind all others
        self._order = [*range(own), *range(own + long, len(names)), *range(own, own + long)]
        self.names = tuple(names[row] for row in self._order)
        width = own + 1 + len(SHARED) * K
        seen = width if is_shared else own + 1
        self._blank = width - seen
        self._rows = Rows(
            seen_by_rankers=slice(seen),
            count_pool=slice(len(names) - long),
            experts=slice(len(names)),
            rankers=slice(len(names), len(names) + len(RANKERS)),
            agents=slice(len(names) + len(RANKERS), None),
            plain_ranker=self.names.index(plain[0].names[0]) if plain else None,
        )
        self._companions = Table(20_000, 128)
        self._rankers = Rankers(1 + width + STRUCTURAL)
        self._inputs = Inputs(1 + width + STRUCTURAL)
        self._count_pool = FixedSharePool(self.names[self._rows.count_pool], alpha)
        self.pool = FixedSharePool((*self.names, *RANKERS), alpha)
        self._temperature = Temperature()
        for expert in extra:
            self.enter(expert)

    def enter(self, expert: Expert) -> None:
        """Add an agent, or another expert: the pool weighs it; what the others learn does not
        depend on it. An agent starts with the counts of what came before it. Raises UsageError if
        its name is in use.
        """
        for name in expert.names:
            self.pool.add(name)
        if isinstance(expert, AgentExpert):
            expert.begin(self._recent)
        self._agents.append(expert)

    def leave(self, name: str) -> None:
        """Remove what entered under this name. Raises UsageError if nothing did."""
        expert = next((e for e in self._agents if {name, PREFIX + name} & {*e.names}), None)
        if expert is None:
            raise _unknown(name)
        for row_name in expert.names:
            self.pool.archive(row_name)
        self._agents.remove(expert)

    def weights(self, without: str | None = None) -> Floats:
        """The pool's weights, one per row of a forecast; 0 for an agent that is left out, those of
        the others in proportion. Raises UsageError if no agent ``without`` has entered.
        """
        if without is None:
            return self.pool.weights
        first = self._rows.agents.start
        names = enumerate(self.pool.names[self._rows.agents], first)
        left_out = [row for row, name in names if name in {without, PREFIX + without}]
        if not left_out:
            raise _unknown(without)
        retained = self.pool.weights.copy()
        retained[left_out] = 0.0
        weights: Floats = retained / retained.sum()
        return weights

    def ask(
        self,
        view: View,
        memory: UserMemory,
        also: Sequence[int],
        barred: Sequence[int],
        without: str | None = None,
    ) -> Forecast:
        """The forecast of every expert and of the pool; no state changes.

        Args:
            view: What is known now.
            memory: The user's own past.
            also: Known labels to score besides the candidates.
            barred: Labels that are known not to come: their mass goes to all others in proportion.
            without: An agent that is not asked and proposes nothing.

        Cost: about 1 ms, and the agents' own time.
        """
        weights = self.weights(without)
        counts = self._own.ask(view)
        answers = [counts, *(expert.ask(view) for expert in self._experts[1:])]
        companions = self._companions.evidence(companion_keys(view), view.vocabulary.end)
        proposals = [
            view.last,
            counts.leaders(OWN),
            *(answer.candidates() for answer in answers[1:]),
            view.before[:8],
            companions.leaders(8),
        ]
        candidates = list(
            dict.fromkeys([*barred, *(y for proposal in proposals for y in proposal)])
        )[:_MAX_CANDIDATES]
        n = len(candidates)
        left_out = {without, f"{PREFIX}{without}"}
        agent_answers = [
            SilentAnswer(len(agent.names)) if left_out & {*agent.names} else agent.ask(view)
            for agent in self._agents
        ]
        more = (y for answer in agent_answers for y in answer.candidates())
        named = dict.fromkeys([*candidates, *more, *counts.leaders(LONG)])
        taken = dict.fromkeys(islice(named, n + _MAX_FURTHER))
        ids = np.array([*taken, *(y for y in also if y not in taken)], dtype=np.int64)
        scores = Distributions.of(answers, ids)
        experts = Distributions(scores.p[self._order], scores.p_new[self._order])
        agents = Distributions.of(agent_answers, ids)
        for rows in (experts, agents):
            _bar(rows, len(barred))
        shares = self._own.self_shares(view, candidates)
        situation = Situation(view, memory, counts, companions, shares)
        sizes = _Sizes(n, len(taken), len(barred))
        return self._mix(ids, sizes, experts, agents, situation, weights)

    def _mix(
        self,
        ids: Ids,
        sizes: "_Sizes",
        experts: Distributions,
        agents: Distributions,
        situation: Situation,
        weights: Floats,
    ) -> Forecast:
        """Rank the candidates by what the experts say, and mix experts, rankers and agents."""
        n, named = sizes.ranked, sizes.named
        pool = self._count_pool.mix(experts.p[self._rows.count_pool])
        count_new = float(self._count_pool.mix(experts.p_new[self._rows.count_pool]))
        outside = max(_TINY, 1.0 - float(pool[:n].sum()))
        features = self._features(ids[:n], pool[:n], experts.p, situation)
        ranking = self._rankers.rank(self._inputs.of(features, outside))
        rankers = _ranker_rows(ranking, pool[n:], outside, count_new)
        _bar(rankers, sizes.barred)
        p = np.concatenate([experts.p, rankers.p, agents.p])
        p_new = np.concatenate([experts.p_new, rankers.p_new, agents.p_new])
        mixed: Floats = weights @ p
        raw = mixed[:named]
        rest = max(_TINY, 1.0 - float(raw.sum()))
        calibrated, calibrated_rest = self._temperature.apply(raw, rest)
        score = self._naming_score(p, calibrated, rankers.p[Head.ANY, :named], weights)
        return Forecast(
            view=situation.view,
            ids=ids,
            n=named,
            p=p,
            p_new=p_new,
            pool=np.concatenate([calibrated, mixed[named:] * (calibrated_rest / rest)]),
            pool_new=float(weights @ p_new) * calibrated_rest / rest,
            order=self._name(ids[:named], score, situation.view),
            raw=raw,
            features=features,
            ranking=ranking,
            naming_score=score,
        )

    def _features(self, ids: Ids, pool: Floats, p: Floats, situation: Situation) -> Floats:
        """(n, width): what the rankers see of the n candidates in ``ids``. Without shared experts
        their columns are 0, so that one shipped prior fits both.
        """
        return np.concatenate(
            [
                log_probability_features(pool, p[self._rows.seen_by_rankers, : len(ids)]),
                np.zeros((len(ids), self._blank)),
                structural_features(ids, ids.tolist(), situation),
            ],
            axis=1,
        )

    def _naming_score(
        self, p: Floats, calibrated: Floats, named: Floats, weights: Floats
    ) -> Floats:
        """(n,): how likely the step holds each candidate: half by pool and naming head, half by the
        plain ranker.

        The plain ranker errs elsewhere, so together they name better than each alone (decision
        0002). For the part of the weight that agents have, the pool alone decides: no ranker sees
        what they say.
        """
        score = (calibrated + named) / 2.0
        if self._rows.plain_ranker is not None:
            score = (score + p[self._rows.plain_ranker, : len(calibrated)]) / 2.0
        return score + float(weights[self._rows.agents].sum()) * (calibrated - score)

    def _name(self, ids: Ids, score: Floats, view: View) -> Ids:
        """The order in which to name candidates so that early on one of the step's members is
        named.

        Args:
            ids: (n,), the candidates' label ids.
            score: (n,), how likely the step holds each.
            view: Whose companions count.

        Returns:
            (n,), indices of candidates.

        Greedy: of a candidate that mostly comes together with one named already, only the part of
        its steps without that one counts. On steps of one label this is the order of ``score``.

        Cost: O(n log n). Source: the greedy choice of maximal marginal relevance, Carbonell and
        Goldstein 1998, with shares of common steps as the likeness.
        """
        order = np.argsort(-score, kind="stable")
        left = dict.fromkeys(order[:_WEIGHED].tolist())
        keys = companion_keys(view, ids[list(left)])
        rows = {
            i: row
            for i, key in zip(left, keys, strict=True)
            if (row := self._companions.row(key)) is not None
        }
        if not rows:
            return order
        labels = ids.tolist()
        uses = {i: row.decayed_count(labels[i]) + 1.0 for i, row in rows.items()}
        value = {i: float(score[i]) for i in left}
        named: list[int] = []
        while left and len(named) < _NAMED:
            best = max(left, key=value.__getitem__)
            del left[best]
            rows.pop(best, None)
            named.append(best)
            for i, row in rows.items():
                if labels[best] in row.slots:
                    value[i] *= 1.0 - row.decayed_count(labels[best]) / uses[i]
        return np.array([*named, *left, *order[_WEIGHED:].tolist()], dtype=np.int64)

    def learn(self, forecast: Forecast, outcome: Outcome, members: Sequence[int]) -> None:
        """Learn what came, in all parts. ``members``: its labels as ids, the known ones first."""
        known = forecast.indices(outcome.known)
        p = np.concatenate([forecast.p[:, known], forecast.p_new[:, None]], axis=1)
        counts = np.array([1.0] * len(known) + [outcome.n_new])
        self._count_pool.learn(p[self._rows.count_pool], counts)
        self.pool.learn(p, counts)
        came = known[known < forecast.n]
        self._rankers.learn(forecast.ranking, came[came < len(forecast.features)], outcome.members)
        self._inputs.learn(forecast.features)
        shares = np.zeros(forecast.n + 1)
        shares[came] = 1.0 / outcome.members
        shares[-1] = 1.0 - len(came) / outcome.members
        self._temperature.learn(forecast.raw, max(_TINY, 1.0 - float(forecast.raw.sum())), shares)
        self._recent.learn(forecast.view, members, outcome.n_new)
        for expert in (*self._experts, *self._agents):
            expert.learn(forecast.view, members, outcome.n_new)
        self._learn_companions(forecast.view, members)

    def _learn_companions(self, view: View, members: Sequence[int]) -> None:
        group = members[:_COMPANIONS]
        for key, member in zip(companion_keys(view, group), group, strict=True):
            self._companions.learn([key], [member, *(y for y in group if y != member)], 1.0, 0)

    def start_from(self, prior: Prior) -> None:
        """Begin with shipped weights; only before the first step."""
        self._rankers.start_from(prior.rankers, _FIRMNESS)
        self._inputs.load_state(prior.inputs)

    def as_prior(self) -> Prior:
        """What another predictor may start from: no label, no count."""
        return Prior(self._rankers.warm(), self._inputs.state())

    def forget(self, gone: frozenset[int]) -> None:
        self._recent.forget(gone)
        for expert in (*self._experts, *self._agents):
            expert.forget(gone)
        self._companions.forget(gone, lambda key: key_labels(key, 1))

    def state(self) -> Packed:
        return [part.state() for part in self._parts()]

    def load_state(self, packed: Packed) -> None:
        for part, state in zip(self._parts(), packed, strict=True):
            part.load_state(state)

    def _parts(self) -> list[Restorable]:
        learners: list[Restorable] = [self._companions, self._rankers, self._inputs]
        return [
            *self._experts,
            self._recent,
            *learners,
            self._count_pool,
            self.pool,
            self._temperature,
            *self._agents,
        ]


class _Sizes(NamedTuple):
    """Of the labels of a forecast, from the first one on: how many the rankers see, how many are
    candidates, and how many cannot come.
    """

    ranked: int
    named: int
    barred: int


def _ranker_rows(ranking: Ranking, others: Floats, outside: float, p_new: float) -> Distributions:
    """The rankers' forecast: their candidates', and the count pool's for ``others`` (m - n,) and
    NEW, scaled to what each ranker leaves outside.
    """
    left = ranking.p[:, -1:] / outside
    return Distributions(
        np.concatenate([ranking.p[:, :-1], others * left], axis=1), left[:, 0] * p_new
    )


def _bar(scores: Distributions, barred: int) -> None:
    """Give the mass of the first ``barred`` labels to all others, in each row; in place."""
    if barred:
        left = np.maximum(_TINY, 1.0 - scores.p[:, :barred].sum(axis=1))
        scores.p[:, :barred] = 0.0
        scores.p[:] /= left[:, None]
        scores.p_new[:] /= left


def _unknown(name: str) -> UsageError:
    return UsageError(f"unknown expert: {name!r}", "only an agent that has entered can be named")
