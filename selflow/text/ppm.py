"""Prediction by partial matching: the byte that followed the longest context, escaping to shorter
ones.

Contexts are the last 0 to ``ORDER`` bytes of the line. A context that holds ``d`` symbols with
counts ``c`` escapes to the next shorter one with a mass of ``ESCAPE`` for each of them (method D of
Howard 1993: 1/2), and symbols that a longer context has seen are excluded below. We depart from
it in that counts decay with the lines that came since, and that the counts of shared text stand
beneath one's own.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from selflow.text.lines import (
    BYTES,
    END,
    LEAST_LIKELY,
    MAX_LINE_BYTES,
    SYMBOLS,
    Distribution,
    Floats,
    Packed,
)
from selflow.text.shared_text import ORDER, START, SharedText

HALF_LIFE_LINES = 500.0
MAX_CONTEXTS = 200_000
"""Contexts that are held, an estimated 300 bytes each; the ones that came longest ago leave."""
OWN_WEIGHT = 4.0
"""What a byte of one's own counts beside one of the shared text."""
ESCAPE = 0.6
"""The mass that each symbol of a context gives to the shorter contexts."""
SHARED_ORDER = 2
"""What contexts shorter than this say is computed once for all tails that end alike."""
MAX_PREPARED = 16_384
"""Contexts whose counts are held ready, an estimated 700 bytes each; then the older half leaves."""
_LEAST_DIFFERENCE = 0.01
"""Of a sum: a smaller part of it is summed up itself, not taken as a difference."""
_FEW = 3
"""Up to so many symbols are written one by one: numpy would take longer."""


class ByteCounts:
    """How often each byte followed each context in one's own lines, in decayed counts."""

    def __init__(self, max_contexts: int = MAX_CONTEXTS) -> None:
        self._max_contexts = max_contexts
        self._lines = 0
        self._ages: dict[bytes, int] = {}
        """The line that each context came in last, the oldest first."""
        self._counts: dict[bytes, dict[int, float]] = {}
        self.counts = self._counts.get
        """Decayed counts by symbol of a context, or None; all of one context have decayed alike."""

    def learn(self, line: bytes) -> None:
        """Count one line. Cost: ``ORDER`` + 1 contexts per byte."""
        self._lines += 1
        text = START + line
        for index, symbol in enumerate((*line, END)):
            tail = text[max(0, index + 1 - ORDER) : index + 1]
            for first in range(len(tail) + 1):
                self._add(tail[first:], symbol)
        while len(self._ages) > self._max_contexts:
            oldest = next(iter(self._ages))
            del self._ages[oldest], self._counts[oldest]

    def _add(self, context: bytes, symbol: int) -> None:
        at, counts = self._ages.pop(context, 0), self._counts.get(context)
        self._ages[context] = self._lines
        if counts is None:
            counts = self._counts[context] = {}
        elif at != self._lines:
            factor = 2.0 ** ((at - self._lines) / HALF_LIFE_LINES)
            counts = {old: count * factor for old, count in counts.items()}
            self._counts[context] = counts
        counts[symbol] = counts.get(symbol, 0.0) + 1.0

    def state(self) -> Packed:
        """Everything counted, the oldest context first."""
        nodes = [
            [context, at, *counts_of(self._counts[context])] for context, at in self._ages.items()
        ]
        return [self._lines, nodes]

    def load_state(self, state: Packed) -> None:
        """Go on from what ``state`` gave."""
        self._lines, nodes = state
        self._ages = {context: at for context, at, _, _ in nodes}
        self._counts.clear()
        for context, _, symbols, values in nodes:
            self._counts[context] = dict(zip(symbols, values, strict=True))


def counts_of(counts: dict[int, float]) -> tuple[list[int], list[float]]:
    """Symbols and their counts, side by side."""
    return list(counts), list(counts.values())


