"""Count experts: decayed counts of what came in a context, with escape to a shorter one.

    p(y | c) = (N(c, y) + p_lower(y)) / (N(c) + 1)

per half-life, so a context never seen answers like the shorter one. NEW has its own estimate of the
same form. A step of n labels counts each with 1 / sqrt(n): between "any member" and "one drawn at
random". Source: PPM (Cleary and Witten 1984) with one pseudo-count of escape; decay per visit of
the context as in IPAM (Davison and Hirsh 1998).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from selflow.predict.experts import View
from selflow.predict.packing import Packed
from selflow.predict.table import HALF_LIVES, Evidence, Floats, Ids, K, Table

_LABEL_BITS = 20
_LABEL_MASK = (1 << _LABEL_BITS) - 1
_HOUR_US = 3_600_000_000
_PAIR_MEMBERS = 4
_TRIPLE_MEMBERS = 2
"""Members of a step that make contexts of two and three steps: at most 16 and 8 rows."""
_FIRST_P_NEW = 0.5
"""NEW before anything was counted: as likely as not."""
_UNKNOWN_SHARE = 0.1
"""How often a label follows itself before anything was counted."""
_PROPOSED = 10


def no_context(view: View) -> list[int]:
    """One row for everything."""
    return [view.user << 2 * _LABEL_BITS]


def earlier_labels(view: View) -> list[int]:
    """One row per member of the step before the last."""
    return [view.user << 2 * _LABEL_BITS | a for a in view.before]


def companion_keys(view: View, members: Iterable[int] | None = None) -> list[int]:
    """One row per label: of the members of the last step, if none are given."""
    return [
        view.user << 2 * _LABEL_BITS | int(a) for a in (view.last if members is None else members)
    ]


def label_pairs(view: View) -> list[int]:
    """One row per pair of a member of the last step and one of the step before."""
    top = view.user << 2 * _LABEL_BITS
    return [
        top | b << _LABEL_BITS | a
        for a in view.last[:_PAIR_MEMBERS]
        for b in view.before[:_PAIR_MEMBERS]
    ]


def label_triples(view: View) -> list[int]:
    """One row per member of each of the last three steps, the first two members of each."""
    top = view.user << 3 * _LABEL_BITS
    return [
        top | c << 2 * _LABEL_BITS | b << _LABEL_BITS | a
        for a in view.last[:_TRIPLE_MEMBERS]
        for b in view.before[:_TRIPLE_MEMBERS]
        for c in view.third[:_TRIPLE_MEMBERS]
    ]


def third_labels(view: View) -> list[int]:
    """One row per member of the third step from the end."""
    return [view.user << 2 * _LABEL_BITS | a for a in view.third]


def last_folders(view: View) -> list[int]:
    """One row per folder of the last step."""
    folders = dict.fromkeys(view.vocabulary.traits(a).folder for a in view.last)
    return [view.user << 2 * _LABEL_BITS | folder for folder in folders]


def hour_bucket(view: View) -> list[int]:
    """One row per three hours of the (UTC) day."""
    return [view.user << 2 * _LABEL_BITS | (view.now_us // _HOUR_US % 24) // 3]


@dataclass(frozen=True, slots=True)
class Context:
    """A kind of context: how its rows are named and whom it escapes to."""

    name: str
    keys: Callable[[View], list[int]]
    lower: str | None
    labels_in_key: int = 0


ORDER0 = Context("order0", no_context, None)
ORDER1 = Context("order1", companion_keys, "order0", 1)
ORDER2 = Context("order2", label_pairs, "order1", 2)
ORDER3 = Context("order3", label_triples, "order2", 3)
SKIP = Context("skip", earlier_labels, "order0", 1)
SKIP3 = Context("skip3", third_labels, "order0", 1)
FOLDER = Context("folder", last_folders, "order0")
HOUR = Context("hour", hour_bucket, "order0")
OWN = (ORDER0, ORDER1, ORDER2, SKIP, FOLDER, HOUR)
LONG = (ORDER3, SKIP3)
"""In the pool alone: the rankers and their shipped weights do not know them."""
SHARED = (ORDER0, ORDER1, ORDER2)


class CountExperts:
    """Contexts that share one chain of escape; each is K variants, one per half-life."""

    def __init__(
        self,
        contexts: Sequence[Context],
        prefix: str = "",
        *,
        is_shared: bool = False,
        max_rows: int = 30_000,
    ) -> None:
        """``is_shared`` counts the steps of all users together, each in its own user's context."""
        self._contexts = tuple(contexts)
        self._is_shared = is_shared
        self._tables = [Table(max_rows, None if c.lower is None else 128) for c in contexts]
        self.names = tuple(f"{prefix}{c.name}.{h}" for c in contexts for h in HALF_LIVES)

    def ask(self, view: View) -> "CountAnswer":
        end, keyed = view.vocabulary.end, zip(self._tables, self._keys(view), strict=True)
        evidence = [table.evidence(keys, end) for table, keys in keyed]
        return CountAnswer(self._contexts, evidence, len(view.vocabulary))

    def learn(self, view: View, members: Sequence[int], n_new: int) -> None:
        weight = float(len(members)) ** -0.5
        for table, keys in zip(self._tables, self._keys(view), strict=True):
            table.learn(keys, members, weight, n_new)

    def forget(self, gone: frozenset[int]) -> None:
        for table, context in zip(self._tables, self._contexts, strict=True):
            table.forget(gone, partial(key_labels, labels_in_key=context.labels_in_key))

    def self_shares(self, view: View, candidates: Sequence[int]) -> Floats:
        """(n,): the share of each label's followers that is itself, from the order-1 rows at the
        longest half-life, with a tenth of a pseudo-count; 0.1 where nothing is known. Cost: O(n).
        """
        find = self._tables[[c.name for c in self._contexts].index("order1")].row
        top = view.user << 2 * _LABEL_BITS
        rows = [find(top | y) for y in candidates]
        return np.array(
            [
                _UNKNOWN_SHARE if row is None else row.share(y, _UNKNOWN_SHARE)
                for row, y in zip(rows, candidates, strict=True)
            ]
        )

    def state(self) -> Packed:
        return [table.state() for table in self._tables]

    def load_state(self, packed: Packed) -> None:
        for table, state in zip(self._tables, packed, strict=True):
            table.load_state(state)

    def _keys(self, view: View) -> list[list[int]]:
        if not self._is_shared:
            return [context.keys(view) for context in self._contexts]
        mask = (1 << 2 * _LABEL_BITS) - 1
        return [[key & mask for key in context.keys(view)] for context in self._contexts]


