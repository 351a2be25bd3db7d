"""Streams and points with known truth."""

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import Step, event_label

HOUR_US = 3_600_000_000
FIRST_US = 1_700_006_400_000_000
"""A midnight."""
ACTIVITIES = {
    "invoices": (8, ("finance/invoices/client", "finance/ledger/month"), "xlsx"),
    "parser": (10, ("src/parser/token", "src/parser/grammar"), "py"),
    "holiday": (13, ("photos/holiday/beach", "photos/holiday/mountain"), "jpg"),
    "thesis": (16, ("writing/thesis/chapter", "writing/thesis/figure"), "tex"),
    "garden": (20, ("notes/garden/roses", "notes/garden/tomatoes"), "md"),
}


def planted(days: int = 24, events: int = 24, seed: int = 3) -> tuple[list[Step], list[str]]:
    """Each activity once a day at its hour, on its own files; and which activity each step belongs
    to.
    """
    rng = np.random.default_rng(seed)
    steps, truth = [], []
    for day in range(days):
        for name, (hour, stems, extension) in ACTIVITIES.items():
            ts_us = FIRST_US + (24 * day + hour) * HOUR_US + int(rng.integers(HOUR_US // 2))
            for _ in range(events):
                ts_us += int(rng.integers(20, 200)) * 1_000_000
                stem = stems[rng.integers(len(stems))]
                label = event_label("file.change", f"{stem}{rng.integers(6)}.{extension}")
                steps.append(Step(ts_us, (label,)))
                truth.append(name)
    return steps, truth


def one_cloud(
    n: int, outsiders: int, seed: int = 9
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Four blocks of one shapeless cloud of windows, some of them in a second place far away; and
    days.
    """
    rng = np.random.default_rng(seed)
    away = 6.0 * rng.permutation(np.arange(n) < outsiders)[:, None]
    return {
        name: rng.standard_normal((n, 6)) + away for name in ("counts", "kinds", "text", "time")
    }, np.arange(n) // 10


def grouped(
    days: NDArray[np.int64], group: NDArray[np.int64], seed: int = 4
) -> dict[str, NDArray[np.float64]]:
    """Four blocks of windows whose group shows in every block."""
    rng = np.random.default_rng(seed)
    middles = 8 * rng.standard_normal((4, group.max() + 1, 6))
    names = ("counts", "kinds", "text", "time")
    return {
        name: middle[group] + rng.standard_normal((len(days), 6))
        for name, middle in zip(names, middles, strict=True)
    }


def strokes(count: int, seed: int = 5) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A hundred points along each of some parallel strokes in the plane; and which each is of."""
    rng = np.random.default_rng(seed)
    which = np.arange(100 * count) % count
    along = rng.uniform(0, 4, len(which))
    return np.column_stack([along, which + 0.05 * rng.standard_normal(len(which))]), which
