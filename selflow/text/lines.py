"""Lines as byte strings that end, and what every text expert can do."""

from collections.abc import Iterable, Sequence
from math import log2
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Packed = Any
"""What msgpack holds: numbers, texts, bytes, lists and maps of those."""

END = 256
"""The symbol after a line's last byte."""
SYMBOLS = 257
BYTES = tuple(bytes((byte,)) for byte in range(256))
"""Each byte as a string."""
MAX_LINE_BYTES = 1_024
"""Longer lines are pasted, not typed: they are left out everywhere, and counted."""


MAX_AHEAD_BYTES, MAX_AHEAD_LINES = 96, 5
"""Bounds of what a cursor says of the lines ahead."""


LEAST_LIKELY = 0.02
"""Symbols below this probability are no candidates of a search."""


class Distribution:
    """Probabilities of the next symbol, and what follows from them once somebody asks for it."""

    __slots__ = ("_likely", "_log_p", "_p")

    def __init__(self, p: Floats) -> None:
        self._p = p
        self._log_p: Floats | None = None
        self._likely: list[tuple[float, int]] | None = None

    @property
    def p(self) -> Floats:
        """(257,), positive, sums to 1."""
        return self._p

    @property
    def log_p(self) -> Floats:
        """(257,) natural logarithms."""
        if self._log_p is None:
            self._log_p = np.log(self.p)
        return self._log_p

    @property
    def likely(self) -> list[tuple[float, int]]:
        """(probability, symbol) of all of at least ``LEAST_LIKELY``, the likeliest first."""
        if self._likely is None:
            self._likely = sorted(self._find_likely(), reverse=True)
        return self._likely

    def _find_likely(self) -> Iterable[tuple[float, int]]:
        """Those of ``likely`` in any order."""
        symbols = (self.p >= LEAST_LIKELY).nonzero()[0]
        return zip(self.p[symbols].tolist(), symbols.tolist(), strict=True)


class Cursor(Protocol):
    """A place in a line that is being typed. It never changes; the same byte always leads to the
    same cursor, so that a search and the next keystroke share what was computed.
    """

    @property
    def p(self) -> Floats:
        """(257,): the probability of each byte and of END here; positive, sums to 1."""

    @property
    def distribution(self) -> Distribution:
        """``p``, and what follows from it."""

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
        total -= log2(cursor.p[byte])
        cursor = cursor.step(byte)
    return total - log2(cursor.p[END])
