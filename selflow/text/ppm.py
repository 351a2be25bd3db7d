"""Prediction by partial matching: the byte that followed the longest context, escaping to shorter
ones.

Contexts are the last 0 to ``ORDER`` bytes of the line. A context that holds ``d`` symbols with
counts ``c`` escapes to the next shorter one with a mass of ``ESCAPE`` for each of them (method D of
Howard 1993: 1/2), and symbols that a longer context has seen are excluded below. We depart from
it in that counts decay with the lines that came since, and that the counts of shared text stand
beneath one's own.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from selflow.text.lines import END, MAX_LINE_BYTES, SYMBOLS, Floats, Packed
from selflow.text.shared_text import ORDER, START, SharedText

HALF_LIFE_LINES = 500.0
MAX_CONTEXTS = 200_000
"""Contexts that are held, an estimated 300 bytes each; the ones that came longest ago leave."""
OWN_WEIGHT = 4.0
"""What a byte of one's own counts beside one of the shared text."""
ESCAPE = 0.6
"""The mass that each symbol of a context gives to the shorter contexts."""


class ByteCounts:
    """How often each byte followed each context in one's own lines, in decayed counts."""

    def __init__(self, max_contexts: int = MAX_CONTEXTS) -> None:
        self._max_contexts = max_contexts
        self._lines = 0
        self._nodes: dict[bytes, tuple[int, dict[int, float]]] = {}

    def learn(self, line: bytes) -> None:
        """Count one line. Cost: ``ORDER`` + 1 contexts per byte."""
        self._lines += 1
        text = START + line
        for index, symbol in enumerate((*line, END)):
            tail = text[max(0, index + 1 - ORDER) : index + 1]
            for first in range(len(tail) + 1):
                self._add(tail[first:], symbol)
        while len(self._nodes) > self._max_contexts:
            del self._nodes[next(iter(self._nodes))]

    def counts(self, context: bytes) -> dict[int, float] | None:
        """Decayed counts by symbol, or None; all of one context have decayed alike."""
        node = self._nodes.get(context)
        return None if node is None else node[1]

    def _add(self, context: bytes, symbol: int) -> None:
        at, counts = self._nodes.pop(context, (self._lines, {}))
        if at != self._lines:
            factor = 2.0 ** ((at - self._lines) / HALF_LIFE_LINES)
            counts = {old: count * factor for old, count in counts.items()}
        counts[symbol] = counts.get(symbol, 0.0) + 1.0
        self._nodes[context] = (self._lines, counts)

    def state(self) -> Packed:
        """Everything counted, the oldest context first."""
        nodes = [[context, at, *counts_of(counts)] for context, (at, counts) in self._nodes.items()]
        return [self._lines, nodes]

    def load_state(self, state: Packed) -> None:
        """Go on from what ``state`` gave."""
        self._lines, nodes = state
        self._nodes = {
            context: (at, dict(zip(symbols, values, strict=True)))
            for context, at, symbols, values in nodes
        }


def counts_of(counts: dict[int, float]) -> tuple[list[int], list[float]]:
    """Symbols and their counts, side by side."""
    return list(counts), list(counts.values())


class Ppm:
    """PPM over one's own lines and, if there is one, the shared text beneath them."""

    def __init__(self, shared: SharedText | None = None, own: ByteCounts | None = None) -> None:
        """``own``: counts that another expert learns; without them it counts and learns alone."""
        self._shared = shared
        self._own = own or ByteCounts()
        self._is_reader = own is not None
        self._known: dict[bytes, Floats] = {}

    def start(self, context: bytes = b"") -> "PpmCursor":  # noqa: ARG002  (no use for it)
        return PpmCursor(self, START)

    def learn(self, line: bytes, context: bytes = b"") -> None:  # noqa: ARG002
        if not self._is_reader and len(line) <= MAX_LINE_BYTES:
            self._own.learn(line)
        self._known.clear()

    def state(self) -> Packed:
        return self._own.state()

    def load_state(self, state: Packed) -> None:
        self._own.load_state(state)
        self._known.clear()

    def distribution(self, tail: bytes) -> Floats:
        """(257,) after these last bytes. Cost: about 15 us per order; nothing the second time."""
        p = self._known.get(tail)
        if p is None:
            p = self._known[tail] = _blend(self._counts(tail))
        return p

    def _counts(self, tail: bytes) -> Iterator[Floats]:
        """Counts of the contexts, the longest first."""
        shared = [None] * (len(tail) + 1) if self._shared is None else self._shared.counts(tail)
        for order in range(len(tail), -1, -1):
            counts, own = shared[order], self._own.counts(tail[len(tail) - order :])
            if own is not None:
                counts = np.zeros(SYMBOLS) if counts is None else counts
                for symbol, count in own.items():
                    counts[symbol] += OWN_WEIGHT * count
            if counts is not None:
                yield counts


def _blend(contexts: Iterator[Floats]) -> Floats:
    """One distribution out of the counts of contexts, the longest first; changes the counts."""
    p, open_symbols, escape = np.zeros(SYMBOLS), np.ones(SYMBOLS), 1.0
    for counts in contexts:
        np.multiply(counts, open_symbols, out=counts)
        total = float(_sum(counts))
        if total <= 0.0:
            continue
        retained = np.maximum(counts - ESCAPE, counts * (1.0 - ESCAPE))
        retained *= escape / total
        p += retained
        escape -= float(_sum(retained))
        open_symbols[counts.nonzero()] = 0.0
    left = float(_sum(open_symbols))
    if left:
        p += open_symbols * (escape / left)
    p /= _sum(p)
    return p


_sum = np.add.reduce


class PpmCursor:
    """Where one is in a line: all that matters are the last bytes."""

    __slots__ = ("_ppm", "_tail")

    def __init__(self, ppm: Ppm, tail: bytes) -> None:
        self._ppm, self._tail = ppm, tail

    @property
    def p(self) -> Floats:
        return self._ppm.distribution(self._tail)

    def step(self, byte: int) -> "PpmCursor":
        return PpmCursor(self._ppm, (self._tail + bytes((byte,)))[-ORDER:])

    def lines_ahead(self) -> Sequence[bytes]:
        """None: it counts bytes, no lines."""
        return ()