class _Prepared:
    """What followed one context, shared text and own lines together."""

    __slots__ = (
        "_arrays",
        "_beside",
        "_open",
        "_ranked",
        "own",
        "retained",
        "retained_total",
        "shared",
        "total",
        "weights",
    )

    def __init__(self, own: dict[int, float] | None, shared: dict[int, float] | None) -> None:
        self.own = own
        """The counts of one's own lines that are in it: other ones make it out of date."""
        self.shared = shared
        self.weights = _added(own, shared)
        """Counts by symbol, one's own by their weight."""
        self.retained = {
            symbol: count - ESCAPE if count >= 1.0 else count * (1.0 - ESCAPE)
            for symbol, count in self.weights.items()
        }
        """What each keeps of its count; the rest is the mass of the shorter contexts."""
        self.total = sum(self.weights.values())
        self.retained_total = sum(self.retained.values())
        self._beside: _Prepared | None = None
        self._open = (0.0, 0.0)
        self._ranked: list[tuple[int, float]] | None = None
        self._arrays: tuple[NDArray[np.intp], Floats] | None = None

    def open_in(self, shorter: "_Prepared") -> tuple[float, float]:
        """Counts, and what is retained of them, of symbols that a shorter context alone has seen:
        computed once for the pair.
        """
        if self._beside is not shorter:
            self._beside, self._open = shorter, self._leave(shorter)
        return self._open

    def _leave(self, shorter: "_Prepared") -> tuple[float, float]:
        """``open_in``, by whichever symbols are fewer: those that are open or the others. Where the
        others have nearly all of the counts, a difference would be inexact.
        """
        seen, retained, weights = self.retained, shorter.retained, shorter.weights
        if len(seen) == len(retained):
            return 0.0, 0.0
        if 2 * len(seen) < len(retained):
            total = shorter.total - sum([weights[symbol] for symbol in seen])
            if total > _LEAST_DIFFERENCE * shorter.total:
                return total, shorter.retained_total - sum([retained[symbol] for symbol in seen])
        opened = sorted(retained.keys() - seen.keys())
        return sum([weights[symbol] for symbol in opened]), sum([retained[s] for s in opened])

    @property
    def ranked(self) -> list[tuple[int, float]]:
        """Symbols and what each retains, the heaviest first."""
        if self._ranked is None:
            self._ranked = sorted(self.retained.items(), key=itemgetter(1), reverse=True)
        return self._ranked

    def write(self, p: Floats, scale: float) -> None:
        """Set what this context says of its symbols."""
        if len(self.retained) <= _FEW:
            for symbol, retained in self.retained.items():
                p[symbol] = retained * scale
            return
        if self._arrays is None:
            n = len(self.retained)
            symbols = np.fromiter(self.retained, np.intp, n)
            self._arrays = symbols, np.fromiter(self.retained.values(), np.float64, n)
        p[self._arrays[0]] = self._arrays[1] * scale


def _added(own: dict[int, float] | None, shared: dict[int, float] | None) -> dict[int, float]:
    if own is None:
        return shared or {}
    if shared is None:
        return {symbol: count * OWN_WEIGHT for symbol, count in own.items()}
    weights = shared.copy()
    for symbol, count in own.items():
        weights[symbol] = weights.get(symbol, 0.0) + count * OWN_WEIGHT
    return weights


