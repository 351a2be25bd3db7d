"""Deletion from the log: events, their bytes, and what is counted of them."""

from contextlib import closing
from pathlib import Path

import pytest

from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.store.lineage import MAX_RANGES, ranges_of
from selflow.store.log import EventLog
from selflow.store.spool import Spool, rewrite
from tests.unit.store.worlds import START_US, open_log

SECRET = b"geheim"


def records(count: int) -> list[bytes]:
    """Every third names what is to be deleted."""
    return [
        encode_record(
            Event(
                START_US + at, "files", "file.modify", f"{'geheim' if at % 3 == 0 else 'open'}/{at}"
            )
        )
        for at in range(count)
    ]


def append(log: EventLog, count: int) -> list[int]:
    for first in range(0, count, 100):
        log.append("s", first, records(count)[first : first + 100])
    return [at + 1 for at in range(count) if at % 3 == 0]


def test_deleted_events_are_gone_and_counted(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        meant = append(log, 300)
        log.consume(30)

        assert log.forget([*meant, 999]) == 100
        assert log.forget(meant) == 0
        left = log.read(0, 1_000)
        assert [stored.seq for stored in left] == [n for n in range(1, 301) if n not in meant]
        assert log.scan(0, START_US * 2, 1_000) == left
        fill = log.fill()
        assert (fill.events, fill.last_seq, fill.consumed_seq, fill.forgotten) == (
            200,
            300,
            30,
            100,
        )
        assert fill.new_events == 180
        assert fill.size_bytes == sum(len(r) for r in records(300)[30:] if SECRET not in r)


@pytest.mark.parametrize("count", [30, 3_000])
def test_no_byte_of_a_deleted_event_is_left_in_the_file(tmp_path: Path, count: int) -> None:
    with closing(open_log(tmp_path)) as log:
        log.forget(append(log, count))

    assert SECRET not in (tmp_path / "data.mdb").read_bytes()


def test_a_repeated_batch_brings_nothing_back(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.forget(append(log, 100))
        log.append("s", 0, records(100))

        assert log.fill().events == 66


def test_what_waits_in_the_spool_is_deleted_and_still_acknowledged(tmp_path: Path) -> None:
    with closing(Spool(tmp_path / "spool", 1_000_000)) as spool:
        spool.put("s", 1, records(3))

        assert rewrite(tmp_path / "spool", lambda record: SECRET not in record) == 1
        (batch,) = spool.pending()
        assert (batch.source, batch.batch_id, len(batch.records)) == ("s", 1, 2)
    assert not any(SECRET in path.read_bytes() for path in (tmp_path / "spool").glob("*"))


def test_ranges_never_leave_out_a_number() -> None:
    assert ranges_of([5, 1, 2, 3]) == [(1, 3), (5, 5)]
    many = [n * n for n in range(1, 3 * MAX_RANGES)]
    ranges = ranges_of(many)
    assert len(ranges) <= MAX_RANGES
    assert all(any(first <= n <= last for first, last in ranges) for n in many[::17])
