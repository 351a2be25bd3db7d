"""Streams of steps, each made from a seed, for the laws of experts and for tests of predictors."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from selflow.core.steps import Step

MINUTE_US = 60_000_000
_START_US = 1_700_000_000_000_000


def at(index: int) -> int:
    """The moment of a stream's step."""
    return _START_US + index * MINUTE_US


def single(labels: Sequence[str]) -> list[Step]:
    """One label a minute."""
    return [Step(at(i), (label,)) for i, label in enumerate(labels)]


def work(seed: int, steps: int, users: Sequence[str] = ("",)) -> list[Step]:
    """Sets of one to three files around a slowly moving place; about every tenth step brings a new
    file.
    """
    rng = np.random.default_rng(seed)
    known, stream = 4, []
    for i in range(steps):
        files = (i // 5 + rng.integers(0, 3, size=rng.integers(1, 4))) % known
        if rng.random() < 0.1:
            files = np.append(files, known)
            known += 1
        labels = dict.fromkeys(f"src/part{file % 3}/file{file}.py" for file in files.tolist())
        stream.append(Step(at(i), tuple(labels), users[int(rng.integers(len(users)))]))
    return stream


def other_steps(steps: Sequence[Step], known: int, seed: int) -> list[Step]:
    """The first ``known`` steps, and after them a scrambled future: labels shuffled, times drawn
    anew.
    """
    rng = np.random.default_rng(seed)
    later = steps[known:]
    order = rng.permutation(len(later)).tolist()
    end_us = steps[known - 1].ts_us
    times = np.sort(rng.integers(end_us + 1, end_us + 10**10, size=len(later))).tolist()
    return [
        *steps[:known],
        *(replace(later[i], ts_us=ts_us) for i, ts_us in zip(order, times, strict=True)),
    ]
