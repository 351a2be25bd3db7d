"""Task streams with a known truth."""

from dataclasses import replace

import numpy as np

from selflow.plan.task import Task

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


def duration_world(n: int, seed: int = 7) -> list[Task]:
    """One task an hour, done two hours later. Bugs take four times their estimate, the rest what
    was estimated, both within a factor of 1.2.
    """
    rng = np.random.default_rng(seed)
    tasks = []
    for number in range(n):
        tag = str(rng.choice(["bug", "page"]))
        estimate = float(rng.choice([1.0, 2.0, 4.0]))
        factor = (4.0 if tag == "bug" else 1.0) * 2 ** rng.uniform(-0.25, 0.25)
        ts_us = number * HOUR_US
        done_us = ts_us + 2 * HOUR_US
        tasks.append(
            Task(ts_us, estimate, estimate * factor, (tag,), known_us=done_us, id=str(number))
        )
    return tasks


def choice_world(days: int, seed: int = 7) -> list[Task]:
    """Four tasks are noted each morning and one that is open is started each noon: a client's where
    there is one, the newest of them, else the newest of all.
    """
    rng = np.random.default_rng(seed)
    pending: list[Task] = []
    started = []
    for day in range(days):
        for slot in range(4):
            tag = str(rng.choice(["client", "home", "tax"]))
            pending.append(
                Task(
                    day * DAY_US + slot,
                    estimate=float(rng.integers(1, 9)),
                    tags=(tag,),
                    priority=float(rng.integers(1, 4)),
                )
            )
        task = max(pending, key=lambda task: (task.tags == ("client",), task.ts_us))
        pending.remove(task)
        noon_us = day * DAY_US + DAY_US // 2
        started.append(replace(task, started_us=noon_us, completed_us=noon_us + HOUR_US))
    return [*started, *pending]


def completion_world(days: int, seed: int = 7) -> list[Task]:
    """Four tasks a day; of "call" 0.9 are done the same day, of "garage" 0.1 within the horizon."""
    rng = np.random.default_rng(seed)
    tasks = []
    for day in range(days):
        for slot in range(4):
            tag = str(rng.choice(["call", "garage"]))
            ts_us = day * DAY_US + slot
            is_done = rng.random() < (0.9 if tag == "call" else 0.1)
            later_us = HOUR_US if tag == "call" else 5 * DAY_US
            tasks.append(
                Task(ts_us, tags=(tag,), completed_us=ts_us + later_us if is_done else None)
            )
    return tasks
