"""The plain ranker: a linear softmax over its own candidates, one Adagrad step per event.

It sees little (decayed counts, age, followers, companions, names) and keeps its own undecayed
tables, so it errs elsewhere than the Newton rankers, which see what the count experts say. Its
features and its pace are those of the first design; nothing was tuned. Source: Adagrad, Duchi et
al. 2011.
"""

import math
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import islice

import numpy as np

from selflow.predict.experts import ListedAnswer, View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats
from selflow.predict.vocabulary import common_traits


class Column(IntEnum):
    """The features of one candidate; the products with gap and size of the last step come last."""

    COUNT_20 = 0
    COUNT_100 = 1
    COUNT_1000 = 2
    LOG_AGE = 3
    INVERSE_AGE = 4
    INVERSE_RANK = 5
    BEST_FOLLOWER = 6
    MEAN_FOLLOWER = 7
    COMPANION = 8
    IS_LAST = 9
    IS_BEFORE = 10
    SAME_FOLDER = 11
    SAME_EXTENSION = 12
    LIKENESS = 13
    LOG_KNOWN_FOR = 14
    FIRST_WITH_GAP = 15
    FIRST_WITH_SIZE = 20


WIDTH = Column.FIRST_WITH_SIZE + 3
_WITH_GAP = [
    Column.IS_LAST,
    Column.BEST_FOLLOWER,
    Column.LIKENESS,
    Column.INVERSE_AGE,
    Column.COMPANION,
]
_WITH_SIZE = [Column.IS_LAST, Column.BEST_FOLLOWER, Column.LIKENESS]
_HALF_LIVES = (20.0, 100.0, 1000.0)
_MIDDLE = 1
"""The half-life by which the hottest labels are chosen."""
_LAST_STEP, _FIRST_STEP = 3, 4
"""Columns of ``_Past.counts`` behind those of the half-lives."""
_RATES: Floats = -1.0 / np.array(_HALF_LIVES)[:, None]
_PACE = 0.1
"""Adagrad's learning rate."""
_RATE_DECAY = 2.0 ** (-1 / 500)
_RECENT, _HOT, _FOLLOWERS, _COMPANIONS, _MOST = 25, 20, 8, 5, 80
"""Candidates: the last used, the most used, followers and companions of each member of the last
step, and all together.
"""
_MEMBERS = 30
"""Members of a step that count as followers and companions of each other."""
_NEAR = 10
"""Members of the last step whose names are compared."""
_FLOOR_SHARE = 0.01
"""Added to shares before their logarithm, so that never and almost never are close."""
_ROW_LABELS = 128
"""A row that grows beyond twice this many labels keeps the strongest."""

Row = dict[int, float]


class _Past:
    """One user's undecayed tables; label ids only."""

    def __init__(self) -> None:
        self.steps = 0
        # By label: its decayed count per half-life, last step, first step
        self.counts: dict[int, list[float]] = {}
        self.follow: dict[int, Row] = {}
        self.followed: Row = {}
        self.together: dict[int, Row] = {}
        self.uses: Row = {}
        self.hot: list[int] = []

    def learn(self, last: Sequence[int], members: Sequence[int]) -> None:
        now = self.steps
        for y in members:
            row = self.counts.setdefault(y, [0.0, 0.0, 0.0, now, now])
            for k, half_life in enumerate(_HALF_LIVES):
                row[k] = row[k] * 2.0 ** (-(now - row[_LAST_STEP]) / half_life) + 1.0
            row[_LAST_STEP] = now
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
        return float(row[_MIDDLE] * 2.0 ** ((row[_LAST_STEP] - self.steps) / _HALF_LIVES[_MIDDLE]))

    def forget(self, gone: frozenset[int]) -> None:
        for table in (self.counts, self.follow, self.followed, self.together, self.uses):
            for y in gone:
                table.pop(y, None)
        for rows in (self.follow, self.together):
            for row in rows.values():
                for y in [y for y in row if y in gone]:
                    del row[y]
        self.hot = [y for y in self.hot if y not in gone]

    def state(self) -> Packed:
        rows = [
            [[y, list(row.items())] for y, row in table.items()]
            for table in (self.follow, self.together)
        ]
        flat = [list(table.items()) for table in (self.followed, self.uses)]
        return [self.steps, list(self.counts.items()), *rows, *flat, self.hot]

    @classmethod
    def load_state(cls, packed: Packed) -> "_Past":
        past = cls()
        past.steps, counts, follow, together, followed, uses, past.hot = packed
        past.counts = {y: list(row) for y, row in counts}
        past.followed, past.uses = dict(followed), dict(uses)
        past.follow, past.together = (
            {y: dict(row) for y, row in table} for table in (follow, together)
        )
        return past


