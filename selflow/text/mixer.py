"""Logistic mixing of experts, byte by byte.

p(b) is proportional to exp(sum over experts of w * log p_expert(b)) over the 256 bytes and END
(Mahoney 2005 mixes bits; here whole symbols). The weights are a sum of vectors that small contexts
choose: where in the line, how well lines of the past match, whether the experts agree. They learn
by gradient descent on the log-loss of each byte, after the line is finished: within a line they
stand still, so that the probabilities of all lines sum to 1.
"""

from collections.abc import Sequence

import numpy as np

from selflow.text.history import History, HistoryCursor
from selflow.text.lines import END, MAX_LINE_BYTES, Floats, Packed
from selflow.text.ppm import ByteCounts, Ppm, PpmCursor
from selflow.text.shared_text import SharedText

RATE = 0.002
"""Of the gradient descent, in weight per nat."""
_DEPTHS = (1, 2, 4, 8, 16)
_MATCHES = 4
_CONFIDENCES = np.log((0.3, 0.6, 0.9))
_LEVELS = len(_CONFIDENCES) + 1
START_WEIGHTS = (0.2, 0.3, 0.5)
"""Before anything came, for own bytes, own bytes over shared text and lines of the past: rounded by
hand, near what the development people of bench/text.py prefer.
"""

_Cursors = tuple[PpmCursor, PpmCursor, HistoryCursor]


class Mixer:
    """The mix of PPM over one's own lines, PPM over the shared text too, and the line rules."""

    def __init__(self, shared: SharedText | None = None) -> None:
        self._own = ByteCounts()
        self.primed = Ppm(shared, self._own)
        """Its expert of own bytes over the shared text; learned here."""
        self.history = History(self.primed, learns_beneath=False)
        """Its expert of whole lines; learned here."""
        self._experts = (Ppm(None, self._own), self.primed, self.history)
        self._weights = [
            np.tile(np.array(START_WEIGHTS), ((len(_DEPTHS) + 1) * _MATCHES, 1)),
            np.zeros((_LEVELS ** len(START_WEIGHTS), len(START_WEIGHTS))),
        ]
        self._started: tuple[bytes, MixCursor] | None = None

    def start(self, context: bytes = b"") -> "MixCursor":
        if self._started is None or self._started[0] != context:
            own, primed, history = self._experts
            cursors = (own.start(context), primed.start(context), history.start(context))
            self._started = (context, MixCursor(self._weights, cursors, 0))
        return self._started[1]

    def learn(self, line: bytes, context: bytes = b"") -> None:
        if len(line) > MAX_LINE_BYTES:
            return
        self._learn_weights(line, self.start(context))
        self._own.learn(line)
        for expert in self._experts:
            expert.learn(line, context)
        self._started = None

    def state(self) -> Packed:
        weights = [table.tolist() for table in self._weights]
        return [self._own.state(), self.history.state(), weights]

    def load_state(self, state: Packed) -> None:
        own, history, weights = state
        self.history.load_state(history)
        self._weights = [np.array(table) for table in weights]
        self._started = None
        for expert in self._experts[:2]:
            expert.load_state(own)

    def _learn_weights(self, line: bytes, cursor: "MixCursor") -> None:
        """One gradient step per byte: each expert's log p of what came, less what was expected."""
        for symbol in (*line, END):
            logs, rows = cursor.inputs()
            p = _mix(self._weights, rows, logs)
            gradient = logs[:, symbol] - logs @ p
            for table, row in zip(self._weights, rows, strict=True):
                table[row] += RATE * gradient
            if symbol != END:
                cursor = cursor.step(symbol)


def _mix(weights: Sequence[Floats], rows: tuple[int, int], logs: Floats) -> Floats:
    scores = (weights[0][rows[0]] + weights[1][rows[1]]) @ logs
    p = np.exp(scores - scores.max())
    return np.asarray(p / p.sum())


class MixCursor:
    """The experts' cursors, side by side."""

    __slots__ = ("_cursors", "_depth", "_inputs", "_next", "_p", "_weights")

    def __init__(self, weights: Sequence[Floats], cursors: "_Cursors", depth: int) -> None:
        self._weights, self._cursors, self._depth = weights, cursors, depth
        self._inputs: tuple[Floats, tuple[int, int]] | None = None
        self._p: Floats | None = None
        self._next: dict[int, MixCursor] = {}

    @property
    def p(self) -> Floats:
        if self._p is None:
            logs, rows = self.inputs()
            self._p = _mix(self._weights, rows, logs)
        return self._p

    def step(self, byte: int) -> "MixCursor":
        cursor = self._next.get(byte)
        if cursor is None:
            own, primed, history = self._cursors
            cursors = (own.step(byte), primed.step(byte), history.step(byte))
            cursor = self._next[byte] = MixCursor(self._weights, cursors, self._depth + 1)
        return cursor

    def inputs(self) -> tuple[Floats, tuple[int, int]]:
        """(experts, 257) log probabilities, and which vector of each table has a say."""
        if self._inputs is None:
            logs = np.log(np.stack([cursor.p for cursor in self._cursors]))
            sure = np.searchsorted(_CONFIDENCES, logs.max(axis=1)).tolist()
            confidence = (sure[0] * _LEVELS + sure[1]) * _LEVELS + sure[2]
            mass = self._cursors[2].mass
            match = 0 if not mass else 1 if mass < 0.02 else 2 if mass < 0.2 else 3
            position = sum(self._depth >= start for start in _DEPTHS)
            rows = (position * _MATCHES + match, confidence)
            self._inputs = (logs, rows)
        return self._inputs
