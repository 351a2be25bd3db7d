"""What the shipped counts of programs do for a new owner: the same predictor with the weights alone
and with both.

Every user of the shell stream is taken as a first owner who has no others, then all together as one
stream; files beside them. ``BENCH_DATA`` names the streams' folder. Ends with 1 if files get worse
by more than .001 in hits or .005 bits.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench._streams import SHELL, file_rows, require, shell_rows
from selflow.core.steps import Step
from selflow.predict.predictor import Predictor
from selflow.predict.prior import Prior, shipped
from selflow.predict.steps import steps_from_rows

FILES = ("git_datasette", "git_pandoc")
FIRST = (20, 50, 100, 10**9)
DRAWS = 4_000
Table = NDArray[np.float64]


def by_user(steps: Iterable[Step]) -> list[list[Step]]:
    """Each user's steps, in the order of their first."""
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.user, []).append(step)
    return list(found.values())


def measure(owners: list[list[Step]], prior: Prior, *, is_shared: bool) -> Table:
    """(steps, 5): whose step, its number in the user's past, hit@1, hit@5, bits; a fresh predictor
    for each owner.
    """
    made: list[tuple[float, ...]] = []
    names: dict[str, int] = {}
    for steps in owners:
        predictor = Predictor(is_shared=is_shared, prior=prior)
        done: dict[str, int] = {}
        for step in steps:
            grade = predictor.learn(step)
            place = done[step.user] = done.get(step.user, -1) + 1
            user = names.setdefault(step.user, len(names))
            made.append((user, place, grade.hit_at_1, grade.hit_at_5, grade.log_loss_bits))
    return np.array(made)


def show(name: str, owners: list[list[Step]], *, is_shared: bool = False) -> Table:
    """One table; returns the differences of the means over all steps."""
    weights, both = (
        measure(owners, prior, is_shared=is_shared)
        for prior in (replace(shipped(), programs={}), shipped())
    )
    print(f"### {name}, {len(owners)} predictor(s), {len(both):,} steps\n")
    print(
        "| a user's steps | weights alone | and programs | hit@1, hit@5: gain, 95% over "
        "users |\n|---|---|---|---|"
    )
    for start, stop in [(0, stop) for stop in FIRST] + [(1, 20)]:
        is_in = (both[:, 1] >= start) & (both[:, 1] < stop)
        old, new = (
            " / ".join(f"{x:.4f}" for x in part[is_in, 2:].mean(axis=0)) for part in (weights, both)
        )
        low, high = interval(both[is_in, 0].astype(np.int64), (both - weights)[is_in, 2:4])
        shown = ", ".join(f"{a:+.4f} to {b:+.4f}" for a, b in zip(low, high, strict=True))
        print(
            f"| {start + 1} to {'the last' if stop == FIRST[-1] else stop} | {old} | "
            f"{new} | {shown} |"
        )
    print()
    return np.asarray((both - weights)[:, 2:].mean(axis=0))


def interval(users: NDArray[np.int64], gains: Table) -> tuple[Table, Table]:
    """Bounds of the mean gain when the users are drawn anew."""
    sums = np.array([np.bincount(users, gain) for gain in gains.T]).T
    counts = np.bincount(users)
    drawn = np.random.default_rng(7).integers(0, len(counts), (DRAWS, len(counts)))
    means = sums[drawn].sum(axis=1) / np.maximum(1, counts[drawn].sum(axis=1))[:, None]
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


def main() -> int:
    """Print the tables; 1 if files get worse."""
    require([SHELL, *(f"{name}.csv.gz" for name in FILES)])
    programs = steps_from_rows(shell_rows(whole_lines=False))
    show("programs, each user a first owner", by_user(programs))
    show(
        "whole lines, each user a first owner",
        by_user(steps_from_rows(shell_rows(whole_lines=True))),
    )
    show("programs, the stream's first user", by_user(programs)[:1])
    show("programs, all users in one stream", [programs], is_shared=True)
    worse = False
    for name in FILES:
        change = show(name, [steps_from_rows(file_rows(name))])
        worse |= bool(change[0] < -0.001 or change[1] < -0.001 or change[2] > 0.005)
    return int(worse)


sys.exit(main())
