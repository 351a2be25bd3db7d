"""The byte model with an adapter that goes on learning from its owner's lines: predict first, then
a few small steps every few lines.
"""

from collections.abc import Callable, Sequence

import numpy as np

from selflow.core.ports import TextTuner, TokenRow
from selflow.text.byte_context import (
    MAX_CONTEXT_LINE_BYTES,
    Entry,
    counted,
    plain_folder,
    session_segments,
)
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.lines import MAX_LINE_BYTES, Packed

EVERY_LINES = 4
"""Lines between two times that it learns."""
_NEW_ENTRIES, _OLD_ENTRIES, _OLD_ROWS, _PAST = 8, 6, 2, 2_000
Disturb = Callable[[bytes], bytes]


def as_it_came(line: bytes) -> bytes:
    """What an owner's adapter learns from."""
    return line


def in_random_order(line: bytes) -> bytes:
    """The same bytes in another order, the same for the same line: what an adapter learns from
    that serves as a control.
    """
    order = np.random.default_rng(list(line)).permutation(len(line))
    return bytes(line[index] for index in order)


class AdaptedExpert(ByteExpert):
    """A byte expert whose model follows its owner."""

    def __init__(
        self, model: ByteModel, tuner: TextTuner, disturb: Disturb = as_it_came, seed: int = 1
    ) -> None:
        """``disturb``: what the adapter learns in the place of a line."""
        super().__init__(model)
        self._base, self._tuner, self._disturb, self._seed = model, tuner, disturb, seed
        self._past: list[Entry] = []
        self._lines = 0

    def learn(self, line: bytes, context: bytes = b"") -> None:
        super().learn(line, context)
        if len(line) > MAX_LINE_BYTES:
            return
        learned = self._disturb(line[: 2 * MAX_CONTEXT_LINE_BYTES])
        self._past.append((plain_folder(context), learned))
        del self._past[:-_PAST]
        self._lines += 1
        if self._lines % EVERY_LINES == 0:
            self.use(self._base.adapted(self._tuner.learn(self._rows())))

    def state(self) -> Packed:
        past = [list(entry) for entry in self._past]
        return [super().state(), past, self._lines, self._tuner.state()]

    def load_state(self, state: Packed) -> None:
        window, past, self._lines, adapter = state
        self._past = [(folder, line) for folder, line in past]
        self._tuner.load_state(adapter)
        self.use(self._base.adapted(self._tuner.adapter()))
        super().load_state(window)

    def _rows(self) -> list[TokenRow]:
        """The newest lines behind those before them, and a few pieces of the past at random."""
        rng = np.random.default_rng([self._seed, self._lines])
        firsts = rng.integers(0, max(1, len(self._past) - _OLD_ENTRIES), _OLD_ROWS).tolist()
        pieces = [self._past[first : first + _OLD_ENTRIES] for first in firsts]
        return [
            _row(self._past[-_NEW_ENTRIES:], EVERY_LINES),
            *(_row(piece, len(piece)) for piece in pieces),
        ]


def _row(entries: Sequence[Entry], counting: int) -> TokenRow:
    """Tokens of these entries, of which the last ``counting`` count."""
    segments = session_segments(entries)
    counts = [
        count if index >= len(segments) - counting else 0.0
        for index, segment in enumerate(segments)
        for count in counted(segment)
    ]
    return [token for segment in segments for token in segment], counts
