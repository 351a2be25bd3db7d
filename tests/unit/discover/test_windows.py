"""Sessions and windows."""

import numpy as np

from selflow.core.steps import Step
from selflow.discover.windows import Events, Windows, events_of, windows_before, windows_of
from tests.unit.discover.worlds import FIRST_US, HOUR_US

MINUTE_US = 60_000_000


def burst(count: int, ts_us: int, user: str = "") -> list[Step]:
    """Steps of one label each, a minute apart."""
    return [Step(ts_us + place * MINUTE_US, (f"file{place}",), user) for place in range(count)]


def spans(windows: Windows) -> list[tuple[int, int]]:
    return list(zip(windows.start.tolist(), windows.stop.tolist(), strict=True))


def test_a_long_session_is_cut_into_windows_of_half_stride() -> None:
    assert spans(windows_of(events_of(burst(41, FIRST_US)))) == [
        (0, 16),
        (8, 24),
        (16, 32),
        (24, 40),
        (32, 41),
    ]


def test_windows_of_whole_sessions_hold_8_to_16_events() -> None:
    for count in range(8, 60):
        windows = windows_of(events_of(burst(count, FIRST_US)))
        size = windows.stop - windows.start

        assert size.min() >= 8
        assert size.max() <= 16
        assert windows.stop[-1] == count


def test_a_gap_of_more_than_an_hour_ends_a_session() -> None:
    steps = burst(10, FIRST_US) + burst(10, FIRST_US + 9 * MINUTE_US + HOUR_US + 1)

    assert spans(windows_of(events_of(steps))) == [(0, 10), (10, 20)]


def test_a_short_session_joins_its_neighbour_of_the_same_day_or_is_left_out() -> None:
    steps = (
        burst(3, FIRST_US) + burst(4, FIRST_US + 4 * HOUR_US) + burst(2, FIRST_US + 30 * HOUR_US)
    )

    assert spans(windows_of(events_of(steps))) == [(0, 7)]


def test_windows_of_two_days_never_overlap() -> None:
    over_midnight = burst(40, FIRST_US + 24 * HOUR_US - 20 * MINUTE_US)
    windows = windows_of(
        events_of([*burst(20, FIRST_US), *over_midnight, *burst(20, FIRST_US + 30 * HOUR_US)])
    )
    first, second = (windows.day == day for day in np.unique(windows.day))

    assert windows.stop[first].max() == 60
    assert windows.start[second].min() == 60


def test_users_are_never_mixed() -> None:
    steps = sorted(
        burst(20, FIRST_US, "ann") + burst(20, FIRST_US, "bob"), key=lambda step: step.ts_us
    )
    events = events_of(steps)

    for windows in (windows_of(events), windows_before(events, len(steps))):
        for start, stop in spans(windows):
            assert len(set(events.user[start:stop].tolist())) <= 1


def test_a_step_counts_with_12_labels_at_most() -> None:
    events = events_of([Step(FIRST_US, tuple(map(str, range(30)))), Step(FIRST_US, ())])

    assert events.step.tolist() == [0] * 12


def test_what_comes_before_a_step_is_of_the_session_of_the_last_event() -> None:
    steps = [
        *burst(20, FIRST_US),
        *burst(2, FIRST_US + 5 * HOUR_US),
        Step(FIRST_US + 6 * HOUR_US, ()),
    ]
    before = spans(windows_before(events_of(steps), len(steps)))

    assert before == [
        (0, 0),
        *((max(0, n - 16), n) for n in range(1, 20)),
        (4, 20),
        (20, 21),
        (0, 0),
    ]


def test_a_step_is_told_by_64_events_of_its_session_at_most() -> None:
    steps = [*burst(20, FIRST_US), *burst(90, FIRST_US + 5 * HOUR_US)]
    before = windows_before(events_of(steps), len(steps))

    assert before.first[[1, 20, 21, 84, 85, 109]].tolist() == [0, 0, 20, 20, 21, 45]
    assert before.last[1:].tolist() == before.stop[1:].tolist()


def test_a_window_knows_its_whole_session() -> None:
    windows = windows_of(events_of([*burst(20, FIRST_US), *burst(40, FIRST_US + 5 * HOUR_US)]))

    assert set(zip(windows.first.tolist(), windows.last.tolist(), strict=True)) == {
        (0, 20),
        (20, 60),
    }


def test_no_steps_give_no_windows() -> None:
    events = events_of([])

    assert isinstance(events, Events)
    assert spans(windows_of(events)) == []
