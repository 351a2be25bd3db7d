"""Logistic mixing of experts, byte by byte.

p(b) is proportional to exp(sum over experts of w * log p_expert(b)) over the 256 bytes and END
(Mahoney 2005 mixes bits; here whole symbols). The weights are a sum of vectors that small contexts
choose: where in the line, how well lines of the past match, whether the experts agree. They learn
by gradient descent on the log-loss of each byte, after the line is finished: within a line they
stand still, so that the probabilities of all lines sum to 1.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence

import numpy as np

from selflow.text.byte_expert import ByteCursor, ByteExpert
from selflow.text.history import History, HistoryCursor
from selflow.text.lines import END, MAX_LINE_BYTES, SYMBOLS, Cursor, Distribution, Floats, Packed
from selflow.text.ppm import ByteCounts, Ppm, PpmCursor
from selflow.text.shared_text import SharedText

RATES = (0.002, 0.001, 0.001)
"""Of the gradient descent, in weight per nat, by the number of models."""
_DEPTHS = (1, 2, 4, 8, 16)
_MATCHES = 4
_CONFIDENCES = np.log((0.3, 0.6, 0.9)).tolist()
_LEVELS = len(_CONFIDENCES) + 1
ADAPTED_SHARE = 0.25
"""Of the weight of models: what an adapted one begins with; half of it harms where little came."""
_BASE = (0.34, 0.25)
START_WEIGHTS = (
    ((0.2, 0.3, 0.5), (0.2, 0.3, 0.5)),
    ((0.1, 0.2, 0.4, _BASE[0]), (0.1, 0.0, 0.6, _BASE[1])),
    (
        (0.1, 0.2, 0.4, _BASE[0] * (1 - ADAPTED_SHARE), _BASE[0] * ADAPTED_SHARE),
        (0.1, 0.0, 0.6, _BASE[1] * (1 - ADAPTED_SHARE), _BASE[1] * ADAPTED_SHARE),
    ),
)
"""Before anything came, for own bytes, own bytes over shared text, lines of the past, the base and
what was adapted from it: where no line of the past goes on, and where one does. Without models
rounded by hand; with them what fits the development people of bench/text.py, rounded (decision
0049).
"""
_CONFIDENT = 4
"""So many experts have a say in the choice by confidence: an adapted base does not."""


class LineRules:
    """PPM over one's own lines, PPM over the shared text too, and lines of the past above it."""

    def __init__(self, shared: SharedText | None = None) -> None:
        self._own = ByteCounts()
        self._alone = Ppm(None, self._own)
        self.primed = Ppm(shared, self._own)
        """Own bytes over the shared text."""
        self.history = History(self.primed, learns_beneath=False)
        """Whole lines."""

    def start(self, context: bytes) -> "_Rules":
        """The cursors of all three before the first byte."""
        alone, primed = self._alone.start(context), self.primed.start(context)
        return alone, primed, self.history.start(context)

    def learn(self, line: bytes, context: bytes) -> None:
        """A line was finished."""
        self._own.learn(line)
        for expert in (self._alone, self.primed, self.history):
            expert.learn(line, context)

    def state(self) -> list[Packed]:
        """The counts of bytes, and what is known of lines."""
        return [self._own.state(), self.history.state()]

    def load_state(self, own: Packed, history: Packed) -> None:
        """Go on from what ``state`` gave."""
        self.history.load_state(history)
        for expert in (self._alone, self.primed):
            expert.load_state(own)


