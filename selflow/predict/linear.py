"""The plain ranker: a linear softmax over its own candidates, one Adagrad step per event.

It sees little (decayed counts, age, followers, companions, names) and keeps its own undecayed tables, so it errs
elsewhere than the Newton rankers, which see what the count experts say. Its features and its pace are those of the
first design; nothing was tuned. Source: Adagrad, Duchi et al. 2011.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from selflow.predict.experts import View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats, Ids

WIDTH = 23
_HALF_LIVES = (20.0, 100.0, 1000.0)
_PACE = 0.1
_RATE_DECAY = 2.0 ** (-1 / 500)
_RECENT, _HOT, _FOLLOWERS, _COMPANIONS, _MOST = 25, 20, 8, 5, 80
_MEMBERS = 30
_NEAR = 10
_ROW_LABELS = 128
"""A row that grows beyond twice this many labels keeps the strongest."""

Row = dict[int, float]


class _Past:
    """One user's undecayed tables; label ids only."""

    def __init__(self) -> None:
        self.steps = 0
        self.counts: dict[int, list[float]] = {}  # label -> decayed count per half-life, last step, first step
        self.follow: dict[int, Row] = {}
        self.followed: Row = {}
        self.together: dict[int, Row] = {}
        self.uses: Row = {}
        self.hot: list[int] = []

    def learn(self, last: Sequence[int], members: Sequence[int]) -> None:
        """A step came."""
        now = self.steps
        for y in members:
            row = self.counts.setdefault(y, [0.0, 0.0, 0.0, now, now])
            for k, half_life in enumerate(_HALF_LIVES):
                row[k] = row[k] * 2.0 ** (-(now - row[3]) / half_life) + 1.0
            row[3] = now
        group = members[:_MEMBERS]
        for a in last:
            self.followed[a] = self.followed.get(a, 0.0) * 0.99 + 1.0
            _add(self.follow.setdefault(a, {}), group)
        for a in group:
            self.uses[a] = self.uses.get(a, 0.0) + 1.0
            if len(group) > 1:
                _add(self.together.setdefault(a, {}), (y for y in group if y != a))
        pool = dict.fromkeys([*self.hot, *members])
        self.hot = sorted(pool, key=self._heat, reverse=True)[:_HOT]
        self.steps = now + 1

    def _heat(self, y: int) -> float:
        row = self.counts[y]
        return float(row[1] * 2.0 ** ((row[3] - self.steps) / _HALF_LIVES[1]))

    def forget(self, gone: frozenset[int]) -> None:
        for table in (self.counts, self.follow, self.followed, self.together, self.uses):
            for y in gone:
                table.pop(y, None)
        for rows in (self.follow, self.together):
            for row in rows.values():
                for y in gone & row.keys():
                    del row[y]
        self.hot = [y for y in self.hot if y not in gone]

    def dump(self) -> Packed:
        rows = [[[y, list(row.items())] for y, row in table.items()] for table in (self.follow, self.together)]
        flat = [list(table.items()) for table in (self.followed, self.uses)]
        return [self.steps, list(self.counts.items()), *rows, *flat, self.hot]

    @classmethod
    def restore(cls, packed: Packed) -> "_Past":
        past = cls()
        past.steps, counts, follow, together, followed, uses, past.hot = packed
        past.counts = {y: list(row) for y, row in counts}
        past.follow = {y: {k: v for k, v in row} for y, row in follow}  # noqa: C416  (pairs come as lists)
        past.together = {y: {k: v for k, v in row} for y, row in together}  # noqa: C416
        past.followed, past.uses = {k: v for k, v in followed}, {k: v for k, v in uses}  # noqa: C416
        return past


class LinearRanker:
    """An expert: its softmax over at most 80 candidates, the rest evenly over the other known labels, and NEW."""

    def __init__(self) -> None:
        self._weights: Floats = np.zeros(WIDTH)
        self._squares: Floats = np.full(WIDTH, 0.1)
        self._rates: Floats = np.array([0.5, 0.5, 1.0])  # NEW, not a candidate, steps
        self._users: dict[int, _Past] = {}
        self._asked: tuple[View, LinearAnswer] | None = None  # learning a step follows asking for it

    @property
    def names(self) -> tuple[str, ...]:
        return ("ranker_plain",)

    def ask(self, view: View) -> "LinearAnswer":
        """Candidates, their features and their probabilities."""
        if self._asked is None or self._asked[0] is not view:
            self._asked = view, self._answer(view)
        return self._asked[1]

    def _answer(self, view: View) -> "LinearAnswer":
        past = self._users.get(view.user)
        candidates = _candidates(past, view) if past is not None else []
        features = _features(past, view, candidates) if past is not None and candidates else np.zeros((0, WIDTH))
        scores = features @ self._weights
        grown = np.exp(scores - scores.max(initial=0.0))
        fresh, other = (float(rate / self._rates[2]) for rate in self._rates[:2])
        shares = grown / max(float(grown.sum()), 1e-300)
        return LinearAnswer(candidates, features, shares, fresh, other, len(view.vocabulary))

    def learn(self, view: View, members: Sequence[int], fresh: int) -> None:
        """One Adagrad step towards the members among the candidates, then the tables."""
        answer = self.ask(view)
        known = members[: len(members) - fresh]
        came = [place for y in known if (place := answer.places.get(y)) is not None]
        if came:
            error = answer.shares.copy()
            error[came] -= 1.0 / len(came)
            slope = answer.features.T @ error
            self._squares += slope * slope
            self._weights = self._weights - _PACE * slope / np.sqrt(self._squares)
        self._rates = self._rates * _RATE_DECAY + np.array(
            [fresh / len(members), (len(known) - len(came)) / len(members), 1.0]
        )
        self._users.setdefault(view.user, _Past()).learn(view.last, members)
        self._asked = None

    def forget(self, gone: frozenset[int]) -> None:
        """Take labels out."""
        self._asked = None
        for past in self._users.values():
            past.forget(gone)

    def dump(self) -> Packed:
        arrays = [pack_array(x) for x in (self._weights, self._squares, self._rates)]
        return [*arrays, [[user, past.dump()] for user, past in self._users.items()]]

    def restore(self, packed: Packed) -> None:
        """Take over a dumped ranker."""
        weights, squares, rates, users = packed
        self._weights, self._squares, self._rates = (unpack_array(x) for x in (weights, squares, rates))
        self._users = {user: _Past.restore(past) for user, past in users}
        self._asked = None


