"""Decayed counts of labels per context, at three half-lives at once."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from selflow.predict.packing import Packed, pack_array, unpack_array

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

HALF_LIVES = (20, 100, 1000)
"""In visits of the context: after so many, a count is worth half."""
K = len(HALF_LIVES)
_RATES = 1.0 / np.array(HALF_LIVES, dtype=np.float64)
_REBASE_VISITS = 10_000  # 2^(10,000 / 20) is still a double
_LEADERS = 32
_TOTAL, _EVENTS, _FRESH = range(3)


class Row:
    """What came in one context. Stored values grow instead of ageing (forward decay).

    A count worth ``v`` now is stored as ``v * 2^(clock / half_life)``: only labels that come are touched, the
    others keep their order. ``sums`` is (3, K): all entries; all members that came; those of them that were new.
    """

    __slots__ = ("clock", "ids", "leaders", "n", "slots", "sums", "touched", "values")

    def __init__(self, has_leaders: bool) -> None:  # noqa: FBT001 - private to this module
        self.clock = 0
        self.touched = 0
        self.n = 0
        self.ids: Ids = np.empty(4, np.int64)
        self.values: Floats = np.empty((4, K))
        self.sums: Floats = np.zeros((3, K))
        self.slots: dict[int, int] = {}
        self.leaders: list[list[int]] | None = [[] for _ in range(K)] if has_leaders else None

    def add(self, members: Sequence[int], weight: float, fresh_events: int) -> None:
        """One visit: every member counts ``weight``."""
        if self.clock >= _REBASE_VISITS:
            self._rebase()
        self.clock += 1
        grown = np.exp2(self.clock * _RATES) * weight
        places = self._places(members)
        self.values[places] += grown
        self.sums[:_FRESH] += len(members) * grown
        if fresh_events:
            self.sums[_FRESH] += fresh_events * grown
        if self.leaders is not None:
            self.leaders = [self._lead(k, old, places) for k, old in enumerate(self.leaders)]

    def keep(self, limit_entries: int) -> None:
        """Keep the entries that are strongest at the longest half-life; ties go to the one that came first."""
        order = np.argsort(-self.values[: self.n, K - 1], kind="stable")
        self._restrict(np.sort(order[:limit_entries]))

    def forget(self, gone: frozenset[int]) -> None:
        """Take labels out."""
        if not gone.isdisjoint(self.slots):
            self._restrict(np.array([i for i in range(self.n) if int(self.ids[i]) not in gone], np.int64))

    def strongest(self, k: int, limit: int) -> list[int]:
        """Labels with the largest counts at half-life ``k``; only for rows with leaders."""
        if self.leaders is None:
            return []
        return [int(y) for y in self.ids[self.leaders[k][:limit]]]

    def worth(self, label: int) -> float:
        """The decayed count of one label at the longest half-life."""
        place = self.slots.get(label)
        return 0.0 if place is None else float(self.values[place, K - 1]) * self._longest()

    def total_worth(self) -> float:
        """The decayed count of all labels at the longest half-life."""
        return float(self.sums[_TOTAL, K - 1]) * self._longest()

    def _longest(self) -> float:
        return float(2.0 ** (-self.clock / HALF_LIVES[-1]))

    def _places(self, members: Sequence[int]) -> list[int]:
        slots = self.slots
        places = []
        for y in members:
            place = slots.get(y)
            if place is None:
                place = self.n
                if place == len(self.ids):
                    self.ids = np.concatenate([self.ids, np.empty(max(4, place), np.int64)])
                    self.values = np.concatenate([self.values, np.empty((max(4, place), K))])
                slots[y] = place
                self.ids[place] = y
                self.values[place] = 0.0
                self.n += 1
            places.append(place)
        return places

    def _lead(self, k: int, old: list[int], places: list[int]) -> list[int]:
        # A count only ever grows against the others when its label comes: the leaders are exact.
        pool = old + [place for place in places if place not in old]
        return [pool[i] for i in np.argsort(-self.values[pool, k], kind="stable")[:_LEADERS].tolist()]

    def _restrict(self, kept: Ids) -> None:
        self.ids = self.ids[kept]
        self.values = self.values[kept]
        self.n = len(kept)
        self.slots = {int(y): i for i, y in enumerate(self.ids)}
        self.sums[_TOTAL] = self.values.sum(axis=0)
        if self.leaders is not None:
            orders = np.argsort(-self.values, axis=0, kind="stable")[:_LEADERS]
            self.leaders = [orders[:, k].tolist() for k in range(K)]

    def _rebase(self) -> None:
        worth = np.exp2(-self.clock * _RATES)
        self.values[: self.n] *= worth
        self.sums *= worth
        self.clock = 0

    def dump(self) -> Packed:
        body = [pack_array(self.ids[: self.n]), pack_array(self.values[: self.n]), pack_array(self.sums)]
        return [self.clock, self.touched, *body, self.leaders]

    @classmethod
    def restore(cls, packed: Packed) -> "Row":
        clock, touched, ids, values, sums, leaders = packed
        row = cls(leaders is not None)
        row.clock, row.touched = clock, touched
        row.ids, row.values, row.sums = unpack_array(ids), unpack_array(values), unpack_array(sums)
        row.n = len(row.ids)
        row.slots = {int(y): i for i, y in enumerate(row.ids)}
        row.leaders = leaders
        return row


class Evidence:
    """What the rows of a step's contexts say together: the mean over the contexts, row by row.

    For one context with counts N and lower distribution q: p(y) = (N(y) + q(y)) / (N + 1), one pseudo-count of
    escape. ``escape`` is the weight left to q, ``fresh`` and ``fresh_escape`` are the same for NEW.
    """

    __slots__ = ("_parts", "_scratch", "escape", "fresh", "fresh_escape")

    def __init__(self, rows: Sequence[Row], missing: int, scratch: Floats) -> None:
        m = len(rows) + missing
        self._scratch = scratch
        self._parts: list[tuple[Ids, Floats]] = []
        if not rows:
            self.escape = self.fresh_escape = np.ones(K)
            self.fresh = np.zeros(K)
            return
        if m == 1:
            self._one(rows[0])
        else:
            self._many(rows, missing)

    def _one(self, row: Row) -> None:
        worth = np.exp2(-row.clock * _RATES)
        left = 1.0 / (row.sums * worth + 1.0)
        self.escape, self.fresh_escape = left[_TOTAL], left[_EVENTS]
        self.fresh = row.sums[_FRESH] * worth * self.fresh_escape
        self._parts = [(row.ids[: row.n], row.values[: row.n] * (worth * self.escape))]

    def _many(self, rows: Sequence[Row], missing: int) -> None:
        m = len(rows) + missing
        worth = np.exp2(np.array([[-row.clock] for row in rows]) * _RATES)
        sums = np.array([row.sums for row in rows]) * worth[:, None, :]
        left = 1.0 / (sums[:, _TOTAL] + 1.0)
        seen = 1.0 / (sums[:, _EVENTS] + 1.0)
        share = worth * left / m
        self._parts = [(row.ids[: row.n], row.values[: row.n] * share[i]) for i, row in enumerate(rows)]
        self.escape = (left.sum(axis=0) + missing) / m
        self.fresh_escape = (seen.sum(axis=0) + missing) / m
        self.fresh = (sums[:, _FRESH] * seen).sum(axis=0) / m

    def shares(self, ids: Ids) -> Floats:
        """(n, K): how much of the distribution the rows themselves give to each label."""
        scratch = self._scratch
        for seen, values in self._parts:
            scratch[seen] += values
        found: Floats = scratch[ids]
        for seen, _ in self._parts:
            scratch[seen] = 0.0
        return found

    def best(self, ids: Ids, contexts: int) -> Floats:
        """(n,): the largest share that any one context gives to each label, at the longest half-life."""
        scratch = self._scratch
        for seen, values in self._parts:
            scratch[seen, 0] = np.maximum(scratch[seen, 0], values[:, K - 1])
        found: Floats = scratch[ids, 0] * contexts
        for seen, _ in self._parts:
            scratch[seen, 0] = 0.0
        return found

    def leaders(self, limit: int, k: int = 1) -> list[int]:
        """The labels with the largest shares at half-life ``k``, best first."""
        if not self._parts:
            return []
        ids = self._parts[0][0] if len(self._parts) == 1 else np.unique(np.concatenate([p[0] for p in self._parts]))
        values = self._parts[0][1] if len(self._parts) == 1 else self.shares(ids)
        order = np.argsort(-values[:, k], kind="stable")[:limit]
        found: list[int] = ids[order].tolist()
        return found


class Table:
    """Rows by context key, bounded: a row keeps its strongest labels, the table its latest rows."""

    def __init__(self, max_rows: int, max_entries: int | None) -> None:
        self._max_rows = max_rows
        self._max_entries = max_entries
        self._rows: dict[int, Row] = {}
        self._scratch: Floats = np.zeros((1024, K))
        self._tick = 0

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, key: int) -> Row | None:
        """The row of one context."""
        return self._rows.get(key)

    def evidence(self, keys: Sequence[int], known: int) -> Evidence:
        """What these contexts say. ``known``: one more than the largest label id."""
        if known > len(self._scratch):
            self._scratch = np.zeros((2 * known, K))
        rows = [row for row in map(self._rows.get, keys) if row is not None]
        return Evidence(rows, len(keys) - len(rows), self._scratch)

    def learn(self, keys: Iterable[int], members: Sequence[int], weight: float, fresh_events: int) -> None:
        """Count one step in each of its contexts."""
        self._tick += 1
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = Row(self._max_entries is None)
            row.touched = self._tick
            row.add(members, weight, fresh_events)
            if self._max_entries is not None and row.n > self._max_entries:
                row.keep(self._max_entries * 3 // 4)
        if len(self._rows) > self._max_rows:
            stale = sorted(self._rows.items(), key=lambda item: (item[1].touched, item[0]))
            for key, _ in stale[: self._max_rows // 4]:
                del self._rows[key]

    def forget(self, gone: frozenset[int], key_labels: Callable[[int], Iterable[int]]) -> None:
        """Take labels out of all rows, and the rows whose context names one (``key_labels``)."""
        for key in [key for key in self._rows if not gone.isdisjoint(key_labels(key))]:
            del self._rows[key]
        for row in self._rows.values():
            row.forget(gone)

    def dump(self) -> Packed:
        return [self._tick, [[key, row.dump()] for key, row in self._rows.items()]]

    def restore(self, packed: Packed) -> None:
        """Take over a dumped table; limits stay those of this one."""
        self._tick, rows = packed
        self._rows = {key: Row.restore(row) for key, row in rows}