class LinearRanker:
    """An expert: its softmax over at most 80 candidates, the rest evenly over the other known
    labels, and NEW.
    """

    def __init__(self) -> None:
        self.names = ("ranker_plain",)
        self._weights: Floats = np.zeros(WIDTH)
        self._squares: Floats = np.full(WIDTH, 0.1)
        # Decayed sums: of the parts of steps that were new, and known but no candidate; of steps
        self._rates: Floats = np.array([0.5, 0.5, 1.0])
        self._users: dict[int, _Past] = {}
        # A step is learned from the answer to the same view
        self._last_view: View | None = None
        self._last_answer: LinearAnswer | None = None

    def ask(self, view: View) -> "LinearAnswer":
        if self._last_answer is None or self._last_view is not view:
            self._last_view, self._last_answer = view, self._answer(view)
        return self._last_answer

    def _answer(self, view: View) -> "LinearAnswer":
        past = self._users.get(view.user)
        candidates = _candidates(past, view) if past is not None else []
        features = (
            _features(past, view, candidates)
            if past is not None and candidates
            else np.zeros((0, WIDTH))
        )
        scores = features @ self._weights
        grown = np.exp(scores - scores.max(initial=0.0))
        new, missed, steps = self._rates.tolist()
        shares = grown / max(float(grown.sum()), 1e-300)
        known = len(view.vocabulary)
        return LinearAnswer(candidates, features, shares, new / steps, missed / steps, known)

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        """One Adagrad step towards the members among the candidates, then the tables.

        Cost: O(candidates width).
        """
        answer = self.ask(view)
        known = members[: len(members) - n_new]
        came = [index for y in known if (index := answer.index_of.get(y)) is not None]
        if came:
            error = answer.shares.copy()
            error[came] -= 1.0 / len(came)
            slope = answer.features.T @ error
            self._squares += slope * slope
            self._weights = self._weights - _PACE * slope / np.sqrt(self._squares)
        self._rates = self._rates * _RATE_DECAY + np.array(
            [n_new / len(members), (len(known) - len(came)) / len(members), 1.0]
        )
        self._users.setdefault(view.user, _Past()).learn(view.last, members)
        self._last_view = self._last_answer = None

    def forget(self, gone: frozenset[int]) -> None:
        self._last_view = self._last_answer = None
        for past in self._users.values():
            past.forget(gone)

    def state(self) -> Packed:
        arrays = [pack_array(x) for x in (self._weights, self._squares, self._rates)]
        return [*arrays, [[user, past.state()] for user, past in self._users.items()]]

    def load_state(self, packed: Packed) -> None:
        weights, squares, rates, users = packed
        self._weights, self._squares, self._rates = (
            unpack_array(x) for x in (weights, squares, rates)
        )
        self._users = {user: _Past.load_state(past) for user, past in users}
        self._last_view = self._last_answer = None


class LinearAnswer(ListedAnswer):
    """The softmax over n candidates, with what learning from it needs."""

    def __init__(
        self,
        candidates: list[int],
        features: Floats,
        shares: Floats,
        p_new: float,
        p_missed: float,
        known: int,
    ) -> None:
        """``features`` (n, WIDTH), ``shares`` (n,) summing to 1; ``p_missed`` is the probability
        of a known label that is no candidate, of ``known`` labels in all.
        """
        self.features, self.shares = features, shares
        self.index_of = {y: index for index, y in enumerate(candidates)}
        others = known - len(candidates)
        mass = max(0.0, 1.0 - p_new) if known else 0.0
        outside = min(mass, p_missed) if candidates else mass
        curve = np.append(shares * (mass - (outside if others else 0.0)), outside / max(1, others))
        proposed = [
            candidates[index] for index in np.argsort(-shares, kind="stable")[:_HOT].tolist()
        ]
        super().__init__(self.index_of, curve, p_new if known else 1.0, proposed)


