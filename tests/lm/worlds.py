"""Bases and streams whose truth is known, each made from a seed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from selflow.core.steps import Step

MINUTE_US = 60_000_000
START_US = 1_700_000_000_000_000


def at(place: int) -> int:
    """The moment of a stream's step."""
    return START_US + place * MINUTE_US


def single(labels: Sequence[str]) -> list[Step]:
    """One label a minute."""
    return [Step(at(i), (label,)) for i, label in enumerate(labels)]


def small_base(folder: Path, labels: Sequence[str], seed: int = 7) -> Path:
    """A base of two narrow layers that has learned nothing."""
    from selflow.lm.tiny import untrained_base

    folder.mkdir(parents=True, exist_ok=True)
    untrained_base(labels, seed, layers=2, width=64).write(folder)
    return folder


def work(seed: int, n: int, names: int = 12, rare: float = 0.05) -> list[Step]:
    """Sets of one to three of some labels, minutes to hours apart; now and then a label that comes
    only once.
    """
    rng = np.random.default_rng(seed)
    found, ts_us = [], START_US
    for i in range(n):
        ts_us += int(rng.choice([3, 90, 5_000], p=[0.4, 0.5, 0.1])) * 1_000_000
        labels = [
            f"file.modify\x1fsrc/part{j}.py"
            for j in rng.choice(names, rng.integers(1, 4), replace=False)
        ]
        if rng.random() < rare:
            labels.append(f"file.create\x1fnotes/once-{i}.md")
        found.append(Step(ts_us, tuple(labels)))
    return found


def planted_steps(
    n: int, seed: int, labels: int = 12, sure: float = 0.9, lag: int = 4
) -> list[Step]:
    """Single labels in one ring of all: each step is mostly the successor in the ring of the label
    ``lag`` steps back.

    The labels in between say nothing of it, no label comes again before the ring is through, and
    one step in ten is any label: with a lag of 4, counts of any context up to three steps, recency
    and hour have nothing to hold on to. Another seed is another ring: another rule.
    """
    rng = np.random.default_rng(seed)
    ring = rng.permutation(labels)
    following = np.empty(labels, int)
    following[ring] = np.roll(ring, -1)
    found = rng.integers(labels, size=lag).tolist()
    while len(found) < n:
        found.append(
            int(following[found[-lag]]) if rng.random() < sure else int(rng.integers(labels))
        )
    return single([f"task.run\x1fjob {chr(97 + i % 26)}{i}" for i in found])


def shuffled_targets(steps: Sequence[Step], seed: int) -> list[Step]:
    """The same moments and labels, but what comes when is chance."""
    order = np.random.default_rng(seed).permutation(len(steps)).tolist()
    return [
        Step(step.ts_us, steps[i].labels, step.user) for step, i in zip(steps, order, strict=True)
    ]
