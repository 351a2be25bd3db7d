"""The laws of an event sink that is a feed too: for whoever writes a store of events."""

from collections.abc import Callable
from typing import Protocol

from selflow.core.codec import encode_record
from selflow.core.errors import ShapeError
from selflow.core.events import Event
from selflow.core.ports import EventFeed, EventSink
from selflow.testing.claims import holds


class SinkAndFeed(EventSink, EventFeed, Protocol):
    """What takes events and hands them out again."""


def check_sink(make: Callable[[], SinkAndFeed]) -> None:
    """Every law of a sink that is a feed too, each on a fresh empty one.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    for law in SINK_LAWS:
        law(make())


def _numbers_start_at_one_and_follow_each_other(log: SinkAndFeed) -> None:
    first, second = log.append("a", 1, _records(0, 3)), log.append("b", 9, _records(3, 2))
    holds((first.first_seq, first.last_seq) == (1, 3), "the first batch has the numbers 1 to 3")
    holds(
        (second.first_seq, second.last_seq) == (4, 5),
        "the next batch goes on where the first ended",
    )
    holds(
        not first.is_repeat and first.credits > 0,
        "a new batch is not a repeat and is answered with credits",
    )


def _a_repeat_stores_nothing(log: SinkAndFeed) -> None:
    first = log.append("a", 1, _records(0, 3))
    log.append("a", 2, _records(3, 1))
    again = log.append("a", 1, _records(7, 2))
    holds(
        (again.first_seq, again.last_seq) == (first.first_seq, first.last_seq),
        "a repeat has the first numbers",
    )
    holds(again.is_repeat, "a repeat says so")
    holds([stored.event for stored in log.read(0, 99)] == _events(0, 4), "a repeat stores nothing")


def _a_batch_belongs_to_its_source(log: SinkAndFeed) -> None:
    log.append("a", 1, _records(0, 1))
    holds(
        not log.append("b", 1, _records(1, 1)).is_repeat,
        "another source's batch of the same id is another batch",
    )
    holds(log.fill().events == 2, "both batches are stored")


def _an_empty_batch_is_remembered(log: SinkAndFeed) -> None:
    empty = log.append("a", 1, [])
    holds(
        (empty.first_seq, empty.last_seq, empty.is_repeat) == (0, 0, False),
        "an empty batch has the numbers 0",
    )
    holds(log.append("a", 1, _records(0, 1)).is_repeat, "an empty batch is remembered")
    holds(log.append("a", 2, _records(0, 1)).first_seq == 1, "an empty batch uses no number")


def _a_batch_with_a_bad_record_stores_nothing(log: SinkAndFeed) -> None:
    try:
        log.append("a", 1, [*_records(0, 2), b"12345678"])
    except ShapeError:
        pass
    else:
        holds(claim=False, law="a record that is only a header is refused")
    holds(log.fill().events == 0, "a refused batch stores nothing")
    holds(not log.append("a", 1, _records(0, 2)).is_repeat, "a refused batch may come again")


def _reading_goes_on_after_a_number(log: SinkAndFeed) -> None:
    log.append("a", 1, _records(0, 5))
    seen = log.read(2, 2)
    holds(
        [stored.seq for stored in seen] == [3, 4],
        "reading starts after the number and stops at the limit",
    )
    holds(
        [stored.event for stored in seen] == _events(2, 2), "an event keeps everything it came with"
    )
    holds(
        list(log.read(5, 9)) == [] and list(log.read(0, 0)) == [], "nothing follows the last number"
    )
    holds(
        [stored.seq for stored in log.read(-3, 1)] == [1],
        "before the first number is the beginning",
    )


def _the_fill_counts_events_and_bytes(log: SinkAndFeed) -> None:
    records = _records(0, 4)
    log.append("a", 1, records)
    log.append("a", 1, records)
    fill = log.fill()
    holds(
        (fill.events, fill.last_seq, fill.new_events) == (4, 4, 4),
        "the fill counts each event once",
    )
    holds(fill.size_bytes == sum(map(len, records)), "the fill's size is that of the records")
    holds(fill.budget_bytes > 0, "the fill says against which budget it stands")


SINK_LAWS: tuple[Callable[[SinkAndFeed], None], ...] = (
    _numbers_start_at_one_and_follow_each_other,
    _a_repeat_stores_nothing,
    _a_batch_belongs_to_its_source,
    _an_empty_batch_is_remembered,
    _a_batch_with_a_bad_record_stores_nothing,
    _reading_goes_on_after_a_number,
    _the_fill_counts_events_and_bytes,
)


def _events(start: int, count: int) -> list[Event]:
    moment_us = 1_767_225_600_000_000
    return [
        Event(moment_us + i, "files", "file.modify", f"/w/{i}", data={"n": i})
        for i in range(start, start + count)
    ]


def _records(start: int, count: int) -> list[bytes]:
    return [encode_record(event) for event in _events(start, count)]
