"""Whole lines that came before: which one comes again, by recency, frequency, what followed what,
and where.

Each rule gives a distribution over lines: decayed counts of the lines that came in its own context
(any; after the last line; after the last two; in the same folder). The rules are weighted by how
likely they held what came (a Bayesian mixture with a fixed share; a rule that knows nothing of its
context has no say). Beneath the lines stands an escape to another expert's distribution, learned by
how often the line so far was no line of the past (Krichevsky and Trofimov 1981).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter

from selflow.text.lines import (
    END,
    MAX_AHEAD_BYTES,
    MAX_AHEAD_LINES,
    MAX_LINE_BYTES,
    Cursor,
    Distribution,
    Floats,
    Packed,
    TextExpert,
)

MAX_LINES = 2_048
"""Lines that a context of a rule holds; the ones that came longest ago leave."""
MAX_RULE_CONTEXTS = 4_096
"""Contexts that a rule holds; likewise."""
SHARE = 0.03
FREQUENT_HALF_LIFE_LINES = 60.0
_SEPARATOR = b"\x00"
_DEPTHS = (0, 1, 2, 4, 8, 16)


@dataclass(slots=True)
class LineCounts:
    """Decayed counts of lines by context; a context's half-life is in its own lines."""

    half_life_lines: float
    contexts: dict[bytes, tuple[int, dict[bytes, tuple[float, int]]]] = field(default_factory=dict)

    def learn(self, context: bytes, line: bytes) -> None:
        """The line came in the context."""
        lines_seen, lines = self.contexts.pop(context, (0, {}))
        count, at = lines.pop(line, (0.0, 0))
        count *= 2.0 ** ((at - lines_seen) / self.half_life_lines)
        lines[line] = (count + 1.0, lines_seen)
        if len(lines) > MAX_LINES:
            del lines[next(iter(lines))]
        self.contexts[context] = (lines_seen + 1, lines)
        if len(self.contexts) > MAX_RULE_CONTEXTS:
            del self.contexts[next(iter(self.contexts))]

    def shares(self, context: bytes) -> dict[bytes, float]:
        """Each line's share of the context's decayed counts, sums to 1; empty where nothing came.
        Cost: O(lines of the context).
        """
        lines_seen, lines = self.contexts.get(context, (0, {}))
        rate = 1.0 / self.half_life_lines
        shares = {
            line: count * 2.0 ** ((at - lines_seen) * rate) for line, (count, at) in lines.items()
        }
        total = sum(shares.values())
        return {line: share / total for line, share in shares.items()} if total else {}

    def newest(self) -> list[bytes]:
        """The lines that came in the empty context, the newest first."""
        return list(reversed(self.contexts.get(b"", (0, {}))[1]))

    def state(self) -> Packed:
        return [
            [context, seen, [[line, *pair] for line, pair in lines.items()]]
            for context, (seen, lines) in self.contexts.items()
        ]

    def load_state(self, state: Packed) -> None:
        self.contexts = {
            context: (seen, {line: (count, at) for line, count, at in lines})
            for context, seen, lines in state
        }


RULES = (
    ("recent", 4.0),
    ("frequent", FREQUENT_HALF_LIFE_LINES),
    ("after_line", 20.0),
    ("after_two", 20.0),
    ("folder", FREQUENT_HALF_LIFE_LINES),
    ("folder_after_line", 20.0),
)
"""(name, half-life in lines of its context)"""