class LinearAnswer:
    """One opinion."""

    def __init__(
        self, candidates: list[int], features: Floats, shares: Floats, fresh: float, other: float, known: int
    ) -> None:
        self.features = features
        self.shares = shares
        self.places = {y: place for place, y in enumerate(candidates)}
        self._candidates = candidates
        others = known - len(candidates)
        self._fresh = fresh if known else 1.0
        mass = max(0.0, 1.0 - self._fresh)
        outside = min(mass, other) if candidates else mass
        self._other = outside / others if others > 0 else 0.0
        self._mass = mass - (outside if others else 0.0)

    def candidates(self) -> Sequence[int]:
        order = np.argsort(-self.shares, kind="stable")[:_HOT]
        return [self._candidates[place] for place in order.tolist()]

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        curve = np.append(self.shares * self._mass, self._other)
        end = len(self._candidates)
        places = np.array([self.places.get(y, end) for y in ids.tolist()], dtype=np.int64)
        return curve[places][None], np.array([self._fresh])


def _candidates(past: _Past, view: View) -> list[int]:
    found = dict.fromkeys([*past.hot, *view.recent[:_RECENT]])
    for a in view.last:
        found |= dict.fromkeys(_strongest(past.follow.get(a, {}), _FOLLOWERS))
        found |= dict.fromkeys(_strongest(past.together.get(a, {}), _COMPANIONS))
    found |= dict.fromkeys(view.last)
    return [y for y in islice(found, _MOST) if y in past.counts]


def _features(past: _Past, view: View, candidates: Sequence[int]) -> Floats:
    """(n, WIDTH): fifteen plain features and eight products of them with gap and size of the last step."""
    last, before = view.last, frozenset(view.before)
    inside = frozenset(last)
    rank = {y: place for place, y in enumerate(view.recent)}
    vocabulary = view.vocabulary
    around = [vocabulary.traits(a) for a in last]
    folders, extensions = {t.folder for t in around}, {t.extension for t in around}
    rows = [(a, past.follow.get(a, {}), past.followed.get(a, 0.0) + 1.0) for a in last]
    groups = [(a, past.together.get(a, {}), past.uses.get(a, 0.0) + 1.0) for a in last]
    made = []
    for y in candidates:
        count = past.counts[y]
        age = past.steps - count[3]
        decayed = [math.log1p(count[k] * 2.0 ** (-age / h)) for k, h in enumerate(_HALF_LIVES)]
        shares = [row.get(y, 0.0) / weight for _, row, weight in rows] or [0.0]
        best, mean = math.log(max(shares) + 0.01), math.log(sum(shares) / len(shares) + 0.01)
        company = math.log(max((row.get(y, 0.0) / n for a, row, n in groups if a != y), default=0.0) + 0.01)
        like = max((vocabulary.likeness(y, a) for a in last[:_NEAR] if a != y), default=0.0)
        own = vocabulary.traits(y)
        place = 1.0 / (1.0 + rank.get(y, len(rank)))
        near = [float(own.folder in folders), float(own.extension in extensions), like]
        was = [float(y in inside), float(y in before)]
        since = math.log1p(past.steps - count[4])
        made.append([*decayed, math.log(age), 1.0 / age, place, best, mean, company, *was, *near, since])
    base = np.array(made)
    # The products: what gap and size of the last step do to membership, followers, names, age and companions.
    gap, size = _gap(view), math.log1p(len(last))
    return np.concatenate([base, base[:, [9, 6, 13, 4, 8]] * gap, base[:, [9, 6, 13]] * size], axis=1)


def _gap(view: View) -> float:
    since_us = 0 if view.last_us is None else view.now_us - view.last_us
    return math.log1p(max(0.0, since_us / 1e6)) / 10.0


def _add(row: Row, labels: Iterable[int]) -> None:
    for y in labels:
        row[y] = row.get(y, 0.0) + 1.0
    if len(row) > 2 * _ROW_LABELS:
        kept = frozenset(_strongest(row, _ROW_LABELS))
        for y in [y for y in row if y not in kept]:
            del row[y]


def _strongest(row: Row, limit: int) -> list[int]:
    return sorted(row, key=row.__getitem__, reverse=True)[:limit]
