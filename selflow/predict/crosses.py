"""Crosses: what the rankers get wrong about a label in one context, learned online.

A weight for each pair of a context (a member of one of the last three steps, the gap before this
one, the three hours of the day) and a label. The weights of a candidate's contexts are added to its
score, with the ranker as a fixed offset, and moved by Adagrad on the softmax loss. Counts alone
say how often a pair came; this says how much more often than the rankers expected.

The pairs lie in a hashed table in which each slot names its pair: of two pairs of one slot the
later one has it, and a label that is forgotten leaves nothing behind. Source: hashed crosses of
features, Weinberger et al. 2009; Adagrad, Duchi et al. 2011.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from selflow.predict.experts import View
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.ranker import Head, errors
from selflow.predict.table import Floats, Ids

_SLOT_BITS = 16
"""65,536 pairs, 2.6 MB."""
_FIELD_BITS = 20
_FIELD = (1 << _FIELD_BITS) - 1
_KIND_BITS = 3
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # changing this moves every saved pair
_TOP = np.uint64(64 - _SLOT_BITS)
_EMPTY = -1
_PACE = 0.05
_FIRST_SQUARES = 1.0
"""Adagrad's rate, and the sum of squares that it starts from: a first step of 0.05 at most."""
_MIN_ERROR = 0.03
"""A pair gets a slot once the rankers are this wrong about its label."""
_MEMBERS = (6, 4, 4)
"""Members of the last step, the one before and the third from the end that are contexts."""
_GAPS = 15
_BLOCK_US = 3 * 3_600_000_000


class _Kind(IntEnum):
    """What a context's value is; the first three are label ids."""

    LAST = 0
    BEFORE = 1
    THIRD = 2
    GAP = 3
    HOUR = 4


@dataclass(frozen=True, slots=True)
class Crossing:
    """The rankers' distributions with the weights of one moment's pairs, and those pairs."""

    p: Floats
    """(heads, n + 1): one column per candidate; the last is outside."""
    keys: Ids
    """(contexts, n)"""
    slots: Ids
    """(contexts, n)"""
    scale: Floats
    """(contexts,): of k contexts of one kind each counts 1 / sqrt(k)."""


class Crosses:
    """The table. Cost: about 70 us to ask and 90 us to learn 50 candidates."""

    def __init__(self) -> None:
        self._keys: Ids = np.full(1 << _SLOT_BITS, _EMPTY, dtype=np.int64)
        self._weights: Floats = np.zeros((len(Head), 1 << _SLOT_BITS))
        self._squares: Floats = np.zeros((len(Head), 1 << _SLOT_BITS))

    def cross(self, p: Floats, ids: Ids, view: View) -> Crossing:
        """The rankers' distributions, corrected.

        Args:
            p: (heads, n + 1), of the candidates and of outside.
            ids: (n,), the candidates' label ids.
            view: Whose contexts.

        Cost: O(contexts n).
        """
        contexts, scale = _contexts(view)
        keys = contexts[:, None] << _FIELD_BITS | ids
        slots = _slots_of(keys)
        is_held = self._keys[slots] == keys
        if not is_held.any():
            return Crossing(p, keys, slots, scale)
        grown = p.copy()
        grown[:, :-1] *= np.exp(scale @ (self._weights[:, slots] * is_held))
        return Crossing(grown / grown.sum(axis=1, keepdims=True), keys, slots, scale)

    def learn(self, crossing: Crossing, came: Ids, members: int) -> None:
        """One Adagrad step on the log-loss of each head.

        Args:
            crossing: Of the step, from the weights as they are.
            came: Indices of the candidates that came.
            members: Labels in the step, at least ``len(came)``.

        Cost: O(contexts n).
        """
        error = errors(crossing.p, came, members)[:, :-1]
        is_held = self._keys[crossing.slots] == crossing.keys
        moves = is_held | (np.abs(error[Head.MEMBER]) > _MIN_ERROR)
        if not moves.any():
            return
        keys, slots = crossing.keys[moves], crossing.slots[moves]
        is_new = self._keys[slots] != keys
        self._keys[slots[is_new]] = keys[is_new]
        self._weights[:, slots[is_new]] = 0.0
        self._squares[:, slots[is_new]] = _FIRST_SQUARES
        # Of two pairs of this step that claimed one slot, only the one that has it moves
        has_slot = self._keys[slots] == keys
        slots = slots[has_slot]
        slope = (crossing.scale[:, None] * error[:, None])[:, moves][:, has_slot]
        self._squares[:, slots] += slope * slope
        self._weights[:, slots] -= _PACE * slope / np.sqrt(self._squares[:, slots])

    def forget(self, gone: frozenset[int]) -> None:
        """Empty the slots of all pairs that name one of these labels."""
        ids = np.array(sorted(gone), dtype=np.int64)
        values = self._keys >> _FIELD_BITS & _FIELD
        is_label = (self._keys >> 2 * _FIELD_BITS & ((1 << _KIND_BITS) - 1)) <= _Kind.THIRD
        lost = np.isin(self._keys & _FIELD, ids) | (is_label & np.isin(values, ids))
        self._keys[lost] = _EMPTY

    def state(self) -> Packed:
        filled = np.flatnonzero(self._keys != _EMPTY)
        return [pack_array(x[..., filled]) for x in (self._keys, self._weights, self._squares)]

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave."""
        keys, weights, squares = map(unpack_array, packed)
        slots = _slots_of(keys)
        self._keys[:] = _EMPTY
        self._keys[slots], self._weights[:, slots], self._squares[:, slots] = keys, weights, squares


def _slots_of(keys: Ids) -> Ids:
    """Where the table holds these pairs: multiplicative hashing, the top bits of the product."""
    spread = keys.view(np.uint64) * _SPREAD >> _TOP
    return spread.view(np.int64)


def _contexts(view: View) -> tuple[Ids, Floats]:
    """(contexts,) each: their numbers of 43 bits (user, kind, value) and their scale."""
    steps = (view.last, view.before, view.third)
    groups: list[Sequence[int]] = [step[:n] for step, n in zip(steps, _MEMBERS, strict=True)]
    groups += [[min(_GAPS, int(view.gap * 10.0))], [view.now_us // _BLOCK_US % 8]]
    top = (view.user & _FIELD) << _KIND_BITS
    contexts = [(top | kind) << _FIELD_BITS | y for kind in _Kind for y in groups[kind]]
    scale = [len(group) ** -0.5 for group in groups for _ in group]
    return np.array(contexts, dtype=np.int64), np.array(scale)