def _candidates(past: _Past, view: View) -> list[int]:
    proposed = dict.fromkeys([*past.hot, *view.recent[:_RECENT]])
    for a in view.last:
        proposed |= dict.fromkeys(_strongest(past.follow.get(a, {}), _FOLLOWERS))
        proposed |= dict.fromkeys(_strongest(past.together.get(a, {}), _COMPANIONS))
    proposed |= dict.fromkeys(view.last)
    return [y for y in islice(proposed, _MOST) if y in past.counts]


def _features(past: _Past, view: View, candidates: Sequence[int]) -> Floats:
    """What this user's past tells of each candidate.

    Returns:
        (n, WIDTH): the columns of ``Column``: fifteen plain features, then what gap and size of the
        last step do to membership, followers, names, age and companions.

    Cost: O(n members of the last step).
    """
    last, before, rank = view.last, view.before, view.rank
    vocabulary = view.vocabulary
    ids = np.array(candidates, dtype=np.int64)
    _, folders, extensions = common_traits(vocabulary, ids, last)
    counts = np.array(list(zip(*[past.counts[y] for y in candidates], strict=True)))
    age = past.steps - counts[_LAST_STEP]
    shares = _ratios(past.follow, past.followed, last, candidates)
    company = _ratios(past.together, past.uses, last, candidates)
    features = np.empty((WIDTH, len(candidates)))
    decayed = counts[: len(_HALF_LIVES)] * np.exp2(_RATES * age)
    features[Column.COUNT_20 : Column.COUNT_1000 + 1] = np.log1p(decayed)
    features[Column.LOG_AGE] = np.log(age)
    features[Column.INVERSE_AGE] = 1.0 / age
    features[Column.INVERSE_RANK] = [1.0 / (1.0 + rank.get(y, len(rank))) for y in candidates]
    features[Column.BEST_FOLLOWER] = np.log(shares.max(axis=0) + _FLOOR_SHARE)
    features[Column.MEAN_FOLLOWER] = np.log(shares.sum(axis=0) / len(shares) + _FLOOR_SHARE)
    features[Column.COMPANION] = np.log(company.max(axis=0) + _FLOOR_SHARE)
    features[Column.IS_LAST] = [y in last for y in candidates]
    features[Column.IS_BEFORE] = [y in before for y in candidates]
    features[Column.SAME_FOLDER] = folders
    features[Column.SAME_EXTENSION] = extensions
    features[Column.LIKENESS] = vocabulary.likeness(candidates, last[:_NEAR])
    features[Column.LOG_KNOWN_FOR] = np.log1p(past.steps - counts[_FIRST_STEP])
    features[Column.FIRST_WITH_GAP : Column.FIRST_WITH_SIZE] = features[_WITH_GAP] * view.gap
    features[Column.FIRST_WITH_SIZE :] = features[_WITH_SIZE] * math.log1p(len(last))
    return features.T


def _ratios(
    table: dict[int, Row], uses: Row, last: Sequence[int], candidates: Sequence[int]
) -> Floats:
    """(members of the last step, n): how often each candidate came with a member, by how often that
    was used.
    """
    rows = [(table.get(a, {}), uses.get(a, 0.0) + 1.0) for a in last] or [({}, 1.0)]
    return np.array(
        [[row[y] / weight if y in row else 0.0 for y in candidates] for row, weight in rows]
    )


def _add(row: Row, labels: Iterable[int]) -> None:
    for y in labels:
        row[y] = row.get(y, 0.0) + 1.0
    if len(row) > 2 * _ROW_LABELS:
        retained = frozenset(_strongest(row, _ROW_LABELS))
        for y in [y for y in row if y not in retained]:
            del row[y]


def _strongest(row: Row, limit: int) -> list[int]:
    return sorted(row, key=row.__getitem__, reverse=True)[:limit]
