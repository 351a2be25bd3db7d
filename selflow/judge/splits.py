"""A stream in four parts by time: learned from, tuned on, left out, judged on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.judge.blocks import SESSION_GAP_S, sessions

LEAST_STEPS = 100
"""With fewer, the gate part holds no block of 20 steps."""
SLACK_FRACTION = 0.02
"""Of all steps: how far a cut moves to a pause."""


@dataclass(frozen=True, slots=True)
class Split:
    """Half-open ranges of indices; what lies between ``tune`` and ``gate`` is in no part: the
    embargo.
    """

    train: tuple[int, int]
    tune: tuple[int, int]
    gate: tuple[int, int]


def split_by_time(steps: Sequence[Step], gap_s: float = SESSION_GAP_S) -> Split:
    """The first 70% train, the next 10% tune, without their last session, and the last 20% gate.

    Both cuts move by up to 2% of all steps to the nearest pause, so that no session stands on two
    sides; where there is none the session is divided. Of a long session only the last 2% of all
    steps are left out.

    Raises:
        UsageError: There are fewer than 100 steps. ShapeError: The steps are not in the order of
        time.
    """
    n = len(steps)
    if n < LEAST_STEPS:
        raise UsageError(
            f"too few steps to learn from and to judge on: {n}", f"collect at least {LEAST_STEPS}"
        )
    ts_us = np.array([step.ts_us for step in steps], dtype=np.int64)
    if np.any(np.diff(ts_us) < 0):
        raise ShapeError("the steps are not in the order of time", "sort them by ts_us")
    slack, starts = (
        int(n * SLACK_FRACTION),
        np.flatnonzero(np.diff(sessions(ts_us, gap_s), prepend=-1)),
    )
    nearest = [
        (int(starts[np.argmin(np.abs(starts - wanted))]), wanted)
        for wanted in (n * 7 // 10, n * 8 // 10)
    ]
    tune, gate = (start if abs(start - wanted) <= slack else wanted for start, wanted in nearest)
    embargo = max(int(starts[starts < gate][-1]), gate - slack)
    return Split((0, tune), (tune, embargo), (gate, n))