class History:
    """All line rules, weighted into one distribution over lines, above an escape."""

    def __init__(self, beneath: TextExpert, *, learns_beneath: bool = True) -> None:
        """``beneath``: says what comes where no line of the past goes on; it is learned here
        unless somebody else does that.
        """
        self._beneath, self._learns_beneath = beneath, learns_beneath
        self._counts = [LineCounts(half_life) for _, half_life in RULES]
        self._weights = [1.0 / len(RULES)] * len(RULES)
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._escapes: dict[int, tuple[float, float]] = {}
        self._started: tuple[bytes, HistoryCursor] | None = None
        self._known_shares: tuple[bytes, list[dict[bytes, float]]] | None = None

    def start(self, context: bytes = b"") -> "HistoryCursor":
        if self._started is None or self._started[0] != context:
            matching = list(self._weigh(self._shares(context)).items())
            cursor = HistoryCursor(self, matching, 0, self._beneath.start(context))
            self._started = (context, cursor)
        return self._started[1]

    def _weigh(self, shares: Sequence[dict[bytes, float]]) -> dict[bytes, float]:
        """All rules that know their context in one distribution over lines."""
        active = sum(weight for weight, lines in zip(self._weights, shares, strict=True) if lines)
        weights: dict[bytes, float] = {}
        for weight, lines in zip(self._weights, shares, strict=True):
            for line, share in lines.items():
                weights[line] = weights.get(line, 0.0) + weight / active * share
        return weights

    def learn(self, line: bytes, context: bytes = b"") -> None:
        if len(line) > MAX_LINE_BYTES:
            return
        self._learn_weights(line, context)
        self._learn_escapes(line, context)
        for counts, key in zip(self._counts, self._keys(context), strict=True):
            counts.learn(key, line)
        self._last = (self._last[1], line)
        if self._learns_beneath:
            self._beneath.learn(line, context)
        self._started = self._known_shares = None

    def escape(self, depth: int, mass: float) -> float:
        """The probability that a line which has matched so far goes on as none of the past."""
        escapes, tries = self._escapes.get(_bucket(depth, mass), (0.0, 0.0))
        return (escapes + 0.5) / (tries + 1.0)

    def state(self) -> Packed:
        escapes = [[bucket, *pair] for bucket, pair in self._escapes.items()]
        counts = [rule.state() for rule in self._counts]
        own = [list(self._weights), list(self._last), escapes, counts]
        return [own, self._beneath.state() if self._learns_beneath else None]

    def load_state(self, state: Packed) -> None:
        (weights, last, escapes, counts), beneath = state
        self._started = self._known_shares = None
        self._weights, self._last = list(weights), (last[0], last[1])
        self._escapes = {bucket: (escaped, tries) for bucket, escaped, tries in escapes}
        for rule, saved in zip(self._counts, counts, strict=True):
            rule.load_state(saved)
        if self._learns_beneath:
            self._beneath.load_state(beneath)

    def _keys(self, context: bytes) -> tuple[bytes, ...]:
        two = _SEPARATOR.join(self._last)
        return (b"", b"", self._last[1], two, context, _SEPARATOR.join((context, self._last[1])))

    def _shares(self, context: bytes) -> list[dict[bytes, float]]:
        if self._known_shares is None or self._known_shares[0] != context:
            pairs = zip(self._counts, self._keys(context), strict=True)
            self._known_shares = context, [rule.shares(key) for rule, key in pairs]
        return self._known_shares[1]

    def _learn_weights(self, line: bytes, context: bytes) -> None:
        """Rules that know their context are weighted by what they said of the line."""
        shares = self._shares(context)
        if not any(line in lines for lines in shares):
            return
        active = [index for index, lines in enumerate(shares) if lines]
        before = sum(self._weights[index] for index in active)
        likely = {i: self._weights[i] * (shares[i].get(line, 0.0) + 1e-3) for i in active}
        after = sum(likely.values())
        for index, weight in likely.items():
            new = before * ((1.0 - SHARE) * weight / after + SHARE / len(active))
            self._weights[index] = new

    def _learn_escapes(self, line: bytes, context: bytes) -> None:
        cursor = self.start(context)
        for depth, symbol in enumerate((*line, END)):
            mass = cursor.mass
            if not mass:
                return
            goes_on = any(_symbol(old, depth) == symbol for old, _ in cursor.matching)
            bucket = _bucket(depth, mass)
            escapes, tries = self._escapes.get(bucket, (0.0, 0.0))
            self._escapes[bucket] = (0.98 * escapes + (not goes_on), 0.98 * tries + 1.0)
            if symbol != END:
                cursor = cursor.step(symbol)


def _bucket(depth: int, mass: float) -> int:
    """Where in the line, and how much of what came before agrees with it."""
    size = 0 if mass < 0.01 else 1 if mass < 0.1 else 2
    return sum(depth >= start for start in _DEPTHS) * 3 + size


def _symbol(line: bytes, index: int) -> int:
    return line[index] if index < len(line) else END


class HistoryCursor:
    """The lines that still match what was typed."""

    __slots__ = ("_ahead", "_beneath", "_depth", "_history", "_next", "_said", "mass", "matching")

    def __init__(
        self,
        history: History,
        matching: Sequence[tuple[bytes, float]],
        depth: int,
        beneath: Cursor,
    ) -> None:
        self._history, self._depth, self._beneath = history, depth, beneath
        self.matching = matching
        """The lines and their weights."""
        self.mass = sum(weight for _, weight in matching)
        self._said: Distribution | None = None
        self._ahead: Sequence[bytes] | None = None
        self._next: dict[int, HistoryCursor] = {}

    @property
    def p(self) -> Floats:
        return self.distribution.p

    @property
    def distribution(self) -> Distribution:
        if self._said is None:
            beneath = self._beneath.distribution
            self._said = self._with_lines(beneath.p) if self.mass else beneath
        return self._said

    def step(self, byte: int) -> "HistoryCursor":
        cursor = self._next.get(byte)
        if cursor is None:
            depth = self._depth
            matching = [pair for pair in self.matching if _symbol(pair[0], depth) == byte]
            cursor = HistoryCursor(self._history, matching, depth + 1, self._beneath.step(byte))
            self._next[byte] = cursor
        return cursor

    def lines_ahead(self) -> Sequence[bytes]:
        """The heaviest lines that match. Cost: O(matching lines), once."""
        if self._ahead is None:
            lo, hi = self._depth, self._depth + MAX_AHEAD_BYTES
            longer = (pair for pair in self.matching if lo < len(pair[0]) <= hi)
            heaviest = nlargest(MAX_AHEAD_LINES, longer, key=itemgetter(1))
            self._ahead = [line[lo:] for line, _ in heaviest]
        return self._ahead

    def _with_lines(self, beneath: Floats) -> Distribution:
        escape = self._history.escape(self._depth, self.mass)
        p = escape * beneath
        scale = (1.0 - escape) / self.mass
        depth = self._depth
        for line, weight in self.matching:
            p[line[depth] if depth < len(line) else END] += weight * scale
        return Distribution(p)
