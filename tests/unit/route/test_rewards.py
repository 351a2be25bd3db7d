"""What a word of feedback is worth."""

from typing import Any

import pytest

from selflow.core.events import Json
from selflow.route.rewards import outcome_value, reward_of

GUESSES: list[Any] = [{"kind": "file.modify", "subject": f"{i}.py"} for i in range(10)]


@pytest.mark.parametrize(
    ("metric", "value", "reward"),
    [
        ("thumb", True, 1.0),
        ("thumb", False, 0.0),
        ("accepted", 1, 1.0),
        ("accepted", -1, 0.0),
        ("task_success", True, 1.0),
        ("rating", 1, 0.0),
        ("rating", 4, 0.75),
        ("rating", 5, 1.0),
        ("edited", 0.4, 0.4),
        ("outcome", 0.5, 0.5),
        ("comment", "well done", None),
        ("own", 0.7, None),
        ("edited", "a text", None),
    ],
)
def test_a_word_is_worth_what_the_interface_says(
    metric: str, value: Json, reward: float | None
) -> None:
    assert reward_of(metric, value, 0.0, 0, ()) == reward


def test_the_owners_own_metric_is_a_reward_if_it_is_named() -> None:
    assert reward_of("own", 0.7, 0.0, 0, ("own",)) == 0.7
    assert reward_of("own", True, 0.0, 0, ("own",)) == 1.0


@pytest.mark.parametrize(
    ("latency_s", "tokens", "reward"),
    [(0.5, 0, 0.95), (1.0, 0, 0.9), (60.0, 0, 0.9), (0.0, 100, 0.98), (1, 500, 0.8)],
)
def test_slow_and_long_answers_are_worth_less(latency_s: float, tokens: int, reward: float) -> None:
    assert reward_of("thumb", True, latency_s, tokens, ()) == pytest.approx(reward)


def test_a_reward_is_never_below_nothing() -> None:
    assert reward_of("thumb", False, 5.0, 10_000, ()) == 0.0


@pytest.mark.parametrize(
    ("subjects", "value"), [(["0.py"], 1.0), (["x", "4.py"], 0.5), (["5.py"], 0.0), (["x"], 0.0)]
)
def test_an_outcome_is_worth_the_place_at_which_it_was_named(
    subjects: list[str], value: float
) -> None:
    assert outcome_value(GUESSES, [["file.modify", subject] for subject in subjects]) == value


def test_the_same_subject_of_another_kind_is_no_hit() -> None:
    assert outcome_value(GUESSES, [["file.create", "0.py"]]) == 0.0
    assert outcome_value([], [["file.modify", "0.py"]]) == 0.0
