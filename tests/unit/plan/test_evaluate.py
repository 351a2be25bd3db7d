"""Tasks in time order: what the models say, and that they say it of the past only."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from selflow.core.errors import UsageError
from selflow.plan.evaluate import (
    DURATION_NAMES,
    NEXT_NAMES,
    evaluate_tasks,
    grade_completion,
    grade_durations,
    grade_starts,
)
from selflow.plan.grades import chance_figures
from selflow.plan.task import Task
from tests.unit.plan.worlds import DAY_US, HOUR_US, choice_world, completion_world, duration_world

Grade = Callable[[list[Task]], dict[str, list[object]]]
WORLDS = {
    "durations": (grade_durations, duration_world(330), HOUR_US),
    "starts": (grade_starts, choice_world(90), DAY_US),
    "completion": (grade_completion, completion_world(90), DAY_US),
}


def test_the_document_names_every_rule_and_figure() -> None:
    document = evaluate_tasks([*duration_world(60), *choice_world(20)], with_completion=True)

    assert tuple(document["duration"]) == DURATION_NAMES
    assert tuple(document["next"]) == NEXT_NAMES
    assert tuple(document["completion"]) == ("model", "shrunk", "recent")
    assert {tuple(figures) for figures in document["duration"].values()} == {
        ("n", "mae", "mae_log2", "within2", "coverage80")
    }
    assert {tuple(figures) for figures in document["next"].values()} == {
        ("n", "mean_percentile", "precision_at_k")
    }


def test_a_table_without_durations_and_starts_has_empty_parts() -> None:
    assert evaluate_tasks([Task(1)]) == {"duration": {}, "next": {}}


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no tasks"):
        evaluate_tasks([])


def test_a_biased_estimate_is_corrected_by_its_tag() -> None:
    figures = evaluate_tasks(duration_world(420))["duration"]

    assert figures["own_estimate"]["mae_log2"] > 0.9
    assert figures["model"]["mae_log2"] < 0.45
    assert figures["model_without_estimate"]["mae_log2"] < figures["median"]["mae_log2"]
    assert 0.72 <= figures["model"]["coverage80"] <= 0.87


def test_preferred_tags_are_started_next() -> None:
    figures = evaluate_tasks(choice_world(120))["next"]

    assert figures["model"]["precision_at_k"] > figures["newest_first"]["precision_at_k"] + 0.1
    assert figures["model"]["mean_percentile"] > figures["newest_first"]["mean_percentile"]


def test_chances_of_completion_are_told_apart_by_tag() -> None:
    figures = {
        name: chance_figures(grades)
        for name, grades in grade_completion(completion_world(120)).items()
    }

    assert figures["model"]["brier"] < 0.15
    assert figures["recent"]["brier"] > 0.2
    assert figures["model"]["ece"] < 0.1


@pytest.mark.parametrize("world", WORLDS)
def test_the_past_is_judged_alike_whatever_the_future_holds(world: str) -> None:
    grade, tasks, step_us = WORLDS[world]
    cut_us = max(task.ts_us for task in tasks) * 2 // 3
    scrambled = _scrambled(tasks, cut_us, step_us)

    before, after = (_before(grade(each), cut_us) for each in (tasks, scrambled))

    assert len(before["model"]) > 50
    assert before == after


def _before(grades: dict[str, list], cut_us: int) -> dict[str, list]:
    # A chance is judged by an outcome up to 15 days later: only what was said is compared.
    return {
        name: [getattr(grade, "p", grade) for grade in of_name if grade.ts_us <= cut_us]
        for name, of_name in grades.items()
    }


def _scrambled(tasks: list[Task], cut_us: int, step_us: int) -> list[Task]:
    """Everything that became known after the cut is something else, and there is more of it."""
    rng = np.random.default_rng(1)
    end_us = max(task.ts_us for task in tasks)
    changed = []
    for task in tasks:
        if task.ts_us > cut_us:
            ts_us = cut_us + step_us + int(rng.integers(end_us))
            changed.append(replace(task, ts_us=ts_us, tags=("other",), started_us=None))
        else:
            later = (task.started_us or 0) > cut_us
            completed = (task.completed_us or 0) > cut_us
            changed.append(
                replace(
                    task,
                    started_us=None if later else task.started_us,
                    completed_us=end_us * 3 if completed else task.completed_us,
                )
            )
    return [*changed, Task(end_us * 4, tags=("more",))]


def test_an_outcome_after_the_cut_does_not_change_later_forecasts_before_it() -> None:
    """What is known late is learned late: the actual of a task whose completion lies ahead."""
    tasks = duration_world(230)
    late = replace(tasks[0], actual=1e6, known_us=10**18)

    usual, changed = grade_durations(tasks), grade_durations([late, *tasks[1:]])

    without = grade_durations([replace(tasks[0], known_us=None), *tasks[1:]])
    assert usual["median"][5:] != changed["median"][5:]
    assert changed["model"][1:] == without["model"][1:]


def test_a_second_row_of_one_id_does_not_count() -> None:
    tasks = duration_world(50)

    assert evaluate_tasks([*tasks, *tasks]) == evaluate_tasks(tasks)


def test_each_user_has_a_history_of_their_own() -> None:
    ana = [replace(task, user="ana") for task in duration_world(80)]
    ben = [replace(task, user="ben") for task in duration_world(80, seed=8)]

    both, alone = grade_durations([*ana, *ben]), grade_durations(ana)

    assert both["model"][: len(ana)] == alone["model"]


def test_a_task_without_an_estimate_is_judged_without_it() -> None:
    tasks = [
        replace(task, estimate=None if number % 3 else task.estimate)
        for number, task in enumerate(duration_world(90))
    ]

    figures = evaluate_tasks(tasks)["duration"]

    assert (figures["model"]["n"], figures["own_estimate"]["n"]) == (90, 30)


def test_a_task_that_was_noted_when_it_was_started_was_not_chosen() -> None:
    backlog = [Task(0), Task(1), replace(Task(2), started_us=10)]
    at_once = Task(10, started_us=10)

    grades = grade_starts([*backlog, at_once])

    assert len(grades["model"]) == 1
    assert grades["newest_first"][0].percentiles == (1.0,)