class Mixer:
    """The mix of PPM over one's own lines, PPM over the shared text too, the line rules and, where
    there are any, models.
    """

    def __init__(
        self,
        shared: SharedText | None = None,
        models: Sequence[ByteExpert] = (),
        rules: "LineRules | None" = None,
    ) -> None:
        """``models``: the base, then what was adapted from it; learned here. ``rules``: those of
        another mix, which learns them after this one has learned; without them it has its own.
        """
        self.rules = rules or LineRules(shared)
        """Its experts without a model."""
        self._learns_rules = rules is None
        self._models = tuple(models)
        self._weights = _start_weights(len(self._models))
        self._started: tuple[bytes, MixCursor] | None = None

    def start(self, context: bytes = b"") -> "MixCursor":
        if self._started is None or self._started[0] != context:
            models = tuple(model.start(context) for model in self._models)
            rules = self.rules.start(context)
            self._started = (context, MixCursor(self._weights, rules, models, 0))
        return self._started[1]

    def start_apart(self, context: bytes) -> "MixCursor":
        """The same cursor, shared with no question before or after: models compute a step alone
        and the same step among others to other last bits.
        """
        if not self._models:
            return self.start(context)
        self._forget_questions()
        start = self.start(context)
        self._forget_questions()
        return start

    def _forget_questions(self) -> None:
        self._started = None
        for model in self._models:
            model.forget_questions()

    def read_ahead(self, line: bytes, context: bytes = b"") -> None:
        """Let the models read a line that is known at once; it changes nothing but the cost."""
        for model in self._models:
            model.read_ahead(line, context)
        self._started = None

    def learn(self, line: bytes, context: bytes = b"", weight: float = 1.0) -> None:
        for _ in self.learn_in_pieces(line, context, weight):
            pass

    def learn_in_pieces(
        self, line: bytes, context: bytes, weight: float = 1.0, start: "MixCursor | None" = None
    ) -> Iterator[None]:
        """The same, with a pause wherever it yields: an adapter that learns takes long. What is
        asked meanwhile is answered by what was known, and changes nothing of what is learned.

        Args:
            line: What was written.
            context: What surrounds it, such as a folder.
            weight: How much it counts for an adapter.
            start: The cursor before the line, if somebody has gone along it already.
        """
        if len(line) > MAX_LINE_BYTES:
            return
        self._learn_weights(line, context, start or self.start(context))
        if self._learns_rules:
            self.rules.learn(line, context)
        self._started = None
        for model in self._models:
            yield from model.learn_in_pieces(line, context, weight)
        self._started = None

    def state(self) -> Packed:
        weights = [table.tolist() for table in self._weights]
        models = [model.state() for model in self._models]
        return [*self.rules.state(), weights, *([models] if models else [])]

    def load_state(self, state: Packed) -> None:
        """Go on from what ``state`` gave. If it was that of a mix with other models, its weights
        say nothing here: they start again, and what the rules learned stays.
        """
        own, history, weights, *models = state
        self.rules.load_state(own, history)
        self._started = None
        learned = models[0] if models else []
        if len(learned) == len(self._models):
            self._weights = [np.array(table) for table in weights]
            for model, saved in zip(self._models, learned, strict=True):
                model.load_state(saved)
        else:
            self._weights = _start_weights(len(self._models))

    def _learn_weights(self, line: bytes, context: bytes, cursor: "MixCursor") -> None:
        """One gradient step per byte: each expert's log p of what came, less what was expected.

        What models say is taken from their own pass over the line, so that no question asked
        before changes the last bits of a weight.
        """
        said = [model.read(line, context) for model in self._models]
        rate = RATES[len(said)]
        for index, symbol in enumerate((*line, END)):
            logs, rows = cursor.inputs([log_p[index] for log_p in said])
            p = _mix(self._weights, rows, logs)
            gradient = logs[:, symbol] - logs @ p
            for table, row in zip(self._weights, rows, strict=True):
                table[row] += rate * gradient
            if symbol != END:
                cursor = cursor.step(symbol)


def _start_weights(models: int) -> list[Floats]:
    """The weights by where in the line and how well it matches, and by who is sure."""
    new, old = START_WEIGHTS[models]
    by_match = np.array([new, *[old] * (_MATCHES - 1)])
    sure = _LEVELS ** min(len(new), _CONFIDENT)
    return [np.tile(by_match, (len(_DEPTHS) + 1, 1)), np.zeros((sure, len(new)))]


