"""Are the probabilities true? A temperature refitted from the past, a correction of the first guess
on top, and the error that is left.
"""

import math
from collections.abc import Sequence

import numpy as np

from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats

TEMPERATURES: Floats = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0])
"""A grid, so that a refit is a sum over losses at hand and needs no optimiser."""
_WINDOW_STEPS = 2000
_REFIT_STEPS = 50
_MIN_STEPS = 200
"""Steps that are looked back on, between two refits, and before the first one."""
_FIRST_FORGET = 0.9995
"""Of the curvature of the first guess's correction, per step: it follows 2,000 steps."""
_FIRST_PRECISION = 20.0
"""Of the Gaussian prior on bias and slope each: as firm as 80 steps of probability one half."""
_LEAST = 1e-6
"""Probabilities nearer to 0 or 1 are not corrected: what is left for the others would be lost."""


class Temperature:
    """p^(1/T), renormalised, with the T that had the lowest log-loss over the last 2,000 live
    steps.

    The losses at all temperatures of the grid are stored, so a refit (every 50 steps, from the past
    only) is a sum. Source: temperature scaling, Guo et al. 2017; here refitted online, on a grid.
    """

    def __init__(self) -> None:
        self.value = 1.0
        self._losses: Floats = np.zeros((_WINDOW_STEPS, len(TEMPERATURES)))
        self._steps = 0

    def apply(self, p: Floats, outside: float) -> tuple[Floats, float]:
        """The candidates' probabilities and that of everything else, sharpened or flattened.

        Args:
            p: (n,).
            outside: The rest; together they sum to 1.

        Returns:
            (n,) and the rest; together they sum to 1. Cost: O(n).
        """
        if self.value == 1.0:
            return p, outside
        whole = np.append(p, outside) ** (1.0 / self.value)
        whole /= whole.sum()
        return whole[:-1], float(whole[-1])

    def learn(self, p: Floats, outside: float, shares: Floats) -> None:
        """Take in one step.

        Args:
            p: (n,), the candidates' probabilities before calibration.
            outside: The rest.
            shares: (n + 1,), the part of the step's members at each candidate and outside; sums
                to 1.

        Cost: O(10 n); a refit O(10 x 2,000).
        """
        log_p = np.log(np.maximum(np.append(p, outside), 1e-12))
        powered = np.exp(log_p / TEMPERATURES[:, None])
        hit = shares > 0
        loss = np.log(powered.sum(axis=1)) - (log_p[hit] @ shares[hit]) / TEMPERATURES
        self._losses[self._steps % _WINDOW_STEPS] = loss
        self._steps += 1
        if self._steps >= _MIN_STEPS and self._steps % _REFIT_STEPS == 0:
            seen = self._losses[: min(self._steps, _WINDOW_STEPS)]
            self.value = float(TEMPERATURES[int(np.argmin(seen.sum(axis=0)))])

    def state(self) -> Packed:
        return [
            self.value,
            self._steps,
            pack_array(self._losses[: min(self._steps, _WINDOW_STEPS)]),
        ]

    def load_state(self, packed: Packed) -> None:
        self.value, self._steps, losses = packed
        self._losses[: min(self._steps, _WINDOW_STEPS)] = unpack_array(losses)


class FirstGuess:
    """How far to believe the probability p of the first guess: logit q = bias + slope logit p.

    The first guess is the largest of many noisy scores, so it is stated too high, and the more so
    the more is learned online (decision 0041); a temperature moves all labels alike and cannot say
    that. Bias and slope start at 0 and 1 and move by online Newton steps on the log-loss of the
    part of the step's members that the first guess is, from the past only. The loss of what the
    others share is not touched. Source: Platt 1999, learned online; Hazan et al. 2007.
    """

    def __init__(self) -> None:
        self._bias, self._slope = 0.0, 1.0
        self._curvature = (_FIRST_PRECISION, 0.0, _FIRST_PRECISION)
        """Of the loss: bias by bias, bias by slope, slope by slope."""

    def apply(self, p: float) -> float:
        """The corrected probability, in (0, 1) where ``p`` is. Cost: O(1)."""
        if not _LEAST < p < 1.0 - _LEAST:
            return p
        corrected = 1.0 / (1.0 + math.exp(-(self._bias + self._slope * _logit(p))))
        return min(max(corrected, _LEAST), 1.0 - _LEAST)

    def learn(self, p: float, outcome: float) -> None:
        """One Newton step.

        Args:
            p: The first guess's probability before its correction.
            outcome: The part of the step's members that it was, in [0, 1].

        Cost: O(1), about 2 us: plain numbers, because arrays of two cost ten times that.
        """
        if not _LEAST < p < 1.0 - _LEAST:
            return
        q, logit = self.apply(p), _logit(p)
        spread, held = q * (1.0 - q), (1.0 - _FIRST_FORGET) * _FIRST_PRECISION
        bias, both, slope = (_FIRST_FORGET * entry for entry in self._curvature)
        bias, both, slope = (
            bias + spread + held,
            both + spread * logit,
            slope + spread * logit * logit + held,
        )
        self._curvature = bias, both, slope
        step = (q - outcome) / (bias * slope - both * both)
        self._bias -= step * (slope - both * logit)
        self._slope -= step * (bias * logit - both)

    def state(self) -> Packed:
        return [self._bias, self._slope, list(self._curvature)]

    def load_state(self, packed: Packed) -> None:
        self._bias, self._slope, (bias, both, slope) = packed
        self._curvature = bias, both, slope


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))


def expected_calibration_error(
    confidence: Sequence[float] | Floats, outcome: Sequence[float] | Floats, bins: int = 15
) -> float:
    """Mean distance between stated and observed frequency over bins of equal mass.

    Args:
        confidence: (n,), the probability given to the first label of each list.
        outcome: (n,), what came of it: 1 or 0, or for a set step the part of its members that this
            label is.
        bins: Bins of (nearly) equal numbers of steps.

    Returns:
        In [0, 1]; 0 without steps. Cost: O(n log n).

    Source: Naeini et al. 2015, with bins of equal mass (Nguyen and O'Connor 2015).
    """
    if not len(confidence):
        return 0.0
    order = np.argsort(np.array(confidence), kind="stable")
    stated, seen = np.array(confidence)[order], np.array(outcome)[order]
    parts = zip(np.array_split(stated, bins), np.array_split(seen, bins), strict=True)
    return float(sum(abs(float(a.sum()) - float(b.sum())) for a, b in parts) / len(order))
