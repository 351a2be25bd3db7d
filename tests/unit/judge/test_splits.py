"""A stream is split by time, between sessions, with a session left out before what is judged on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.judge.splits import split_by_time
from tests.unit.judge.worlds import steps_of


def _session_of(steps: list[Step]) -> list[int]:
    return [int(step.labels[0].split("/")[0]) for step in steps]


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), min_size=100, max_size=150))
def test_the_parts_stand_in_the_order_of_time_and_keep_their_shares(sessions: list[int]) -> None:
    n = sum(sessions)
    split = split_by_time(steps_of(sessions))
    starts = (split.train[0], split.tune[0], split.gate[0])
    ends = (split.train[1], split.tune[1], split.gate[1])

    assert (starts[0], ends[0], ends[2]) == (0, starts[1], n)
    assert ends[1] < starts[2]
    assert ends[0] / n == pytest.approx(0.7, abs=0.03)
    assert ends[1] - starts[1] >= 0.04 * n
    assert (n - starts[2]) / n == pytest.approx(0.2, abs=0.03)


def test_no_session_stands_on_two_sides_and_the_last_one_before_the_gate_is_left_out() -> None:
    steps = steps_of([7] * 200)
    split, session = split_by_time(steps), _session_of(steps)
    train, tune, gate = (
        {session[i] for i in range(*part)} for part in (split.train, split.tune, split.gate)
    )
    left_out = {session[i] for i in range(split.tune[1], split.gate[0])}

    assert not train & tune
    assert not tune & gate
    assert len(left_out) == 1
    assert not left_out & (train | tune | gate)


def test_one_endless_session_is_divided_and_a_fiftieth_of_all_steps_is_left_out() -> None:
    split = split_by_time(steps_of([1_000]))

    assert (split.train, split.tune, split.gate) == ((0, 700), (700, 780), (800, 1_000))


def test_a_shorter_pause_can_part_sessions_too() -> None:
    steps = [Step(i * 60_000_000 + (i // 9) * 600_000_000, ("a",)) for i in range(1_000)]

    assert split_by_time(steps).gate[0] == 800
    assert split_by_time(steps, gap_s=300).gate[0] == 801


def test_nothing_later_than_the_end_of_a_part_moves_what_is_in_it() -> None:
    steps = steps_of([7] * 200)
    split = split_by_time(steps)
    others = [Step(step.ts_us, ("scrambled",)) for step in steps[split.train[1] :]]

    assert split_by_time([*steps[: split.train[1]], *others]) == split


@pytest.mark.parametrize("n", [0, 1, 99])
def test_too_short_a_stream_is_refused_with_what_to_do(n: int) -> None:
    with pytest.raises(
        UsageError, match=f"^too few steps to learn from and to judge on: {n}$"
    ) as caught:
        split_by_time(steps_of([n]))

    assert caught.value.hint == "collect at least 100"


def test_steps_out_of_order_are_refused() -> None:
    with pytest.raises(ShapeError, match="not in the order of time"):
        split_by_time(steps_of([200])[::-1])
