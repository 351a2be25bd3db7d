"""All experts together: count experts in a pool, the rankers on top of it, and the pool of them
all.
"""

from collections.abc import Sequence
from itertools import islice
from typing import Protocol

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
from selflow.predict.forecast import Forecast, Outcome, SilentAnswer
from selflow.predict.linear import LinearRanker
from selflow.predict.memory import UserMemory
from selflow.predict.packing import Packed
from selflow.predict.pool import FixedSharePool
from selflow.predict.prior import Prior
from selflow.predict.ranker import Inputs, Rankers
from selflow.predict.recency import RecencyExpert
from selflow.predict.table import Floats, Ids, K, Table

RANKERS = ("ranker", "ranker_any")
_MAX_CANDIDATES = 64
_MAX_GUESTS = 32
_COMPANIONS = 30
_WEIGHED = 16
_NAMED = 8
_FIRMNESS = 3.0
_TINY = 1e-9


class Restorable(Protocol):
    """A part of the state."""

    def state(self) -> Packed: ...

    def load_state(self, packed: Packed) -> None: ...


class Ensemble:
    """Asks everybody, mixes, and tells everybody the outcome."""

    def __init__(self, *, is_shared: bool, alpha: float, extra: Sequence[Expert]) -> None:
        self._own = CountExperts((*OWN, *LONG))
        shared: list[Expert] = (
            [CountExperts(SHARED, "shared_", is_shared=True)] if is_shared else []
        )
        plain: list[Expert] = [] if is_shared else [LinearRanker()]
        self._experts: list[Expert] = [self._own, RecencyExpert(), *plain, *shared]
        self._guests: list[Expert] = []
        self._recent = RecentCounts()
        names = [name for expert in self._experts for name in expert.names]
        own, long = len(OWN) * K, len(LONG) * K
        self._rows = [*range(own), *range(own + long, len(names)), *range(own, own + long)]
        self.names = tuple(names[row] for row in self._rows)
        self._ranked = len(names) - long
        self._plain = self.names.index(plain[0].names[0]) if plain else None
        width = own + 1 + len(SHARED) * K
        self._featured = width if is_shared else own + 1
        self._blank = width - self._featured
        self._companions = Table(20_000, 128)
        self._rankers = Rankers(1 + width + STRUCTURAL)
        self._inputs = Inputs(1 + width + STRUCTURAL)
        self._count_pool = FixedSharePool(self.names[: self._ranked], alpha)
        self.pool = FixedSharePool((*self.names, *RANKERS), alpha)
        self._temperature = Temperature()
        for expert in extra:
            self.enter(expert)

    def enter(self, expert: Expert) -> None:
        """One more guest: the pool hears it, what the others learn does not depend on it. An agent
        begins with the counts of what came before it.
        """
        for name in expert.names:
            self.pool.add(name)
        if isinstance(expert, AgentExpert):
            expert.begin(self._recent)
        self._guests.append(expert)

    def leave(self, name: str) -> None:
        found = [guest for guest in self._guests if {name, PREFIX + name} & {*guest.names}]
        if not found:
            raise UsageError(
                f"no expert {name!r} has entered", f"{len(self._guests)} have: see expert_names"
            )
        for each in found[0].names:
            self.pool.archive(each)
        self._guests.remove(found[0])

    def weights(self, without: str | None = None) -> Floats:
        """The pool's weights, (experts + 2 + agents,); 0 for an expert that is left out, the others
        in proportion.
        """
        if without is None:
            return self.pool.weights
        names = self.pool.names
        found = [row for row, each in enumerate(names) if each in {without, PREFIX + without}]
        if not found or found[0] < len(self.names) + len(RANKERS):
            raise UsageError(f"no expert {without!r} has entered", "see expert_names")
        kept = self.pool.weights.copy()
        kept[found] = 0.0
        weights: Floats = kept / kept.sum()
        return weights

    def ask(
        self,
        view: View,
        memory: UserMemory,
        also: Sequence[int],
        barred: Sequence[int],
        without: str | None = None,
    ) -> Forecast:
        """Everybody's forecast on the candidates and on the labels in ``also``; changes nothing.

        ``barred`` labels are known not to come: their mass goes to all others in proportion. Who
        is left out by ``without`` is not asked and proposes nothing.
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
        agent_experts = [
            SilentAnswer(len(guest.names)) if left_out & {*guest.names} else guest.ask(view)
            for guest in self._guests
        ]
        more = (y for answer in agent_experts for y in answer.candidates())
        named = dict.fromkeys([*candidates, *more, *counts.leaders(LONG)])
        taken = dict.fromkeys(islice(named, n + _MAX_GUESTS))
        ids = np.array([*taken, *(y for y in also if y not in taken)], dtype=np.int64)
        scored = [answer.score(ids) for answer in (*answers, *agent_experts)]
        rows = [*self._rows, *range(len(self._rows), len(self.pool.names) - len(RANKERS))]
        p = np.concatenate([s[0] for s in scored])[rows]
        fresh = np.concatenate([s[1] for s in scored])[rows]
        _bar(p, fresh, len(barred))
        shares = self._own.self_shares(view, candidates)
        situation = Situation(view, memory, counts, companions, shares)
        return self._judge(ids, (n, len(taken)), (p, fresh), situation, len(barred), weights)

    def _judge(
        self,
        ids: Ids,
        sizes: tuple[int, int],
        said: tuple[Floats, Floats],
        situation: Situation,
        barred: int,
        weights: Floats,
    ) -> Forecast:
        (n, named), (p, fresh), own = sizes, said, len(self.names)
        pool = self._count_pool.mix(p[: self._ranked])
        pool_fresh = float(self._count_pool.mix(fresh[: self._ranked]))
        outside = max(_TINY, 1.0 - float(pool[:n].sum()))
        features = np.concatenate(
            [
                log_probability_features(pool[:n], p[: self._featured, :n]),
                np.zeros((n, self._blank)),
                structural_features(ids[:n], ids[:n].tolist(), situation),
            ],
            axis=1,
        )
        ranking = self._rankers.rank(self._inputs.of(features, outside))
        left = ranking.p[:, -1:] / outside
        rows = np.concatenate([ranking.p[:, :-1], pool[n:] * left], axis=1)
        more = left[:, 0] * pool_fresh
        _bar(rows, more, barred)
        p, fresh = (
            np.concatenate([p[:own], rows, p[own:]]),
            np.concatenate([fresh[:own], more, fresh[own:]]),
        )
        mixed: Floats = weights @ p
        raw = mixed[:named]
        rest = max(_TINY, 1.0 - float(raw.sum()))
        calm, calm_rest = self._temperature.apply(raw, rest)
        final = np.concatenate([calm, mixed[named:] * (calm_rest / rest)])
        final_fresh = float(weights @ fresh) * calm_rest / rest
        worth = self._worth(p, calm, rows[1, :named], weights)
        order = self._name(ids[:named], worth, situation.view)
        return Forecast(
            situation.view,
            ids,
            named,
            p,
            fresh,
            final,
            final_fresh,
            order,
            raw,
            features,
            ranking,
            worth,
        )

    def _worth(self, p: Floats, calm: Floats, named: Floats, weights: Floats) -> Floats:
        """What naming each candidate first is worth: half by pool and naming head, half by the
        plain ranker.

        The plain ranker errs elsewhere, so together they name better than each alone (decision
        0002). What the pool trusts agent_experts with, they name with: no ranker has heard them.
        """
        both = (calm + named) / 2.0
        worth = both if self._plain is None else (both + p[self._plain, : len(calm)]) / 2.0
        return worth + float(weights[len(self.names) + len(RANKERS) :].sum()) * (calm - worth)

    def _name(self, ids: Ids, worth: Floats, view: View) -> Ids:
        """The order in which to name candidates so that early on one of the step's members is
        named.

        Greedy: a candidate that mostly comes together with one named already adds little, so it is
        worth only the part of its steps without that one. On steps of one label this is the order
        of ``worth``.
        """
        order = np.argsort(-worth, kind="stable")
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
        value = {i: float(worth[i]) for i in left}
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
        """Tell everybody what came. ``members``: all its labels as ids, the known ones first."""
        places = forecast.places(outcome.known)
        p = np.concatenate([forecast.p[:, places], forecast.fresh[:, None]], axis=1)
        counts = np.array([1.0] * len(places) + [outcome.fresh])
        self._count_pool.learn(p[: self._ranked], counts)
        self.pool.learn(p, counts)
        came = places[places < forecast.n]
        self._rankers.learn(forecast.ranking, came[came < len(forecast.features)], outcome.members)
        self._inputs.learn(forecast.features)
        shares = np.zeros(forecast.n + 1)
        shares[came] = 1.0 / outcome.members
        shares[-1] = 1.0 - len(came) / outcome.members
        self._temperature.learn(forecast.raw, max(_TINY, 1.0 - float(forecast.raw.sum())), shares)
        self._recent.learn(forecast.view, members, outcome.fresh)
        for expert in (*self._experts, *self._guests):
            expert.learn(forecast.view, members, outcome.fresh)
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
        for expert in (*self._experts, *self._guests):
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
            *self._guests,
        ]


def _bar(p: Floats, fresh: Floats, barred: int) -> None:
    """Give the mass of the first ``barred`` labels to all others; in place."""
    if barred:
        left = np.maximum(_TINY, 1.0 - p[:, :barred].sum(axis=1))
        p[:, :barred] = 0.0
        p /= left[:, None]
        fresh /= left
