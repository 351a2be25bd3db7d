"""Which cluster may have an agent."""

import numpy as np
import pytest

from selflow.core.steps import Step
from selflow.discover.admission import grade, why_not
from selflow.discover.advantage import Advantage, advantage
from selflow.discover.windows import events_of, windows_of
from tests.unit.discover.worlds import FIRST_US, HOUR_US

USEFUL = Advantage(0.4, 0.1)


def reason(
    agreement: float = 0.9,
    steps: int = 2000,
    worth: Advantage | None = USEFUL,
    alive: int | None = 2,
) -> str:
    return why_not(
        agreement, steps, worth, alive, min_agreement=0.75, min_gate_steps=300, min_cycles=2
    )


def test_grades_are_named_after_the_agreement() -> None:
    names = [grade(agreement) for agreement in (0.85, 0.84, 0.75, 0.74, 0.6, 0.59)]

    assert names == ["strong", "pattern", "pattern", "tentative", "tentative", "weak"]


def test_the_first_reason_against_an_agent_is_given() -> None:
    assert reason() == ""
    assert "agreement 0.74" in reason(agreement=0.74)
    assert "299 gate steps" in reason(steps=1049)
    assert reason(steps=1050) == ""
    assert "too few later events" in reason(worth=None)
    assert "0.09 bits" in reason(worth=Advantage(0.09, 0.0))
    assert "0.50" in reason(worth=Advantage(0.4, 0.5))
    assert reason(alive=1) == "alive 1 of 2 cycles"
    assert reason(alive=None) == ""


def two_habits(days: int = 40) -> tuple[list[Step], np.ndarray]:
    """By turns a day of one habit, that goes round in a circle, and a day of noise."""
    rng, steps, is_habit = np.random.default_rng(6), [], []
    for day in range(days):
        for place in range(24):
            label = f"a{place % 5}" if day % 2 else f"n{rng.integers(40)}"
            steps.append(Step(FIRST_US + 24 * day * HOUR_US + place * 60_000_000, (label,)))
            is_habit.append(day % 2 == 1)
    return steps, np.array(is_habit)


def test_a_habit_predicts_its_future_better_than_random_windows_do() -> None:
    steps, is_habit = two_habits()
    events = events_of(steps)
    windows = windows_of(events)
    found = advantage(events, windows, is_habit[windows.start], 1)

    assert found is not None
    assert found.is_enough


def test_random_windows_are_worth_no_agent() -> None:
    steps, _ = two_habits()
    events = events_of(steps)
    windows = windows_of(events)
    members = np.random.default_rng(3).random(len(windows.start)) < 0.5
    found = advantage(events, windows, members, 1)

    assert found is not None
    assert not found.is_enough


@pytest.mark.parametrize("members", [0.0, 1.0])
def test_a_cluster_without_past_or_peers_is_worth_nothing_that_can_be_measured(
    members: float,
) -> None:
    steps, _ = two_habits(4)
    events = events_of(steps)
    windows = windows_of(events)

    assert advantage(events, windows, np.full(len(windows.start), bool(members)), 1) is None