def with_adapted_model(state: Packed, learned: Packed) -> Packed:
    """The state of a mix with one model, for one that has an adapted model beside that: it has read
    the same, has ``learned`` so much, and gets ``ADAPTED_SHARE`` of the other's weight. So an
    adapter that changes nothing changes nothing here.
    """
    own, history, weights, (base,) = state
    wider = [[[*row[:-1], *_shared_weight(row[-1])] for row in table] for table in weights]
    return [own, history, wider, [base, [base, *learned]]]


def _shared_weight(base: float) -> tuple[float, float]:
    return base * (1.0 - ADAPTED_SHARE), base * ADAPTED_SHARE


def _mix(weights: Sequence[Floats], rows: tuple[int, int], logs: Floats) -> Floats:
    scores: Floats = (weights[0][rows[0]] + weights[1][rows[1]]).dot(logs)
    scores -= _max(scores)
    np.exp(scores, out=scores)
    scores /= _sum(scores)
    return scores


_max, _sum = np.maximum.reduce, np.add.reduce


class MixCursor:
    """The experts' cursors, side by side."""

    __slots__ = ("_depth", "_models", "_next", "_rules", "_said", "_weights")

    def __init__(
        self, weights: Sequence[Floats], rules: "_Rules", models: "_Models", depth: int
    ) -> None:
        self._weights, self._depth = weights, depth
        self._rules, self._models = rules, models
        self._said: Distribution | None = None
        self._next: dict[int, MixCursor] = {}

    @property
    def p(self) -> Floats:
        return self.distribution.p

    @property
    def distribution(self) -> Distribution:
        if self._said is None:
            logs, rows = self.inputs([model.log_p for model in self._models])
            self._said = Distribution(_mix(self._weights, rows, logs))
        return self._said

    def step(self, byte: int) -> "MixCursor":
        cursor = self._next.get(byte)
        if cursor is None:
            own, primed, history = self._rules
            rules = (own.step(byte), primed.step(byte), history.step(byte))
            models = tuple(model.step(byte) for model in self._models)
            cursor = self._next[byte] = MixCursor(self._weights, rules, models, self._depth + 1)
        return cursor

    def lines_ahead(self) -> Sequence[bytes]:
        """What the rules of lines say."""
        return self._rules[2].lines_ahead()

    @property
    def guide(self) -> HistoryCursor | None:
        """Where to look for completions that the models then judge; None without models."""
        return self._rules[2] if self._models else None

    @property
    def is_read(self) -> bool:
        """Whether the models computed what they say here."""
        return all(model.is_read for model in self._models)

    def read_on(self, texts: Sequence[bytes]) -> None:
        """Let the models read all these ways to go on in one pass; it changes nothing but the cost
        and the last bits of what they say.
        """
        for model in self._models:
            model.read_on(texts)

    def inputs(self, models: Sequence[Floats]) -> tuple[Floats, tuple[int, int]]:
        """(experts, 257) log probabilities, and which vector of each table has a say.

        Args:
            models: What the models say here, (257,) log probabilities each.
        """
        logs = np.empty((len(self._rules) + len(models), SYMBOLS))
        rules: tuple[Cursor, ...] = self._rules
        for row, cursor in enumerate(rules):
            logs[row] = cursor.distribution.log_p
        for row, log_p in enumerate(models, start=len(self._rules)):
            logs[row] = log_p
        confidence = 0
        for highest in _max(logs[:_CONFIDENT], axis=1).tolist():
            confidence = confidence * _LEVELS + bisect_left(_CONFIDENCES, highest)
        mass = self._rules[2].mass
        match = 0 if not mass else 1 if mass < 0.02 else 2 if mass < 0.2 else 3
        position = sum(self._depth >= start for start in _DEPTHS)
        return logs, (position * _MATCHES + match, confidence)


_Rules = tuple[PpmCursor, PpmCursor, HistoryCursor]
_Models = tuple[ByteCursor, ...]
