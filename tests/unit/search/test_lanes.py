"""Lanes, their blocks, and what focus is."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from selflow.search.lanes import MAX_BLOCKS, MAX_LANES, Span, attention, joined, lane_day

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


def span(lane: str, start_min: float, end_min: float | None = None, events: int = 1) -> Span:
    start_us = round(start_min * MINUTE_US)
    return Span(lane, start_us, start_us if end_min is None else round(end_min * MINUTE_US), events)


def held(spans: Sequence[Span]) -> list[tuple[str, float, float]]:
    """Lane, begin and end of attention, in minutes."""
    return [
        (one.lane, one.start_us / MINUTE_US, one.end_us / MINUTE_US) for one in attention(spans)
    ]


def focused(spans: Sequence[Span]) -> list[tuple[str, float, float]]:
    """Lane, begin and length without glances, in minutes."""
    return [
        (one.lane, one.start_us / MINUTE_US, one.held_us / MINUTE_US)
        for one in lane_day(spans).focus
    ]


def test_no_events_are_no_lanes_and_no_focus() -> None:
    day = lane_day([])
    assert (day.lanes, day.more, day.focus, day.active_us, day.unnamed_events) == ([], 0, [], 0, 0)


def test_one_event_is_one_block_and_no_focus() -> None:
    day = lane_day([span("vim", 5)])
    assert [(lane.name, lane.events, len(lane.blocks)) for lane in day.lanes] == [("vim", 1, 1)]
    assert (day.focus, day.active_us) == ([], 0)


def test_spans_join_alike_in_every_order() -> None:
    spans = [span("a", 0, 3), span("a", 1, 2, events=5), span("a", 3.4, 4), span("a", 9)]
    expected = [span("a", 0, 4, events=7), span("a", 9)]
    assert all(joined(order, 30 * SECOND_US) == expected for order in permutations(spans))


def test_blocks_end_where_nothing_comes_for_five_minutes() -> None:
    (lane,) = lane_day([span("a", 0), span("a", 5), span("a", 10.1)]).lanes
    assert [(block.start_us, block.end_us, block.events) for block in lane.blocks] == [
        (0, 5 * MINUTE_US, 2),
        (round(10.1 * MINUTE_US), round(10.1 * MINUTE_US), 1),
    ]


def test_attention_is_at_what_began_last_and_still_lasts() -> None:
    spans = [span("editor", 0, 60), span("browser", 10, 20), span("mail", 12, 13)]
    assert held(spans) == [
        ("editor", 0, 10),
        ("browser", 10, 12),
        ("mail", 12, 13),
        ("browser", 13, 20),
        ("editor", 20, 60),
    ]


def test_between_events_attention_stays_unless_nothing_comes_for_long() -> None:
    assert held([span("a", 0), span("b", 3), span("a", 10)]) == [("a", 0, 3)]


def test_what_ended_below_another_does_not_come_back() -> None:
    assert held([span("a", 0, 5), span("b", 1, 9), span("c", 12)]) == [
        ("a", 0, 1),
        ("b", 1, 12),
    ]


def test_focus_is_fifteen_minutes_without_a_switch() -> None:
    assert focused([span("a", 0, 14.9)]) == []
    assert focused([span("a", 0, 15)]) == [("a", 0, 15)]


def test_a_glance_does_not_end_focus_and_does_not_count() -> None:
    assert focused([span("a", 0, 40), span("b", 20, 20.5)]) == [("a", 0, 39.5)]


def test_a_switch_ends_focus() -> None:
    spans = [span("a", 0, 40), span("b", 20, 20.6)]
    assert focused(spans) == [("a", 0, 20), ("a", 20.6, 19.4)]


def test_a_pause_ends_focus() -> None:
    assert focused([span("a", 0, 10), span("a", 15.1, 25)]) == []


def test_many_glances_are_no_focus() -> None:
    spans = [span("ab"[n % 2], n / 3) for n in range(180)]
    assert focused(spans) == []


def test_focus_never_counts_a_minute_twice() -> None:
    spans = [span("a", 0, 60), span("b", 0, 60), span("c", 30, 60)]
    day = lane_day(spans)
    assert sum(one.held_us for one in day.focus) <= day.active_us == 60 * MINUTE_US


def test_events_without_a_name_are_counted_and_end_nothing() -> None:
    day = lane_day([span("a", 0, 20), span("", 5, 15, events=9)])
    assert [lane.name for lane in day.lanes] == ["a"]
    assert (day.unnamed_events, len(day.focus)) == (9, 1)


def test_lanes_that_cover_most_come_first_and_the_rest_is_counted() -> None:
    day = lane_day([span(f"f{n:03}", 0, n / 100) for n in range(MAX_LANES + 7)])
    assert len(day.lanes) == MAX_LANES
    assert (day.lanes[0].name, day.more) == (f"f{MAX_LANES + 6:03}", 7)


def test_blocks_of_all_lanes_together_are_bounded() -> None:
    spans = [span(f"f{lane}", at) for lane in range(MAX_LANES) for at in range(0, 1440, 6)]
    day = lane_day(spans)
    assert sum(len(lane.blocks) for lane in day.lanes) <= MAX_BLOCKS
    assert sum(lane.events for lane in day.lanes) == len(spans)
    assert day.joined_us == 600 * SECOND_US


@pytest.mark.parametrize("minutes", [7, 13, 29])
def test_what_comes_later_changes_no_earlier_focus(minutes: int) -> None:
    before = [span("ab"[n % 2], n * minutes, (n + 1) * minutes) for n in range(6)]
    after = [span("c", 1_000 + n) for n in range(9)]
    assert focused([*before, *after])[: len(focused(before))] == focused(before)
