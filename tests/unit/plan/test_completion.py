"""When it can be known how a stretch of days ended."""

from dataclasses import replace

from selflow.plan.completion import EDGES_DAYS, ends_of
from selflow.plan.task import Task
from tests.unit.plan.worlds import DAY_US


def test_of_a_task_that_is_open_a_stretch_tells_nothing_before_it_is_over() -> None:
    task = Task(5)
    over_us = [5 + (last + 1) * DAY_US for last in EDGES_DAYS]

    assert list(ends_of(task)) == [(over_us[at], at, False) for at in range(len(EDGES_DAYS))]
    done = replace(task, completed_us=5 + DAY_US)
    assert list(ends_of(done)) == [(over_us[0], 0, False), (5 + DAY_US, 1, True)]
