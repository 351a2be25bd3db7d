import ctypes
import importlib
import os
import pkgutil
import stat
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import lmdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import selflow.store
from selflow.core.codec import encode_record
from selflow.core.errors import ShapeError, StoreError
from selflow.core.events import Credits, Event
from selflow.store.log import EventLog
from selflow.testing import MemoryLog, SinkAndFeed, check_sink
from tests.unit.store.campaign import campaign
from tests.unit.store.worlds import START_US, open_log, record


def _sinks() -> dict[str, type]:
    """Every class of the store and of the public fakes that takes events and hands them out
    again.
    """
    found = {}
    for module in (
        *pkgutil.iter_modules(selflow.store.__path__, "selflow.store."),
        "selflow.testing.fakes",
    ):
        name = module if isinstance(module, str) else module.name
        for kind in vars(importlib.import_module(name)).values():
            is_ours = (
                isinstance(kind, type)
                and kind.__module__ == name
                and not getattr(kind, "_is_protocol", False)
            )
            if is_ours and all(hasattr(kind, verb) for verb in ("append", "read", "fill")):
                found[kind.__name__] = kind
    return found


SINKS = _sinks()


def test_exactly_these_sinks_are_checked() -> None:
    assert set(SINKS) == {"EventLog", "MemoryLog"}


@pytest.mark.parametrize("kind", SINKS.values(), ids=SINKS)
def test_every_sink_keeps_every_law(kind: type, tmp_path_factory: pytest.TempPathFactory) -> None:
    def make() -> SinkAndFeed:
        return MemoryLog() if kind is MemoryLog else open_log(tmp_path_factory.mktemp("events"))

    check_sink(make)


def test_a_broken_law_is_named() -> None:
    class Forgetful(MemoryLog):
        def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
            self._batches.clear()
            return super().append(source, batch_id, records)

    with pytest.raises(AssertionError, match="a repeat has the first numbers"):
        check_sink(Forgetful)


BATCHES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4), st.integers(0, 3), st.booleans()),
    max_size=14,
)


@campaign
@given(BATCHES)
def test_any_sequence_of_appends_repeats_and_reopenings_equals_a_plain_model(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[str, int, int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("events")
    log, model = open_log(folder), MemoryLog()
    for number, (source, batch_id, size_events, is_reopened) in enumerate(batches):
        records = [record(10 * number + i) for i in range(size_events)]

        assert log.append(source, batch_id, records) == model.append(source, batch_id, records)
        if is_reopened:
            log.close()
            log = open_log(folder)
    with closing(log):
        assert log.read(0, 999) == model.read(0, 999)
        assert log.fill() == model.fill()


@campaign
@given(
    moments=st.lists(st.integers(0, 30), max_size=25),
    since=st.integers(-1, 31),
    until=st.integers(-1, 31),
    limit_events=st.integers(0, 26),
    newest_first=st.booleans(),
)
def test_a_scan_equals_sorting_and_filtering(
    tmp_path_factory: pytest.TempPathFactory,
    moments: list[int],
    since: int,
    until: int,
    limit_events: int,
    newest_first: bool,  # noqa: FBT001
) -> None:
    with closing(open_log(tmp_path_factory.mktemp("events"))) as log:
        log.append("a", 1, [record(i, ts_us=moment) for i, moment in enumerate(moments)])

        found = log.scan(since, until, limit_events, newest_first=newest_first)

        pairs = sorted((m, i + 1) for i, m in enumerate(moments) if since <= m < until)
        wanted = pairs[::-1] if newest_first else pairs
        assert [(each.event.ts_us, each.seq) for each in found] == wanted[:limit_events]


def test_what_is_consumed_survives_a_reopening(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "events")) as log:
        log.append("a", 1, [record(i) for i in range(5)])
        before = log.fill().consumed_seq
        log.consume(3)
    with closing(open_log(tmp_path / "events")) as log:
        assert (before, log.fill().consumed_seq, log.fill().new_events) == (0, 3, 2)


def test_nothing_behind_the_end_can_be_consumed(tmp_path: Path) -> None:
    with (
        closing(open_log(tmp_path / "events")) as log,
        pytest.raises(ShapeError, match="cannot consume up to 1: the last sequence number is 0"),
    ):
        log.consume(1)


def test_the_buffer_is_what_no_cycle_has_consumed(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "events")) as log:
        records = [record(i) for i in range(6)]
        log.append("a", 1, records[:4])
        log.consume(3)
        log.append("a", 2, records[4:])
        fill = log.fill()

        assert (fill.events, fill.last_seq, fill.new_events) == (6, 6, 3)
        assert fill.size_bytes == sum(map(len, records[3:]))
        log.consume(6)
        assert log.fill().size_bytes == 0


