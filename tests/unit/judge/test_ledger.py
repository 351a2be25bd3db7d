"""The ledger: looks at overlapping gate parts share one count, and each is tested more strictly."""

from dataclasses import replace

import numpy as np
import pytest

from selflow.core.settings import GateSettings
from selflow.core.steps import Step
from selflow.judge.ledger import OPENINGS, alpha_at, gate_set_id, next_opening
from tests.unit.judge.worlds import Look, steps_of


def looks(*spans: tuple[str, int, int]) -> list[Look]:
    return [Look(*span) for span in spans]


def moments(first: int, last: int) -> np.ndarray:
    return np.arange(first, last + 1)


@pytest.mark.setting("gate.spend")
def test_each_opening_of_a_set_is_tested_more_strictly() -> None:
    ledger, strict = GateSettings(), GateSettings(spend="strict")

    assert [alpha_at(ledger, k) for k in (1, 2, 5)] == pytest.approx([0.05, 0.025, 0.01])
    assert sum(alpha_at(ledger, k) for k in range(1, 6)) == pytest.approx(0.114, abs=0.001)
    assert [alpha_at(strict, k) for k in (1, 2, 5)] == pytest.approx([0.025, 0.05 / 6, 0.05 / 30])
    assert sum(alpha_at(strict, k) for k in range(1, 10_000)) < 0.05


def test_a_first_look_begins_a_set() -> None:
    assert next_opening("new", moments(0, 99), []) == ("new", 1)


@pytest.mark.parametrize(
    ("first", "expected"), [(1, ("old", 2)), (49, ("old", 2)), (50, ("new", 1))]
)
def test_a_set_that_shares_more_than_half_continues_the_count(
    first: int, expected: tuple[str, int]
) -> None:
    opened = looks(("old", 0, 99))

    assert next_opening("new", moments(first, first + 99), opened) == expected


def test_halves_of_two_opened_sets_make_no_new_one() -> None:
    opened = looks(("a", 0, 99), ("b", 200, 299), ("b", 200, 299))

    assert next_opening("new", moments(60, 239), opened) == ("new", 1)
    assert next_opening("new", np.r_[60:100, 200:240, 500:570], opened) == ("b", 3)
    assert next_opening("new", np.r_[40:100, 200:240, 500:570], opened) == ("a", 2)


def test_a_set_retires_after_five_looks_until_most_steps_are_new() -> None:
    opened = looks(*(("old", 0, 99 + place) for place in range(OPENINGS)))

    assert next_opening("new", moments(20, 119), opened) is None
    assert next_opening("new", moments(60, 159), opened) == ("new", 1)


def test_a_new_set_is_named_by_its_very_steps() -> None:
    steps = steps_of([30, 30])
    others = [
        steps[1:],
        steps[:-1],
        [*steps[:-1], Step(steps[-1].ts_us, ("other",))],
        [*steps[:-1], steps[0]],
    ]
    moved = [*steps[:-1], replace(steps[-1], ts_us=steps[-1].ts_us + 1)]
    parted = [Step(0, ("a", "b"))], [Step(0, ("ab",))], [Step(0, ("b",), "a")]

    assert gate_set_id(steps) == gate_set_id(tuple(steps))
    assert len({gate_set_id(each) for each in (steps, moved, *others, *parted)}) == 9
