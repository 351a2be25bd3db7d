"""Lines as byte strings that end, and what every text expert can do."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Packed = Any
"""What msgpack holds: numbers, texts, bytes, lists and maps of those."""

END = 256
"""The symbol after a line's last byte."""
SYMBOLS = 257
MAX_LINE_BYTES = 1_024
"""Longer lines are pasted, not typed: they are left out everywhere, and counted."""


MAX_AHEAD_BYTES, MAX_AHEAD_LINES = 96, 5
"""Bounds of what a cursor says of the lines ahead."""


class Cursor(Protocol):
    """A place in a line that is being typed. It never changes; the same byte always leads to the
    same cursor, so that a search and the next keystroke share what was computed.
    """

    @property
    def p(self) -> Floats:
        """(257,): the probability of each byte and of END here; positive, sums to 1."""

    def step(self, byte: int) -> "Cursor":
        """The cursor after one more byte."""

    def lines_ahead(self) -> Sequence[bytes]:
        """How lines that are known go on from here, the likeliest first: a few at most, and none
        where no line is remembered. Longer than ``MAX_AHEAD_BYTES`` is left out.
        """


class TextExpert(Protocol):
    """An exact distribution over byte strings that end, which learns line by line."""

    def start(self, context: bytes = b"") -> Cursor:
        """The cursor before the first byte. ``context`` is what surrounds the line, such as a
        folder. Valid until the next ``learn``.
        """

    def learn(self, line: bytes, context: bytes = b"") -> None:
        """A line was finished. One of more than ``MAX_LINE_BYTES`` teaches nothing."""

    def state(self) -> Packed:
        """Everything learned, as msgpack values."""

    def load_state(self, state: Packed) -> None:
        """Go on from what ``state`` gave, bit for bit."""


def line_bits(start: Cursor, line: bytes) -> float:
    """-log2 of the probability that exactly this line comes. Cost: one step per byte."""
    total, cursor = 0.0, start
    for byte in line:
        total -= float(np.log2(cursor.p[byte]))
        cursor = cursor.step(byte)
    return total - float(np.log2(cursor.p[END]))
