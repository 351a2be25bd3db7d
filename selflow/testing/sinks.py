"""Public fakes of the ports, and the laws every implementation of a contract keeps."""

from collections.abc import Callable, Sequence
from threading import Event as Flag
from threading import Lock
from typing import Protocol

from selflow.core.codec import decode_record, encode_record
from selflow.core.errors import ShapeError
from selflow.core.events import Credits, Event, Fill, Stored
from selflow.core.ports import EventFeed, EventSink


class ManualClock:
    """A clock that moves only when told; a wait passes at once and moves it by the whole
    timeout.
    """

    def __init__(self, now_us: int = 1_767_225_600_000_000) -> None:
        self._now_us = now_us
        self._started_us = now_us

    def now_us(self) -> int:
        """UTC microseconds since 1970; 2026 begins, unless another start was given."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Seconds since the start."""
        return (self._now_us - self._started_us) / 1e6

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        """True if the flag is set; otherwise the timeout passes."""
        if not flag.is_set():
            self.advance(timeout_s)
        return flag.is_set()

    def sleep(self, duration_s: float) -> None:
        """The time passes at once."""
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        """Let time pass."""
        self._now_us += round(duration_s * 1e6)


class MemoryLog:
    """The event log without a disk; it answers as ``selflow.store.log.EventLog`` does."""

    def __init__(
        self,
        budget_bytes: int = 64_000_000,
        credits: int = 8,  # noqa: A002  (the wire's word)
    ) -> None:
        self._budget_bytes = budget_bytes
        self._credits = credits
        self._records: list[bytes] = []
        self._batches: dict[tuple[str, int], tuple[int, int]] = {}
        self._lock = Lock()

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Keep a batch; a repeated one is answered with the numbers of the first time."""
        if any(len(record) <= 8 for record in records):
            raise ShapeError("a record has more than 8 bytes")
        with self._lock:
            is_repeat = (source, batch_id) in self._batches
            if not is_repeat:
                before = len(self._records)
                self._records.extend(records)
                numbers = (before + 1, len(self._records)) if records else (0, 0)
                self._batches[source, batch_id] = numbers
            first_seq, last_seq = self._batches[source, batch_id]
            return Credits(first_seq, last_seq, is_repeat, self._credits)

    def read(self, after_seq: int, limit_events: int) -> list[Stored]:
        """At most ``limit_events`` events after ``after_seq``, in order."""
        with self._lock:
            chosen = self._records[max(0, after_seq) :][: max(0, limit_events)]
        return [
            Stored(seq, decode_record(record))
            for seq, record in enumerate(chosen, max(0, after_seq) + 1)
        ]

    def fill(self) -> Fill:
        """How full it is; nothing was ever consumed."""
        with self._lock:
            count = len(self._records)
            return Fill(count, sum(map(len, self._records)), count, self._budget_bytes, count)


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
    _holds((first.first_seq, first.last_seq) == (1, 3), "the first batch has the numbers 1 to 3")
    _holds(
        (second.first_seq, second.last_seq) == (4, 5),
        "the next batch goes on where the first ended",
    )
    _holds(
        not first.is_repeat and first.credits > 0,
        "a new batch is no repeat and is answered with credits",
    )


def _a_repeat_stores_nothing(log: SinkAndFeed) -> None:
    first = log.append("a", 1, _records(0, 3))
    log.append("a", 2, _records(3, 1))
    again = log.append("a", 1, _records(7, 2))
    _holds(
        (again.first_seq, again.last_seq) == (first.first_seq, first.last_seq),
        "a repeat has the first numbers",
    )
    _holds(again.is_repeat, "a repeat says so")
    _holds([each.event for each in log.read(0, 99)] == _events(0, 4), "a repeat stores nothing")


def _a_batch_belongs_to_its_source(log: SinkAndFeed) -> None:
    log.append("a", 1, _records(0, 1))
    _holds(
        not log.append("b", 1, _records(1, 1)).is_repeat,
        "another source's batch of the same id is another batch",
    )
    _holds(log.fill().events == 2, "both batches are stored")


def _an_empty_batch_is_remembered(log: SinkAndFeed) -> None:
    empty = log.append("a", 1, [])
    _holds(
        (empty.first_seq, empty.last_seq, empty.is_repeat) == (0, 0, False),
        "an empty batch has the numbers 0",
    )
    _holds(log.append("a", 1, _records(0, 1)).is_repeat, "an empty batch is remembered")
    _holds(log.append("a", 2, _records(0, 1)).first_seq == 1, "an empty batch uses no number")


def _a_batch_with_a_bad_record_stores_nothing(log: SinkAndFeed) -> None:
    try:
        log.append("a", 1, [*_records(0, 2), b"12345678"])
    except ShapeError:
        pass
    else:
        _holds(claim=False, law="a record that is only a header is refused")
    _holds(log.fill().events == 0, "a refused batch stores nothing")
    _holds(not log.append("a", 1, _records(0, 2)).is_repeat, "a refused batch may come again")


def _reading_goes_on_after_a_number(log: SinkAndFeed) -> None:
    log.append("a", 1, _records(0, 5))
    seen = log.read(2, 2)
    _holds(
        [each.seq for each in seen] == [3, 4],
        "reading starts after the number and stops at the limit",
    )
    _holds([each.event for each in seen] == _events(2, 2), "an event keeps everything it came with")
    _holds(
        list(log.read(5, 9)) == [] and list(log.read(0, 0)) == [], "nothing follows the last number"
    )
    _holds(
        [each.seq for each in log.read(-3, 1)] == [1], "before the first number is the beginning"
    )


def _the_fill_counts_events_and_bytes(log: SinkAndFeed) -> None:
    records = _records(0, 4)
    log.append("a", 1, records)
    log.append("a", 1, records)
    fill = log.fill()
    _holds(
        (fill.events, fill.last_seq, fill.new_events) == (4, 4, 4),
        "the fill counts each event once",
    )
    _holds(fill.size_bytes == sum(map(len, records)), "the fill's size is that of the records")
    _holds(fill.budget_bytes > 0, "the fill says against which budget it stands")


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


def _holds(claim: bool, law: str) -> None:  # noqa: FBT001  (reads as a sentence)
    if not claim:
        raise AssertionError(f"law broken: {law}")
