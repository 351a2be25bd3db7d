"""Streams whose outcome is known, each made from a seed, and what the laws of streams need."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from selflow.core.events import Event
from selflow.core.steps import Step
from selflow.predict.evaluate import Row
from selflow.testing.streams import at, single


def noise(seed: int, steps: int, labels: int) -> list[Step]:
    """Labels that nothing foretells."""
    return single(
        [f"n{i}" for i in np.random.default_rng(seed).integers(labels, size=steps).tolist()]
    )


def second_order(seed: int, steps: int, labels: int = 6, sure: float = 0.9) -> list[Step]:
    """What comes depends on the last two labels, and on neither alone."""
    rng = np.random.default_rng(seed)
    chain = [0, 1]
    for _ in range(steps):
        chain.append(
            (chain[-1] + 2 * chain[-2] + 1) % labels
            if rng.random() < sure
            else int(rng.integers(labels))
        )
    return single([f"m{i}" for i in chain[2:]])


def new_habit(seed: int, steps: int, labels: int = 8) -> list[Step]:
    """A ring of labels that runs backwards from the middle of the stream on; one step in twenty
    goes astray.
    """
    rng = np.random.default_rng(seed)
    chain = [0]
    for i in range(steps):
        way = 1 if i < steps // 2 else -1
        chain.append(
            (chain[-1] + way) % labels if rng.random() < 0.95 else int(rng.integers(labels))
        )
    return single([f"h{i}" for i in chain[1:]])


def rows_of(steps: Sequence[Step]) -> list[Row]:
    """The steps as a table: the labels of one step share a group."""
    return [(s.ts_us, label, f"g{i}", s.user) for i, s in enumerate(steps) for label in s.labels]


def events(seed: int, n: int) -> list[Event]:
    """Two sources: bursts of files, named bursts, shell lines between them, now and then a step
    back in time.
    """
    rng = np.random.default_rng(seed)
    found, ts_us = [], at(0)
    for i in range(n):
        ts_us += int(rng.choice([-200_000, 300_000, 900_000, 5_000_000], p=[0.1, 0.4, 0.3, 0.2]))
        subject = f"f{rng.integers(6)}.py"
        if rng.random() < 0.2:
            found.append(Event(ts_us, "shell", "shell.command", f"make {i % 3}"))
        elif rng.random() < 0.3:
            found.append(Event(ts_us, "git", "git.commit", subject, data={"step": i // 6}))
        else:
            found.append(Event(ts_us, "files", "file.modify", subject))
    return found


def other_events(stream: Sequence[Event], known: int, seed: int) -> list[Event]:
    """The same for events."""
    rng = np.random.default_rng(seed)
    later = stream[known:]
    times = np.sort(
        rng.integers(stream[known - 1].ts_us, stream[-1].ts_us + 10**8, size=len(later))
    ).tolist()
    order = rng.permutation(len(later)).tolist()
    return [
        *stream[:known],
        *(replace(later[i], ts_us=ts_us) for i, ts_us in zip(order, times, strict=True)),
    ]


def entropy_bits(sure: float, labels: int) -> float:
    """What a step costs whoever knows a world that is right with chance ``sure`` and else draws
    from all labels.
    """
    hit = sure + (1 - sure) / labels
    miss = (1 - sure) / labels
    return -hit * math.log2(hit) - (labels - 1) * miss * math.log2(miss)
