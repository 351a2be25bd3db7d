"""Decayed counts of labels per context, at three half-lives at once."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from selflow.predict.packing import Packed, pack_array, unpack_array

Floats = NDArray[np.float64]
Ids = NDArray[np.int64]

HALF_LIVES = (20, 100, 1000)
"""In visits of the context: after so many, a count has half its weight. Three, so that the pool can
choose between a short memory and a long one.
"""
K = len(HALF_LIVES)
_RATES = 1.0 / np.array(HALF_LIVES, dtype=np.float64)
_REBASE_VISITS = 10_000  # 2^(10,000 / 20) is still a double
_GROWN: Floats = np.exp2(np.arange(_REBASE_VISITS + 1)[:, None] * _RATES)
_DECAY: Floats = 1.0 / _GROWN
_LONGEST: list[float] = _DECAY[:, K - 1].tolist()
_SMALL = 256
"""Above so many entries labels are looked up one by one instead of adding up the whole row."""
_LEADERS = 32
"""Strongest labels that a row without a bound keeps in order; more than any caller asks for."""
_TOTAL, _MEMBERS, _NEW = range(3)
"""The rows of ``Row.sums``."""


class Row:
    """What came in one context. Stored values grow instead of ageing (forward decay).

    A decayed count ``v`` is stored as ``v * 2^(clock / half_life)``: only labels that come are
    touched, the others keep their order. ``ids`` (n,) are the labels, ``values`` (n + 1, K) their
    stored counts and a row of zeros, ``sums`` (3, K) those of all entries, of all members that
    came, and of those members that were new. All are stored in the same way.

    Source: forward decay, Cormode et al. 2009.
    """

    __slots__ = ("clock", "ids", "leaders", "n", "slots", "sums", "touched", "values")

    def __init__(self, has_leaders: bool) -> None:  # noqa: FBT001 - private to this module
        self.clock = 0
        self.touched = 0
        self.n = 0
        self.ids: Ids = np.empty(4, np.int64)
        # Its last row stays zero: the count of a label that never came
        self.values: Floats = np.zeros((5, K))
        self.sums: Floats = np.zeros((3, K))
        self.slots: dict[int, int] = {}
        self.leaders: list[list[int]] | None = [[] for _ in range(K)] if has_leaders else None

    def add(self, members: Sequence[int], weight: float, n_new: int) -> None:
        """One visit of the context: each member, of which ``n_new`` are new, counts ``weight``.

        Cost: O(K members).
        """
        if self.clock >= _REBASE_VISITS:
            self._rebase()
        self.clock += 1
        grown = _GROWN[self.clock] * weight
        indices = self._indices(members)
        self.values[indices if len(indices) > 1 else indices[0]] += grown
        self.sums[:_NEW] += len(members) * grown
        if n_new:
            self.sums[_NEW] += n_new * grown
        if self.leaders is not None:
            self.leaders = [self._lead(k, old, indices) for k, old in enumerate(self.leaders)]

    def keep(self, limit_entries: int) -> None:
        """Keep the entries that are strongest at the longest half-life; ties go to the one that
        came first.
        """
        order = np.argsort(-self.values[: self.n, K - 1], kind="stable")
        self._restrict(np.sort(order[:limit_entries]))

    def forget(self, gone: frozenset[int]) -> None:
        """Take labels out."""
        if not gone.isdisjoint(self.slots):
            self._restrict(
                np.array([i for i in range(self.n) if int(self.ids[i]) not in gone], np.int64)
            )

    def decayed_count(self, label: int) -> float:
        """The decayed count of one label at the longest half-life."""
        index = self.slots.get(label)
        return 0.0 if index is None else self.values.item(index, K - 1) * _LONGEST[self.clock]

    def share(self, label: int, prior: float) -> float:
        """The part of all decayed counts at the longest half-life that is this label's, with one
        pseudo-count of which ``prior`` is its own.
        """
        decay = _LONGEST[self.clock]
        index = self.slots.get(label)
        own = 0.0 if index is None else self.values.item(index, K - 1) * decay
        return (own + prior) / (self.sums.item(_TOTAL, K - 1) * decay + 1.0)

    def _indices(self, members: Sequence[int]) -> list[int]:
        slots = self.slots
        indices = []
        for y in members:
            index = slots.get(y)
            if index is None:
                index = self.n
                if index == len(self.ids):
                    self.ids = np.concatenate([self.ids, np.empty(max(4, index), np.int64)])
                    self.values = np.concatenate([self.values, np.zeros((max(4, index), K))])
                slots[y] = index
                self.ids[index] = y
                self.n += 1
            indices.append(index)
        return indices

    def _lead(self, k: int, old: list[int], indices: list[int]) -> list[int]:
        # A count only ever grows against the others when its label comes: the leaders are exact.
        pool = old + [index for index in indices if index not in old]
        return [
            pool[i] for i in np.argsort(-self.values[pool, k], kind="stable")[:_LEADERS].tolist()
        ]

    def _restrict(self, retained: Ids) -> None:
        self.ids = self.ids[retained]
        values = self.values[retained]
        self._fill(values)
        self.sums[_TOTAL] = values.sum(axis=0)
        if self.leaders is not None:
            orders = np.argsort(-values, axis=0, kind="stable")[:_LEADERS]
            self.leaders = [orders[:, k].tolist() for k in range(K)]

    def _fill(self, values: Floats) -> None:
        self.n = len(values)
        self.values = np.concatenate([values, np.zeros((1, K))])
        self.slots = {y: i for i, y in enumerate(self.ids.tolist())}

    def _rebase(self) -> None:
        decay = _DECAY[self.clock]
        self.values[: self.n] *= decay
        self.sums *= decay
        self.clock = 0

    def state(self) -> Packed:
        body = [
            pack_array(self.ids[: self.n]),
            pack_array(self.values[: self.n]),
            pack_array(self.sums),
        ]
        return [self.clock, self.touched, *body, self.leaders]

    @classmethod
    def load_state(cls, packed: Packed) -> "Row":
        clock, touched, ids, values, sums, leaders = packed
        row = cls(leaders is not None)
        row.clock, row.touched = clock, touched
        row.ids, row.sums = unpack_array(ids), unpack_array(sums)
        row._fill(unpack_array(values))
        row.leaders = leaders
        return row


class Evidence:
    """What the rows of a step's contexts say together: the mean over the contexts, row by row.

    For one context with counts N and lower distribution q: p(y) = (N(y) + q(y)) / (N + 1), one
    pseudo-count of escape. ``escape`` (K,) is the weight left to q; ``new`` and ``new_escape`` (K,)
    are the share of members that were new, and the weight left to the lower distribution, for NEW.

    Source: PPM, Cleary and Witten 1984, with one pseudo-count for the escape.
    """

    __slots__ = ("_parts", "_scratch", "escape", "new", "new_escape")

    def __init__(self, rows: Sequence[Row], missing: int, scratch: Floats) -> None:
        m = max(1, len(rows) + missing)
        self._scratch = scratch
        self._parts: list[tuple[Row, Floats]] = []  # each row with the weight of its values
        self.escape: Floats | float = missing / m if rows else 1.0
        self.new_escape, self.new = self.escape, 0.0 * self.escape
        for row in rows:
            decay = _DECAY[row.clock]
            sums = row.sums * decay
            left = 1.0 / (m * sums + m)
            self._parts.append((row, decay * left[_TOTAL]))
            self.escape += left[_TOTAL]
            self.new_escape += left[_MEMBERS]
            self.new += sums[_NEW] * left[_MEMBERS]

    def shares(self, ids: Ids) -> Floats:
        """How much of the distribution the rows themselves give to each label.

        Args:
            ids: (n,), labels within the table's scratch.

        Returns:
            (n, K), at most 1 - ``escape`` in sum over all labels.

        Cost: O(n) for one large row, else O(n + entries of the rows).
        """
        if len(self._parts) == 1:
            row, decay = self._parts[0]
            if row.n > _SMALL:
                find = row.slots.get
                return row.values.take([find(y, -1) for y in ids.tolist()], axis=0) * decay
        scratch = self._scratch
        for row, decay in self._parts:
            scratch[row.ids[: row.n]] += row.values[: row.n] * decay
        shares = scratch.take(ids, axis=0)
        for row, _ in self._parts:
            scratch[row.ids[: row.n]] = 0.0
        return shares

    def best(self, ids: Ids, contexts: int) -> Floats:
        """The largest share that any one context gives to each label, at the longest half-life.

        Args:
            ids: (n,).
            contexts: How many contexts the mean is over.

        Returns:
            (n,). Cost: O(n + entries of the rows).
        """
        scratch = self._scratch
        for row, decay in self._parts:
            seen = row.ids[: row.n]
            scratch[seen, 0] = np.maximum(
                scratch[seen, 0], row.values[: row.n, K - 1] * decay[K - 1]
            )
        largest: Floats = scratch[ids, 0] * contexts
        for row, _ in self._parts:
            scratch[row.ids[: row.n], 0] = 0.0
        return largest

    def leaders(self, limit: int) -> list[int]:
        """The labels with the largest shares at the middle half-life, or at each if the row keeps
        leaders.
        """
        if not self._parts:
            return []
        row, _ = self._parts[0]
        if row.leaders is not None:
            return [y for indices in row.leaders for y in row.ids[indices[:limit]].tolist()]
        ids, decay = row.ids, row.values[: row.n, 1]
        if len(self._parts) > 1:
            ids = np.unique(np.concatenate([row.ids[: row.n] for row, _ in self._parts]))
            decay = self.shares(ids)[:, 1]
        leading: list[int] = ids[np.argsort(-decay, kind="stable")[:limit]].tolist()
        return leading


class Table:
    """Rows by context key, bounded: a row keeps its strongest labels, the table its latest rows."""

    def __init__(self, max_rows: int, max_entries: int | None) -> None:
        self._max_rows = max_rows
        self._max_entries = max_entries
        self._rows: dict[int, Row] = {}
        self._scratch: Floats = np.zeros((1024, K))
        self._tick = 0

    def row(self, key: int) -> Row | None:
        """The row of one context."""
        return self._rows.get(key)

    def evidence(self, keys: Sequence[int], known: int) -> Evidence:
        """What these contexts say. ``known``: one more than the largest label id."""
        if known > len(self._scratch):
            self._scratch = np.zeros((2 * known, K))
        rows = [row for row in map(self._rows.get, keys) if row is not None]
        return Evidence(rows, len(keys) - len(rows), self._scratch)

    def learn(self, keys: Iterable[int], members: Sequence[int], weight: float, n_new: int) -> None:
        """Count one step in each of its contexts."""
        self._tick += 1
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = Row(self._max_entries is None)
            row.touched = self._tick
            row.add(members, weight, n_new)
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

    def state(self) -> Packed:
        rows = [[_key_bytes(key), row.state()] for key, row in self._rows.items()]
        return [self._tick, rows]

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave; limits stay those of this one."""
        self._tick, rows = packed
        self._rows = {int.from_bytes(key, "big"): Row.load_state(row) for key, row in rows}


def _key_bytes(key: int) -> bytes:
    """A key that holds three labels and a user is longer than msgpack's integers."""
    return key.to_bytes((key.bit_length() + 7) // 8, "big")