def test_sequence_numbers_go_on_when_every_event_was_deleted(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "events")) as log:
        log.append("a", 1, [record(1), record(2)])
    with lmdb.open(str(tmp_path / "events"), max_dbs=5) as env:
        tables = [env.open_db(name) for name in (b"log", b"times", b"batches")]
        with env.begin(write=True) as txn:
            for table in tables:
                txn.drop(table, delete=False)
    with closing(open_log(tmp_path / "events")) as log:
        assert log.append("a", 1, [record(3)]).first_seq == 3


def test_the_map_grows_with_the_log(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "events", map_bytes=1 << 16)) as log:
        log.append("a", 1, [record(i, padding_bytes=1_000) for i in range(1_000)])
        log.append("a", 2, [record(i) for i in range(10)])

        assert log.fill().last_seq == 1_010


def test_a_second_writer_is_told_who_holds_the_log(tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "events")):
        with pytest.raises(StoreError, match=rf"is locked by process {os.getpid()}$") as caught:
            open_log(tmp_path / "events")
        assert "selflow down" in caught.value.hint


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    log = open_log(tmp_path / "events")
    log.close()
    log.close()

    with closing(open_log(tmp_path / "events")) as again:
        assert again.fill().events == 0


def test_folder_and_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_log(tmp_path / "events").close()
    finally:
        os.umask(before)
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "events").iterdir()
    }

    assert stat.S_IMODE((tmp_path / "events").stat().st_mode) == 0o700
    assert modes == {"data.mdb": 0o600, "lock.mdb": 0o600, "writer.lock": 0o600}


def test_a_reader_of_no_log_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no event log at") as caught:
        EventLog.open_for_reading(tmp_path / "events", 1)
    assert "selflow up" in caught.value.hint


def test_files_that_are_no_log_are_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a log " * 2_000)
    with pytest.raises(StoreError, match="cannot open the event log") as caught:
        open_log(tmp_path)

    assert "restore" in caught.value.hint
    assert (tmp_path / "data.mdb").read_bytes().startswith(b"not a log")


def test_a_log_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    open_log(tmp_path).close()
    with lmdb.open(str(tmp_path), max_dbs=5) as env, env.begin(write=True) as txn:
        txn.put(b"format", (2).to_bytes(8, "big"), db=env.open_db(b"meta", txn=txn))
    with pytest.raises(StoreError, match="has format 2; this program reads 1"):
        open_log(tmp_path)


def test_a_record_that_cannot_be_read_is_named_by_its_number(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.append("a", 1, [record(1), bytes(8) + b"no msgpack"])
        with pytest.raises(StoreError, match="event 2 of the log cannot be read"):
            log.read(0, 9)


@pytest.mark.parametrize(
    ("source", "batch_id", "text"),
    [
        ("", 1, "1 to 400 bytes, not 0"),
        ("s" * 401, 1, "not 401"),
        ("s", -1, "64-bit"),
        ("s", 1 << 64, "64-bit"),
    ],
)
def test_a_batch_that_cannot_be_a_key_is_refused(
    tmp_path: Path, source: str, batch_id: int, text: str
) -> None:
    with closing(open_log(tmp_path)) as log, pytest.raises(ShapeError, match=text):
        log.append(source, batch_id, [])


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()
    with pytest.raises(StoreError, match="is closed"):
        log.append("a", 1, [record(1)])
    with pytest.raises(StoreError, match="is closed"):
        log.read(0, 1)


def test_an_event_comes_back_as_it_went_in(tmp_path: Path) -> None:
    event = Event(
        START_US,
        "shell",
        "shell.command",
        "ls",
        "bash",
        0.25,
        {"step": "c1", "list": [1, None, True]},
    )
    with closing(open_log(tmp_path)) as log:
        log.append("shell", 1, [encode_record(event)])

        assert log.read(0, 1)[0].event == event


class _CacheStat(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently")
    ]


def _unwritten_pages(path: Path) -> int:
    """Pages of a file that are in memory only: cachestat(2), Linux 6.5 and later."""
    library, found = ctypes.CDLL(None), _CacheStat()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        done = library.syscall(451, descriptor, (ctypes.c_uint64 * 2)(0, 0), ctypes.byref(found), 0)
    finally:
        os.close(descriptor)
    return int(found.dirty + found.writeback) if done == 0 else 0


def test_an_acknowledged_batch_is_on_the_disk_and_not_only_in_memory(tmp_path: Path) -> None:
    (tmp_path / "control").write_bytes(bytes(100_000))
    can_see_it = _unwritten_pages(tmp_path / "control") > 0
    with closing(open_log(tmp_path / "events")) as log:
        log.append("a", 1, [record(i, padding_bytes=1_000) for i in range(100)])

        assert _unwritten_pages(tmp_path / "events" / "data.mdb") == 0
        # Where the kernel cannot tell (older, tmpfs, overlay), LMDB's own flags must do.
        assert can_see_it or (log._env.flags()["sync"] and log._env.flags()["metasync"])
