"""Faults that were found once and must not come back."""

import os
import subprocess
import sys

from selflow.core.steps import Step
from selflow.predict.predictor import Predictor
from selflow.predict.steps import steps_from_rows


def test_labels_that_were_forgotten_leave_rows_that_can_grow_again() -> None:
    predictor = Predictor(max_labels=10)
    for hour in (0, 5, 24):
        for place in range(15):
            predictor.learn(Step((hour * 3600 + place) * 1_000_000, (f"{hour}-{place}",)))

    assert predictor.predict(None, 90_000_000_000, 3).guesses


def test_an_outcome_of_an_unknown_user_reaches_no_other_user() -> None:
    predictor = Predictor(is_shared=False)
    for moment in range(8):
        predictor.learn(Step(moment, ("x",), "ann"))
    for _ in range(8):
        predictor.learn_outcome([Step(9, ("x",), "ghost")], Step(10, ("secret",), "ghost"))
    answer = predictor.predict([Step(11, ("x",), "eve")], 12, 5)

    assert [guess.p for guess in answer.guesses if guess.label == "secret"] < [0.5]


def test_a_group_that_spans_time_is_one_step_only_once_all_of_it_is_known() -> None:
    steps = steps_from_rows([(1, "a", "g", ""), (5, "b", None, ""), (9, "c", "g", "")])

    assert [(step.ts_us, step.labels) for step in steps] == [(5, ("b",)), (9, ("a", "c"))]


def test_a_step_that_is_refused_leaves_no_trace() -> None:
    import pytest

    from selflow.core.errors import UsageError

    predictor = Predictor()
    before = predictor.save()
    with pytest.raises(UsageError, match="no labels"):
        predictor.learn(Step(1, (), "u"))

    assert predictor.save() == before


_GRADES = """
import numpy as np
from selflow.core.steps import Step
from selflow.predict.baselines import Baselines
rng = np.random.default_rng(5)
steps = [Step(t, tuple(f"l{i}" for i in rng.permutation(30)[:12])) for t in range(60)]
rules = Baselines(bars_current=True)
print([rules.test_then_train(step) for step in steps])
"""


def test_grades_of_the_simple_rules_are_the_same_under_every_hash_seed() -> None:
    grades = {
        subprocess.run(
            [sys.executable, "-c", _GRADES],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(grades) == 1
