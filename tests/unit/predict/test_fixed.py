"""Faults that were found once and must not come back."""

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
    with pytest.raises(UsageError, match="without labels"):
        predictor.learn(Step(1, (), "u"))

    assert predictor.save() == before
