"""Prediction by partial matching: the byte that followed the longest context, escaping to shorter
ones.

Contexts are the last 0 to ``ORDER`` bytes of the line. A context that holds ``d`` symbols with
counts ``c`` escapes to the next shorter one with a mass of ``ESCAPE`` for each of them (method D of
Howard 1993: 1/2), and symbols that a longer context has seen are excluded below. We depart from
it in that counts decay with the lines that came since, and that the counts of shared text stand
beneath one's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.text.lines import BYTES, END, MAX_LINE_BYTES, SYMBOLS, Distribution, Floats, Packed
from selflow.text.shared_text import ORDER, START, Counts, SharedText

HALF_LIFE_LINES = 500.0
MAX_CONTEXTS = 200_000
"""Contexts that are held, an estimated 300 bytes each; the ones that came longest ago leave."""
OWN_WEIGHT = 4.0
"""What a byte of one's own counts beside one of the shared text."""
ESCAPE = 0.6
"""The mass that each symbol of a context gives to the shorter contexts."""
SHARED_ORDER = 3
"""What contexts shorter than this say is computed once for all tails that end alike."""
MAX_PREPARED = 16_384
"""Contexts whose counts are held ready, an estimated 700 bytes each; then all are read anew."""


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


@dataclass(slots=True)
class _Prepared:
    """What followed one context, shared text and own lines together."""

    own: dict[int, float] | None
    """The counts of one's own lines that are in it: other ones make it out of date."""
    symbols: NDArray[np.intp]
    retained: Floats
    """(symbols,) what each keeps of its count; the rest is the mass of the shorter contexts."""
    counts: Floats
    total: float
    retained_total: float
    beside: "_Prepared | None" = None
    """The next shorter context, of which the two figures below are."""
    open_total: float = 0.0
    """Counts of the symbols that only the shorter context has seen."""
    open_retained: float = 0.0

    def open_in(self, shorter: "_Prepared") -> tuple[float, float]:
        """Counts, and what is retained of them, of symbols that a shorter context alone has seen:
        computed once for the pair.
        """
        if self.beside is not shorter:
            is_open = np.ones(SYMBOLS)
            is_open[self.symbols] = 0.0
            opened = is_open[shorter.symbols]
            self.open_total = float(opened.dot(shorter.counts))
            self.open_retained = float(opened.dot(shorter.retained))
            self.beside = shorter
        return self.open_total, self.open_retained


