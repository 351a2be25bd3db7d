"""Steps as tokens: ``<gap><hour> label label ..``, one step after the other, and that row in
windows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.core.clock import as_datetime
from selflow.core.steps import Step
from selflow.lm.label_tokens import GAPS, LabelVocabulary, Tokenizer, spelled

MAX_MEMBERS = 12
"""Labels of one step that are written, and count: the first ones."""
MAX_SUBWORDS = 12
"""Of a label without a token."""
WINDOW = 256
"""Tokens that are read, and trained on, at once."""
_SPELLED_CHARS = 200
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Steps as one row of tokens."""

    ids: Ids
    """(T,)"""
    starts: Ids
    """(n + 1,): step i is ``ids[starts[i]:starts[i + 1]]``, its labels begin behind two tokens."""


@dataclass(frozen=True, slots=True)
class Window:
    """The tokens from ``first`` on that are read at once, up to where the last target's labels
    would begin.
    """

    first: int
    targets: tuple[int, ...]


class StepEncoder:
    """Writes steps in a base's tokens."""

    def __init__(self, vocabulary: LabelVocabulary, tokenizer: Tokenizer) -> None:
        """``tokenizer`` spells the labels that have no token."""
        self._vocabulary = vocabulary
        self._tokenizer = tokenizer
        self._ids = {
            label: (token,)
            for label, token in zip(vocabulary.labels, vocabulary.label_ids, strict=True)
        }
        self._indices = {label: index for index, label in enumerate(vocabulary.labels)}

    def head(self, ts_us: int, before_us: int | None) -> tuple[int, int]:
        """The two tokens of a step at ``ts_us`` whose predecessor was at ``before_us``."""
        gap_s = max(0, ts_us - before_us) // 1_000_000 if before_us is not None else 1 << GAPS
        bin_ = min((1 + gap_s).bit_length() - 1, GAPS - 1)
        return self._vocabulary.gap_ids[bin_], self._vocabulary.hour_ids[as_datetime(ts_us).hour]

    def label(self, label: str) -> tuple[int, ...]:
        """One token, or ``<text>``, at most ``MAX_SUBWORDS`` sub-words, ``</text>``."""
        if (own := self._ids.get(label)) is not None:
            return own
        text = spelled(label)[:_SPELLED_CHARS]
        words = self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)
        return (self._vocabulary.text_id, *words[:MAX_SUBWORDS], self._vocabulary.end_text_id)

    def members(self, step: Step) -> list[int]:
        """Which label each written member is; ``len(vocabulary.labels)`` stands for all without
        a token.
        """
        return [self._indices.get(label, len(self._indices)) for label in step.labels[:MAX_MEMBERS]]

    def encode(self, steps: Sequence[Step], rng: np.random.Generator | None = None) -> Encoded:
        """The steps' tokens, members in first-seen order, or shuffled by ``rng``; as many tokens
        either way.
        """
        ids: list[int] = []
        starts = [0]
        before_us: int | None = None
        for step in steps:
            labels = step.labels[:MAX_MEMBERS]
            order = rng.permutation(len(labels)).tolist() if rng is not None else range(len(labels))
            ids += self.head(step.ts_us, before_us)
            for index in order:
                ids += self.label(labels[index])
            before_us = step.ts_us
            starts.append(len(ids))
        return Encoded(np.array(ids, np.int64), np.array(starts, np.int64))


def windows(starts: Ids, targets: Sequence[int], context: int) -> list[Window]:
    """Windows of at most ``WINDOW`` tokens with each target (ascending) in one of them.

    At least ``context`` tokens stand before a target, or all there are. Cut from left to right:
    later steps change no window's first token.
    """
    cut: list[Window] = []
    first, own = 0, list[int]()
    for target in targets:
        if own and starts[target] + 2 - first > WINDOW:
            cut.append(Window(first, tuple(own)))
            own = []
        if not own:
            first = max(0, int(starts[target]) - context)
        own.append(target)
    return [*cut, Window(first, tuple(own))] if own else []


def fill(encoded: Encoded, group: Sequence[Window], rows: int) -> tuple[Ids, Ids, Ids]:
    """Tokens (rows, WINDOW) of some windows, zeros behind them; row and column where each target's
    labels begin.
    """
    ids = np.zeros((rows, WINDOW), np.int64)
    at = []
    for row, window in enumerate(group):
        part = encoded.ids[window.first : encoded.starts[window.targets[-1]] + 2]
        ids[row, : len(part)] = part
        at += [(row, int(encoded.starts[target]) + 1 - window.first) for target in window.targets]
    row_column = np.array(at, np.int64).T
    return ids, row_column[0], row_column[1]


def blocks_of(ids: Ids, rng: np.random.Generator) -> Ids:
    """(N, WINDOW): a row of tokens in blocks, cut at other places and ordered anew by every
    ``rng``.
    """
    blocks = np.resize(
        np.roll(ids, -int(rng.integers(WINDOW))), (math.ceil(len(ids) / WINDOW), WINDOW)
    )
    return rng.permutation(blocks)
