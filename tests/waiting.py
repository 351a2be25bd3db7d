"""Waiting for what other processes do. A limit only ends what would never end: it says nothing of
how long it takes.
"""

import os
from collections.abc import Callable

from selflow.core.clock import SystemClock

PATIENCE = float(os.environ.get("TEST_PATIENCE", "5"))
"""What takes a minute on two free cores can take five where others use them too."""


def wait_until(is_true: Callable[[], bool], limit_s: float = 60.0) -> None:
    """Wait until it is true; fails after ``limit_s`` on free cores, ``PATIENCE`` times that
    in all.
    """
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + limit_s * PATIENCE
    while not is_true():
        assert clock.monotonic_s() < deadline_s, f"not within {limit_s * PATIENCE:.0f} s"
        clock.sleep(0.1)
