"""How good an answer was, and the sums of that over a stream.

A step may hold several labels. A guess hits if it names any of them. The log-loss is the mean over
the members of -log2 p(member); a label never seen before is NEW. The calibration error compares the
first guess's probability with the part of the step's members that it is (for a step of one label:
hit or miss).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from selflow.predict.calibration import expected_calibration_error
from selflow.predict.ensemble import Forecast, Outcome
from selflow.predict.table import Floats

TOP = 5
_LEAST = 1e-12


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
        """The figures of ``interfaces.md`` 15."""
        n = max(1, len(self.grades))
        bits, hit_at_5, confidence, outcome = self.outcomes()
        return {
            "steps": len(self.grades),
            "hit@1": sum(g.hit_at_1 for g in self.grades) / n,
            "hit@5": int(hit_at_5.sum()) / n,
            "log_loss_bits": float(bits.sum()) / n,
            "ece": expected_calibration_error(confidence, outcome),
        }


def log_loss_bits(p_known: Iterable[float], p_new: float, fresh: int) -> float:
    """Mean over a step's members of -log2 p; ``fresh`` of them are new."""
    bits = [-math.log2(max(p, _LEAST)) for p in p_known]
    return (sum(bits) - fresh * math.log2(max(p_new, _LEAST))) / (len(bits) + fresh)


def grade_pool(forecast: Forecast, outcome: Outcome) -> Grade:
    """The grade of the pool: its guesses in their order, its probabilities calibrated."""
    places = forecast.places(outcome.known)
    order = forecast.ranked(TOP)
    came = {*places.tolist(), *forecast.hits(outcome.unseen)}
    hits = [place in came for place in order]
    bits = log_loss_bits(forecast.pool[places].tolist(), forecast.pool_fresh, outcome.fresh)
    first = forecast.chance(order[0]) if order else 0.0
    hit = any(hits[:1])
    return Grade(hit, any(hits), bits, first, hit / outcome.members)


class Board:
    """The tallies of many experts at once."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._steps = 0
        self._sums: Floats = np.zeros((3, len(self._names)))
        self._confidence: list[Floats] = []
        self._outcome: list[Floats] = []

    def add(self, forecast: Forecast, outcome: Outcome) -> None:
        """Grade every row of a forecast."""
        came = np.zeros(forecast.p.shape[1], dtype=bool)
        places = forecast.places(outcome.known)
        came[places] = True
        logs = np.log2(np.maximum(forecast.p[:, places], _LEAST)).sum(axis=1)
        logs += outcome.fresh * np.log2(np.maximum(forecast.fresh, _LEAST))
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
        self._sums += np.array([at_1, at_5, logs / -outcome.members])
        self._confidence.append(first)
        self._outcome.append(at_1 / outcome.members)

    def figures(self) -> dict[str, dict[str, float | int]]:
        """By name, the figures of ``interfaces.md`` 15."""
        n = max(1, self._steps)
        confidence, outcome = np.array(self._confidence), np.array(self._outcome)
        found: dict[str, dict[str, float | int]] = {}
        for i, name in enumerate(self._names):
            error = (
                expected_calibration_error(confidence[:, i], outcome[:, i]) if self._steps else 0.0
            )
            at_1, at_5, bits = (float(x) / n for x in self._sums[:, i])
            found[name] = {
                "steps": self._steps,
                "hit@1": at_1,
                "hit@5": at_5,
                "log_loss_bits": bits,
                "ece": error,
            }
        return found
