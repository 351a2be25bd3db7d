"""The collector's own deliveries: whole batches, in order, kept while the sink is
unavailable, never doubled.
"""

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflow.collect.outbox import Batch, Batcher, Outbox
from selflow.core.clock import SystemClock
from selflow.core.codec import WireLimits, decode_record
from selflow.core.errors import StoreError
from selflow.core.events import Credits, Event
from selflow.testing import ManualClock, MemoryLog
from tests.unit.collect.ingest_world import DEADLINE_S, Gate, event_filter, events

LIMITS = WireLimits(max_batch_events=3)


class MemorySpool:
    """A spool without a disk; full once it holds ``room`` batches."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.kept: list[Batch] = []

    def put(self, source: str, batch_id: int, records: Sequence[bytes]) -> None:
        if len(self.kept) >= self.room:
            raise StoreError("the spool is full")
        self.kept.append(_Kept(source, batch_id, records))

    def pending(self) -> Iterator[Batch]:
        yield from list(self.kept)

    def done(self, source: str, batch_id: int) -> None:
        self.kept = [
            each for each in self.kept if (each.source, each.batch_id) != (source, batch_id)
        ]


class _Kept:
    def __init__(self, source: str, batch_id: int, records: Sequence[bytes]) -> None:
        self.source, self.batch_id, self.records = source, batch_id, records


class Weather:
    """A sink that is there or away; it may also store a batch and lose the answer."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.is_away = False
        self.loses_answers = False

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        if self.is_away:
            raise StoreError("the buffer does not answer")
        answer = self.log.append(source, batch_id, records)
        if self.loses_answers:
            raise ConnectionError("the answer was lost")
        return answer


def _world(spool: MemorySpool | None = None) -> tuple[Outbox, Weather, MemorySpool, ManualClock]:
    clock, sink, spool = ManualClock(), Weather(MemoryLog()), spool or MemorySpool()
    return (
        Outbox(sink, event_filter(["~/private/"]), spool, clock, LIMITS, flush_interval_s=0.5),
        sink,
        spool,
        clock,
    )


def _stored(log: MemoryLog) -> list[str]:
    return [each.event.subject for each in log.read(0, 10_000)]


def _names(count: int, start: int = 0) -> list[str]:
    return [f"/w/file{place}" for place in range(start, start + count)]


@pytest.mark.setting("ingest.flush_interval_s")
def test_full_batches_go_at_once_and_the_rest_after_the_interval() -> None:
    outbox, sink, _, clock = _world()
    outbox.offer(events(0, 4))
    outbox.step()
    first = _stored(sink.log)
    clock.advance(0.5)
    outbox.step()

    assert (first, _stored(sink.log)) == (_names(3), _names(4))
    assert outbox.outcomes() == {("files", "accepted"): 4}


def test_nothing_unredacted_or_excluded_is_ever_held() -> None:
    outbox, sink, spool, _ = _world()
    sink.is_away = True
    outbox.offer(
        [Event(1, "shell", "k", "vim ~/private/x"), Event(1, "shell", "k", "mail bob@example.org")]
    )
    outbox.step(everything=True)

    assert [decode_record(record).subject for batch in spool.kept for record in batch.records] == [
        "mail <EMAIL>"
    ]
    assert outbox.outcomes() == {("shell", "dropped"): 1, ("shell", "spooled"): 1}


def test_while_the_sink_is_away_batches_are_spooled_and_go_on_in_order_when_it_is_back() -> None:
    outbox, sink, spool, clock = _world()
    sink.is_away = True
    for place in range(4):
        outbox.offer(events(3 * place, 3))
        outbox.step()
        clock.advance(0.3)
    assert (len(spool.kept), outbox.last_error) == (4, "the buffer does not answer")
    sink.is_away = False
    outbox.offer(events(12, 3))
    clock.advance(2)
    outbox.step()

    assert _stored(sink.log) == _names(15)
    assert (spool.kept, outbox.last_error) == ([], "")


def test_an_answer_that_is_lost_doubles_nothing() -> None:
    outbox, sink, spool, clock = _world()
    sink.loses_answers = True
    outbox.offer(events(0, 3))
    outbox.step()
    assert (len(spool.kept), outbox.last_error) == (1, "ConnectionError")
    sink.loses_answers = False
    clock.advance(2)
    outbox.step()

    assert _stored(sink.log) == _names(3)
    assert outbox.outcomes()["files", "repeated"] == 3


def test_what_a_last_run_left_behind_goes_first() -> None:
    before, sink, spool, _ = _world()
    sink.is_away = True
    before.offer(events(0, 2))
    before.step(everything=True)
    after, sink, _, _ = _world(spool)
    after.offer(events(2, 3))
    after.step()

    assert _stored(sink.log) == _names(5)
    assert spool.kept == []


def test_with_a_full_spool_batches_wait_in_memory_up_to_a_bound_and_losses_are_counted() -> None:
    outbox, sink, _, clock = _world(MemorySpool(room=1))
    sink.is_away = True
    for place in range(70):
        outbox.offer(events(3 * place, 3))
        outbox.step()
    assert outbox.outcomes()["files", "lost"] == 3 * 5
    sink.is_away = False
    clock.advance(2)
    outbox.step()

    assert _stored(sink.log) == _names(3 * 65)


def test_stopping_delivers_what_was_offered() -> None:
    gate = Gate(MemoryLog())
    outbox = Outbox(
        gate, event_filter(), MemorySpool(), SystemClock(), LIMITS, flush_interval_s=0.01
    )
    outbox.start()
    outbox.offer(events(0, 4))
    assert gate.entered.wait(DEADLINE_S)
    gate.opened.set()
    outbox.stop()
    outbox.stop()

    assert _stored(gate.log) == _names(4)


@settings(max_examples=60, derandomize=True, database=None, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 400), max_size=30),
    max_bytes=st.integers(300, 900),
    max_events=st.integers(1, 9),
)
def test_no_batch_is_too_large_and_no_record_is_lost(
    sizes: list[int], max_bytes: int, max_events: int
) -> None:
    batcher = Batcher(
        WireLimits(max_batch_bytes=max_bytes, max_batch_events=max_events), 1.0, (1 << 64) - 2
    )
    records = [bytes([place]) * size for place, size in enumerate(sizes)]
    for record in records:
        batcher.add("s", record, 0.0)
    made = batcher.take(0.0) + batcher.take(1.0)

    assert [record for batch in made for record in batch.records] == records
    assert all(len(b"".join(batch.records)) <= max(max_bytes, 400) for batch in made)
    assert all(1 <= len(batch.records) <= max_events for batch in made)
    assert [batch.batch_id for batch in made] == [
        ((1 << 64) - 2 + place) % (1 << 64) for place in range(len(made))
    ]


class BrokenSpool(MemorySpool):
    """A fault of ours, not of the disk."""

    def pending(self) -> Iterator[Batch]:
        raise KeyError("the owner's secret")


def test_an_outbox_whose_thread_has_ended_says_so() -> None:
    outbox = Outbox(MemoryLog(), event_filter(), BrokenSpool(), SystemClock(), LIMITS, 0.01)
    outbox.start()
    outbox.stop()

    assert outbox.fault == "the outbox thread has ended (KeyError)"