class Ppm:
    """PPM over one's own lines and, if there is one, the shared text beneath them."""

    def __init__(self, shared: SharedText | None = None, own: ByteCounts | None = None) -> None:
        """``own``: counts that another expert learns; without them it counts and learns alone."""
        self._shared = shared
        self._own = own or ByteCounts()
        self._is_reader = own is not None
        self._known: dict[bytes, _Blend] = {}
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

    def distribution(self, tail: bytes) -> Distribution:
        """After these last bytes. Cost: 10 us for the likely symbols or for all, 30 us at first
        (estimated); nothing the second time.
        """
        known = self._known.get(tail)
        if known is None:
            known = self._known[tail] = _Blend(tail, self._contexts(tail), self._known_beneath)
        return known

    def _contexts(self, tail: bytes) -> list[_Prepared]:
        """Counts of the contexts, the shortest first. Where one never came, no longer one did."""
        contexts = []
        prepared_by, counts_of_own = self._prepared, self._own.counts
        for first in range(len(tail), -1, -1):
            context = tail[first:]
            own = counts_of_own(context)
            prepared = prepared_by.get(context)
            if prepared is None or prepared.own is not own:
                prepared = self._prepare(context, own, prepared)
            if not prepared.retained:
                break
            contexts.append(prepared)
        return contexts

    def _prepare(
        self, context: bytes, own: dict[int, float] | None, old: _Prepared | None
    ) -> _Prepared:
        """The counts of a context as they are now; those of shared text never change."""
        if old is not None:
            shared = old.shared
        else:
            shared = None if self._shared is None else self._shared.counts(context)
        if len(self._prepared) >= MAX_PREPARED:
            self._prepared = dict(islice(self._prepared.items(), MAX_PREPARED // 2, None))
        prepared = self._prepared[context] = _Prepared(own, shared)
        return prepared


_NOT_COMPUTED: Floats = np.empty(0)


class _Blend(Distribution):
    """One distribution out of the counts of contexts, the shortest first.

    Whatever followed a context followed the shorter ones too: what a longer context says of a
    symbol takes the place of what the shorter ones say.
    """

    __slots__ = ("_contexts", "_known_beneath", "_tail")

    def __init__(
        self, tail: bytes, contexts: Sequence[_Prepared], known_beneath: dict[bytes, Floats]
    ) -> None:
        """``known_beneath``: what contexts shorter than ``SHARED_ORDER`` say, by context."""
        super().__init__(_NOT_COMPUTED)
        self._tail, self._contexts, self._known_beneath = tail, contexts, known_beneath

    @property
    def p(self) -> Floats:
        if self._p is _NOT_COMPUTED:
            self._p = self._compute()
        return self._p

    def _compute(self) -> Floats:
        contexts = self._contexts
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
        p = self._beneath(order) * escape
        for context, scale in reversed(said):
            context.write(p, scale)
        return p if len(contexts[0].retained) < SYMBOLS else p / _sum(p)

    def _find_likely(self) -> Iterable[tuple[float, int]]:
        """From the longest context down, as far as one symbol can still have so much: no more than
        the first few contexts are looked at.
        """
        contexts = self._contexts
        if not contexts or SYMBOLS - len(contexts[0].retained) < 1.0 / LEAST_LIKELY:
            return super()._find_likely()
        likely: list[tuple[float, int]] = []
        total, retained, escape = contexts[-1].total, contexts[-1].retained_total, 1.0
        seen: dict[int, float] = {}
        for index in range(len(contexts) - 1, -1, -1):
            context = contexts[index]
            if total > 0.0:
                scale = escape / total
                for symbol, weight in context.ranked:
                    p = weight * scale
                    if p < LEAST_LIKELY:
                        break
                    if symbol not in seen:
                        likely.append((p, symbol))
                escape *= 1.0 - retained / total
            if index == 0 or escape < LEAST_LIKELY:
                break
            seen = context.retained
            total, retained = context.open_in(contexts[index - 1])
        return likely

    def _beneath(self, order: int) -> Floats:
        """(257,) what the contexts shorter than ``order`` say of the symbols that this one has not
        seen, out of a mass of 1; many tails share it.
        """
        context = self._tail[len(self._tail) - order :]
        known = self._known_beneath.get(context)
        if known is None:
            known = self._known_beneath[context] = self._say_beneath(order)
        return known

    def _say_beneath(self, order: int) -> Floats:
        contexts = self._contexts
        if order == 0:
            left = SYMBOLS - len(contexts[0].retained)
            return np.full(SYMBOLS, 1.0 / left if left else 0.0)
        shorter = contexts[order - 1]
        total, retained = contexts[order].open_in(shorter)
        beneath = self._beneath(order - 1)
        if total <= 0.0:
            return beneath
        p = beneath * (1.0 - retained / total)
        shorter.write(p, 1.0 / total)
        return p


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