def key_labels(key: int, labels_in_key: int) -> Iterable[int]:
    """The label ids that a row's key holds."""
    return [key >> i * _LABEL_BITS & _LABEL_MASK for i in range(labels_in_key)]


class _Given(NamedTuple):
    """A context's distribution: (n, K) over labels, where none of them is NEW, and (K,) of NEW."""

    p: Floats
    p_new: Floats


class CountAnswer:
    """The evidence of all contexts of one moment, chained by escape."""

    def __init__(
        self, contexts: Sequence[Context], evidence: Sequence[Evidence], known: int
    ) -> None:
        self._contexts = contexts
        self.evidence = {c.name: e for c, e in zip(contexts, evidence, strict=True)}
        self._known = known

    def candidates(self) -> list[int]:
        """The strongest labels of every context."""
        return self.leaders(self._contexts)

    def leaders(self, contexts: Sequence[Context]) -> list[int]:
        """The strongest labels of these contexts, those of the last one first."""
        leading = (self.evidence[context.name].leaders(_PROPOSED) for context in reversed(contexts))
        return list(dict.fromkeys(y for leaders in leading for y in leaders))

    def score(self, ids: Ids) -> tuple[Floats, Floats]:
        """The distributions of all contexts at all half-lives, those of one context together.

        Args:
            ids: (n,), known labels.

        Returns:
            (contexts * K, n) of the labels and (contexts * K,) of NEW.

        Cost: O(contexts (n + entries of their rows)).
        """
        known: dict[str, _Given] = {}
        for context in self._contexts:
            evidence = self.evidence[context.name]
            if context.lower is None:
                lower, lower_new = (
                    np.full((len(ids), K), 1.0 / max(1, self._known)),
                    np.full(K, _FIRST_P_NEW if self._known else 1.0),
                )
            else:
                lower, lower_new = known[context.lower]
            given = evidence.shares(ids) + evidence.escape * lower
            known[context.name] = _Given(given, evidence.new + evidence.new_escape * lower_new)
        p = np.concatenate([known[c.name].p.T for c in self._contexts])
        p_new = np.concatenate([known[c.name].p_new for c in self._contexts])
        return p * (1.0 - p_new)[:, None], p_new
