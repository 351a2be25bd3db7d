"""The gate's ledger: what one more look at the gate part costs.

Testing many candidates on the same steps finds a "gain" by chance sooner or later. So the k-th test
on a gate set has a stricter level than the one before it, and after five the set retires. One new
event makes the gate part another set, but hardly another sample: a part that shares more than half
of its steps with parts that were opened before continues their count.

Source: alpha spending with Bonferroni's inequality, which needs no independence of the tests.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from selflow.core.settings import GateSettings
from selflow.core.steps import Step
from selflow.judge.blocks import Ids

OPENINGS = 5
"""Tests on one gate set before it retires: at the fifth, alpha has a fifth of its level."""


class Opened(Protocol):
    """An entry of the ledger: the part of time that was looked at, and the set it counts for."""

    @property
    def gate_set(self) -> str: ...
    @property
    def first_us(self) -> int: ...
    @property
    def last_us(self) -> int: ...


def gate_set_id(steps: Sequence[Step]) -> str:
    """The name of a new gate set: a hash over its steps."""
    rows = json.dumps([[step.ts_us, step.user, *step.labels] for step in steps])
    return f"gate_{hashlib.sha256(rows.encode()).hexdigest()[:24]}"


def next_opening(new_set: str, ts_us: Ids, opened: Sequence[Opened]) -> tuple[str, int] | None:
    """The gate set and the number of one more look at the gate part.

    Args:
        new_set: The name of the set, if the look belongs to none before.
        ts_us: (n,), when the steps of the gate part were, UTC microseconds.
        opened: All looks so far.

    Returns:
        Set and number, from 1; None if the set has retired.

    Cost: O(n looks).

    A step counts as opened if it lies in a span of time that was opened. If more than half do, the
    look continues the count of the set that shares most of them (of two alike, of the one that was
    opened more often); otherwise it begins the set ``new_set``.
    """
    shared: dict[str, NDArray[np.bool_]] = {}
    for look in opened:
        inside = (ts_us >= look.first_us) & (ts_us <= look.last_us)
        shared[look.gate_set] = shared.get(look.gate_set, np.zeros(len(ts_us), bool)) | inside
    looks = {name: sum(look.gate_set == name for look in opened) for name in shared}
    name = new_set
    if shared and 2 * int(np.any([*shared.values()], axis=0).sum()) > len(ts_us):
        name = max(shared, key=lambda other: (int(shared[other].sum()), looks[other]))
    opening = looks.get(name, 0) + 1
    return (name, opening) if opening <= OPENINGS else None


def alpha_at(settings: GateSettings, opening: int) -> float:
    """The level of the ``opening``-th test on one gate set, from 1.

    With ``spend: ledger`` alpha / k, else alpha / (k (k + 1)), whose sum over all k is alpha.
    """
    return settings.alpha / (opening if settings.spend == "ledger" else opening * (opening + 1))
