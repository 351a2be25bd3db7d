"""How good an answer was, and the sums of that over a stream.

A step may hold several labels. A guess hits if it names any of them. The log-loss is the mean over
the members of -log2 p(member); a label that never came before is NEW, for everybody who is
compared: ``EverSeen`` tells it from one that a bounded predictor has forgotten. The calibration
error (``ece``) compares the first guess's probability with the part of the step's members that it
is (for a step of one label: hit or miss).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selflow.predict.calibration import expected_calibration_error
from selflow.predict.forecast import Forecast, Outcome
from selflow.predict.table import Floats

TOP = 5
"""Guesses that are graded."""
_LEAST = 1e-12
"""A probability of 0 has no logarithm; this one costs 40 bits."""


@dataclass(frozen=True, slots=True)
class Grade:
    """One answer on one step."""

    hit_at_1: bool
    hit_at_5: bool
    log_loss_bits: float
    confidence: float
    outcome: float


@dataclass(slots=True)
class Tally:
    """The grades of a stream, step by step."""

    grades: list[Grade] = field(default_factory=list)

    def add(self, grade: Grade) -> None:
        self.grades.append(grade)

    def outcomes(self) -> tuple[Floats, NDArray[np.bool_], Floats, Floats]:
        """(n,) each: log-loss in bits, hit at 5, what the first guess was given, the part of the
        step that it was.
        """
        rows = [(g.log_loss_bits, g.hit_at_5, g.confidence, g.outcome) for g in self.grades]
        bits, hit_at_5, confidence, outcome = np.array(rows, dtype=np.float64).reshape(-1, 4).T
        return bits, hit_at_5 > 0.0, confidence, outcome

    def figures(self) -> dict[str, float | int]:
        """The figures of docs/learning.md#figures."""
        n = max(1, len(self.grades))
        bits, hit_at_5, confidence, outcome = self.outcomes()
        return {
            "steps": len(self.grades),
            "hit@1": sum(g.hit_at_1 for g in self.grades) / n,
            "hit@5": int(hit_at_5.sum()) / n,
            "log_loss_bits": float(bits.sum()) / n,
            "ece": expected_calibration_error(confidence, outcome),
        }


def log_loss_bits(p_known: Iterable[float], p_new: float, n_new: int) -> float:
    """Mean over a step's members of -log2 p, in bits.

    Args:
        p_known: The probability of each member that was known.
        p_new: That of NEW, which stands for each of the others.
        n_new: How many those are; at least one member in all.

    A probability below 1e-12 counts as that, so that one step costs at most 40 bits.
    """
    bits = [-math.log2(max(p, _LEAST)) for p in p_known]
    return (sum(bits) - n_new * math.log2(max(p_new, _LEAST))) / (len(bits) + n_new)


class EverSeen:
    """Every label of a stream so far, to grade a label that a bounded predictor has forgotten.

    A predictor gives one probability q to all labels that it does not know. Of these, F came before
    and were forgotten; only one that never came is NEW, as for the simple rules. q is divided: the
    part s = (r + 1/2) / (r + n + 1) belongs to the forgotten labels, s / F to each, where r
    forgotten and n new labels have come so far; 1 - s is NEW's. The sum stays q. While nothing is
    forgotten NEW has all of q.

    Source: Krichevsky and Trofimov 1981 for the estimate of s.
    """

    def __init__(self) -> None:
        self._labels: set[str] = set()
        self._forgotten = 0
        self._new = 0

    def extra_bits(self, unknown: Sequence[str], labels_known: int) -> float:
        """What a step costs beyond q for each of its labels, in bits; changes nothing.

        Args:
            unknown: The step's labels that the predictor does not know.
            labels_known: How many labels it knows, before it learns the step.
        """
        hidden = len(self._labels) - labels_known
        if hidden <= 0:
            return 0.0
        forgotten = sum(label in self._labels for label in unknown)
        share = (self._forgotten + 0.5) / (self._forgotten + self._new + 1.0)
        return -forgotten * math.log2(share / hidden) - (len(unknown) - forgotten) * math.log2(
            1.0 - share
        )

    def learn(self, labels: Sequence[str], unknown: Sequence[str]) -> None:
        """Take in a step: all its labels, and those of them that the predictor did not know."""
        forgotten = sum(label in self._labels for label in unknown)
        self._forgotten += forgotten
        self._new += len(unknown) - forgotten
        self._labels.update(labels)


def grade_pool(forecast: Forecast, outcome: Outcome, extra_bits: float = 0.0) -> Grade:
    """The grade of the pool: its guesses in their order, its probabilities calibrated.

    ``extra_bits``: ``EverSeen.extra_bits`` of the step.
    """
    known = forecast.indices(outcome.known)
    guesses = forecast.ranked(TOP)
    came = {*known.tolist(), *forecast.hits(outcome.unseen)}
    hits = [guess in came for guess in guesses]
    bits = log_loss_bits(forecast.pool[known].tolist(), forecast.pool_new, outcome.n_new)
    bits += extra_bits / outcome.members
    first = forecast.probability(guesses[0]) if guesses else 0.0
    hit = any(hits[:1])
    return Grade(hit, any(hits), bits, first, hit / outcome.members)


class Board:
    """The tallies of many experts at once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._steps = 0
        self._sums: Floats = np.zeros((3, len(self._names)))  # hits at 1, hits at 5, bits
        self._confidence: list[Floats] = []
        self._outcome: list[Floats] = []

    def add(self, forecast: Forecast, outcome: Outcome, extra_bits: float = 0.0) -> None:
        """Grade every row of a forecast, as ``grade_pool`` does.

        Cost: O(k n log n) for k rows and n candidates.
        """
        came = np.zeros(forecast.p.shape[1], dtype=bool)
        known = forecast.indices(outcome.known)
        came[known] = True
        logs = np.log2(np.maximum(forecast.p[:, known], _LEAST)).sum(axis=1)
        logs += outcome.n_new * np.log2(np.maximum(forecast.p_new, _LEAST))
        at_1: Floats = np.zeros(len(self._names))
        at_5, first = at_1, at_1
        if forecast.n:
            # Of equals the first leads, without a slow stable sort
            tilt = 1e-9 * np.arange(forecast.n) - 1.0
            order = np.argsort(forecast.p[:, : forecast.n] * tilt, axis=1)[:, :TOP]
            hits = came[order]
            at_1, at_5 = (
                hits[:, 0].astype(np.float64),
                np.asarray(hits.any(axis=1), dtype=np.float64),
            )
            first = forecast.p[np.arange(len(order)), order[:, 0]]
        self._steps += 1
        self._sums += np.array([at_1, at_5, (extra_bits - logs) / outcome.members])
        self._confidence.append(first)
        self._outcome.append(at_1 / outcome.members)

    def figures(self) -> dict[str, dict[str, float | int]]:
        """By name, the figures of docs/learning.md#figures."""
        n = max(1, self._steps)
        confidence, outcome = np.array(self._confidence), np.array(self._outcome)
        figures: dict[str, dict[str, float | int]] = {}
        for i, name in enumerate(self._names):
            error = (
                expected_calibration_error(confidence[:, i], outcome[:, i]) if self._steps else 0.0
            )
            at_1, at_5, bits = (float(x) / n for x in self._sums[:, i])
            figures[name] = {
                "steps": self._steps,
                "hit@1": at_1,
                "hit@5": at_5,
                "log_loss_bits": bits,
                "ece": error,
            }
        return figures