class Ppm:
    """PPM over one's own lines and, if there is one, the shared text beneath them."""

    def __init__(self, shared: SharedText | None = None, own: ByteCounts | None = None) -> None:
        """``own``: counts that another expert learns; without them it counts and learns alone."""
        self._shared = shared
        self._own = own or ByteCounts()
        self._is_reader = own is not None
        self._known: dict[bytes, Distribution] = {}
        self._known_beneath: dict[bytes, Floats] = {}
        self._prepared: dict[bytes, _Prepared] = {}

    def start(self, context: bytes = b"") -> "PpmCursor":  # noqa: ARG002  (no use for it)
        return PpmCursor(self, START)

    def learn(self, line: bytes, context: bytes = b"") -> None:  # noqa: ARG002
        if not self._is_reader and len(line) <= MAX_LINE_BYTES:
            self._own.learn(line)
        self._known.clear()
        self._known_beneath.clear()

    def state(self) -> Packed:
        return self._own.state()

    def load_state(self, state: Packed) -> None:
        self._own.load_state(state)
        self._known.clear()
        self._known_beneath.clear()
        self._prepared.clear()

    def distribution(self, tail: bytes) -> "Distribution":
        """After these last bytes. Cost: about 4 us per order; nothing the second time."""
        known = self._known.get(tail)
        if known is None:
            contexts = self._contexts(tail)
            known = self._known[tail] = Distribution(self._blend(tail, contexts))
        return known

    def _blend(self, tail: bytes, contexts: Sequence[_Prepared]) -> Floats:
        """One distribution out of the counts of contexts, the shortest first.

        Whatever followed a context followed the shorter ones too: what a longer context says of a
        symbol takes the place of what the shorter ones say.
        """
        if not contexts:
            return np.full(SYMBOLS, 1.0 / SYMBOLS)
        last = len(contexts) - 1
        order = min(last, SHARED_ORDER)
        said: list[tuple[_Prepared, float]] = []
        total, retained, escape = contexts[-1].total, contexts[-1].retained_total, 1.0
        for index in range(last, order - 1, -1):
            context = contexts[index]
            if total > 0.0:
                said.append((context, escape / total))
                escape *= 1.0 - retained / total
            if index:
                total, retained = context.open_in(contexts[index - 1])
        p = self._beneath(tail, contexts, order) * escape
        for context, scale in reversed(said):
            p[context.symbols] = context.retained * scale
        return p if len(contexts[0].symbols) < SYMBOLS else p / _sum(p)

    def _beneath(self, tail: bytes, contexts: Sequence[_Prepared], order: int) -> Floats:
        """(257,) what the contexts shorter than ``order`` say of the symbols that this one has not
        seen, out of a mass of 1; many tails share it.
        """
        context = tail[len(tail) - order :]
        known = self._known_beneath.get(context)
        if known is None:
            known = self._known_beneath[context] = self._say_beneath(tail, contexts, order)
        return known

    def _say_beneath(self, tail: bytes, contexts: Sequence[_Prepared], order: int) -> Floats:
        if order == 0:
            left = SYMBOLS - len(contexts[0].symbols)
            return np.full(SYMBOLS, 1.0 / left if left else 0.0)
        shorter = contexts[order - 1]
        total, retained = contexts[order].open_in(shorter)
        beneath = self._beneath(tail, contexts, order - 1)
        if total <= 0.0:
            return beneath
        p = beneath * (1.0 - retained / total)
        p[shorter.symbols] = shorter.retained * (1.0 / total)
        return p

    def _contexts(self, tail: bytes) -> list[_Prepared]:
        """Counts of the contexts, the shortest first. Where one never came, no longer one did."""
        if len(self._prepared) > MAX_PREPARED:
            self._prepared.clear()
        contexts = []
        for order in range(len(tail) + 1):
            context = tail[len(tail) - order :]
            own = self._own.counts(context)
            prepared = self._prepared.get(context)
            if prepared is None or prepared.own is not own:
                shared = None if self._shared is None else self._shared.counts(context)
                if own is None and shared is None:
                    break
                prepared = self._prepared[context] = _prepare(own, shared)
            contexts.append(prepared)
        return contexts


def _prepare(own: dict[int, float] | None, shared: Counts | None) -> _Prepared:
    symbols, counts = _added(own or {}, shared)
    retained = np.maximum(counts - ESCAPE, counts * (1.0 - ESCAPE))
    return _Prepared(own, symbols, retained, counts, float(_sum(counts)), float(_sum(retained)))


def _added(own: dict[int, float], shared: Counts | None) -> Counts:
    """Own and shared counts, one's own by their weight."""
    symbols = np.fromiter(own, np.intp, len(own))
    counts = np.fromiter(own.values(), np.float64, len(own)) * OWN_WEIGHT
    if shared is None:
        return symbols, counts
    if not own:
        return shared
    dense = np.zeros(SYMBOLS)
    dense[shared[0]] = shared[1]
    dense[symbols] += counts
    both = dense.nonzero()[0]
    return both, dense[both]


_sum = np.add.reduce


class PpmCursor:
    """Where one is in a line: all that matters are the last bytes."""

    __slots__ = ("_ppm", "_tail")

    def __init__(self, ppm: Ppm, tail: bytes) -> None:
        self._ppm, self._tail = ppm, tail

    @property
    def p(self) -> Floats:
        return self._ppm.distribution(self._tail).p

    @property
    def distribution(self) -> Distribution:
        return self._ppm.distribution(self._tail)

    def step(self, byte: int) -> "PpmCursor":
        return PpmCursor(self._ppm, (self._tail + BYTES[byte])[-ORDER:])

    def lines_ahead(self) -> Sequence[bytes]:
        """None: it counts bytes, no lines."""
        return ()
