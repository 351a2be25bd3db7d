"""All experts together: count experts in a pool, the rankers on top of it, and the pool of them
all.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from selflow.core.errors import UsageError
from selflow.predict.agents import PREFIX, AgentExpert, RecentCounts
from selflow.predict.calibration import FirstGuess, Temperature
from selflow.predict.counts import LONG, OWN, SHARED, CountExperts, companion_keys, key_labels
from selflow.predict.experts import Distributions, Expert, View
from selflow.predict.features import Situation
from selflow.predict.forecast import Forecast, Outcome, Rows, SilentAnswer
from selflow.predict.linear import LinearRanker
from selflow.predict.memory import UserMemory
from selflow.predict.packing import Packed
from selflow.predict.pool import FixedSharePool
from selflow.predict.prior import Prior
from selflow.predict.ranker import Head
from selflow.predict.recency import RecencyExpert
from selflow.predict.stack import RANKERS, Scored, StackedRankers, further_labels
from selflow.predict.table import Floats, Ids, K, Table

_MAX_CANDIDATES = 64
"""Candidates that the rankers see: their cost grows with each."""
_MAX_FURTHER = 32
"""Candidates besides those, of agents and long contexts."""
_COMPANIONS = 30
"""Members of a step that count as companions of each other: the cost grows with their square."""
_WEIGHED = 16
_NAMED = 8
"""Candidates that may be reordered by their companions, and how many of them are."""
_NAMING, _SHARED_NAMING = (0.15, 0.45, 0.4), (0.2, 0.7, 0.1)
"""How much pool, naming head and plain ranker say of the order in which to name: in streams of one
owner, and of several users (decision 0041).
"""
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
        plain = LinearRanker()
        self._naming = _SHARED_NAMING if is_shared else _NAMING
        self._experts: list[Expert] = [self._own, RecencyExpert(), *shared, plain]
        self._agents: list[Expert] = []
        self._recent = RecentCounts()
        names = [name for expert in self._experts for name in expert.names]
        own, long = len(OWN) * K, len(LONG) * K
        # The long contexts go behind all others
        self._order = [*range(own), *range(own + long, len(names)), *range(own, own + long)]
        self.names = tuple(names[row] for row in self._order)
        width = own + 1 + len(SHARED) * K
        seen = width if is_shared else own + 1
        self._rows = Rows(
            seen_by_rankers=slice(seen),
            count_pool=slice(len(names) - long),
            experts=slice(len(names)),
            rankers=slice(len(names), len(names) + len(RANKERS)),
            agents=slice(len(names) + len(RANKERS), None),
            plain_ranker=self.names.index(plain.names[0]),
        )
        self._companions = Table(20_000, 128)
        self._rankers = StackedRankers(width, width - seen)
        self._count_pool = FixedSharePool(self.names[self._rows.count_pool], alpha)
        self.pool = FixedSharePool((*self.names, *RANKERS), alpha)
        self._temperature, self._first_guess = Temperature(), FirstGuess()
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
        labels = [*taken, *(y for y in also if y not in taken)]
        sizes = _Sizes(n, len(taken), len(labels), len(barred))
        shares = partial(self._own.self_shares, view)
        situation = Situation(view, memory, counts, companions, shares)
        hidden = not set(candidates).issuperset(also)
        wide = further_labels(situation, candidates) if hidden else []
        ids = np.array([*labels, *wide], dtype=np.int64)
        scores = Distributions.of(answers, ids)
        experts = Distributions(scores.p[self._order], scores.p_new[self._order])
        agents = Distributions.of(agent_answers, ids[: sizes.requested])
        for rows in (experts, agents):
            _bar(rows, len(barred))
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
        named, requested = sizes.named, sizes.requested
        seen = Scored(
            ids,
            sizes.ranked,
            named,
            requested,
            experts.p[self._rows.seen_by_rankers],
            self._count_pool.mix(experts.p[self._rows.count_pool]),
            float(self._count_pool.mix(experts.p_new[self._rows.count_pool])),
        )
        ranked = self._rankers.rank(seen, situation)
        rankers = ranked.rows
        _bar(rankers, sizes.barred)
        p = np.concatenate([experts.p[:, :requested], rankers.p, agents.p])
        p_new = np.concatenate([experts.p_new, rankers.p_new, agents.p_new])
        mixed: Floats = weights @ p
        raw = mixed[:named]
        rest = max(_TINY, 1.0 - float(raw.sum()))
        calibrated, calibrated_rest = self._temperature.apply(raw, rest)
        score = self._naming_score(p, calibrated, rankers.p[Head.ANY, :named], weights)
        order = self._name(ids[:named], score, situation.view)
        pool = np.concatenate([calibrated, mixed[named:] * (calibrated_rest / rest)])
        first_p, left = self._correct_first(pool, order)
        return Forecast(
            view=situation.view,
            ids=ids[:requested],
            n=named,
            p=p,
            p_new=p_new,
            pool=pool,
            pool_new=float(weights @ p_new) * calibrated_rest / rest * left,
            order=order,
            raw=raw,
            first_p=first_p,
            by_rankers=ranked,
            naming_score=score,
        )

    def _correct_first(self, pool: Floats, order: Ids) -> tuple[float, float]:
        """Correct the first guess's probability in ``pool``, the others in proportion; in place.

        Returns:
            What it was before, and the factor of everything else. Cost: O(m).
        """
        if not len(order):
            return 0.0, 1.0
        first = int(order[0])
        p = float(pool[first])
        corrected = self._first_guess.apply(p)
        left = (1.0 - corrected) / (1.0 - p) if corrected != p else 1.0
        pool *= left
        pool[first] = corrected
        return p, left

    def _naming_score(
        self, p: Floats, calibrated: Floats, named: Floats, weights: Floats
    ) -> Floats:
        """(n,): how likely the step holds each candidate, by pool, naming head and plain ranker.

        The plain ranker errs elsewhere, so together they name better than each alone (decisions
        0002 and 0041). For the part of the weight that agents have, the pool alone decides: no
        ranker sees what they say.
        """
        by_pool, by_head, by_plain = self._naming
        plain = p[self._rows.plain_ranker, : len(calibrated)]
        score = by_pool * calibrated + by_head * named + by_plain * plain
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
        is_ranked = known < len(forecast.by_rankers.features)
        hidden = forecast.ids[known[~is_ranked]].tolist()
        self._rankers.learn(forecast.by_rankers, known[is_ranked], hidden, outcome.members)
        shares = np.zeros(forecast.n + 1)
        shares[came] = 1.0 / outcome.members
        shares[-1] = 1.0 - len(came) / outcome.members
        self._temperature.learn(forecast.raw, max(_TINY, 1.0 - float(forecast.raw.sum())), shares)
        if forecast.n:
            self._first_guess.learn(forecast.first_p, float(shares[forecast.order[0]]))
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
        self._rankers.start_from(prior)

    def as_prior(self) -> Prior:
        """What another predictor may start from: no label, no count."""
        return self._rankers.as_prior()

    def forget(self, gone: frozenset[int]) -> None:
        self._recent.forget(gone)
        self._rankers.forget(gone)
        for expert in (*self._experts, *self._agents):
            expert.forget(gone)
        self._companions.forget(gone, lambda key: key_labels(key, 1))

    def state(self) -> Packed:
        return [part.state() for part in self._parts()]

    def load_state(self, packed: Packed) -> None:
        for part, state in zip(self._parts(), packed, strict=True):
            part.load_state(state)

    def _parts(self) -> list[Restorable]:
        learners: list[Restorable] = [self._companions, self._rankers]
        return [
            *self._experts,
            self._recent,
            *learners,
            self._count_pool,
            self.pool,
            self._temperature,
            self._first_guess,
            *self._agents,
        ]


class _Sizes(NamedTuple):
    """Of the labels of a forecast, from the first one on: how many the rankers see, how many are
    candidates, how many it is about, and how many cannot come.
    """

    ranked: int
    named: int
    requested: int
    barred: int


def _bar(scores: Distributions, barred: int) -> None:
    """Give the mass of the first ``barred`` labels to all others, in each row; in place."""
    if barred:
        left = np.maximum(_TINY, 1.0 - scores.p[:, :barred].sum(axis=1))
        scores.p[:, :barred] = 0.0
        scores.p[:] /= left[:, None]
        scores.p_new[:] /= left


def _unknown(name: str) -> UsageError:
    return UsageError(f"unknown expert: {name!r}", "only an agent that has entered can be named")
