import os
import signal
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.errors import StoreError
from selflow.store.spool import Spool, SpooledBatch
from tests.unit.store.campaign import campaign
from tests.unit.store.worlds import record


def open_spool(folder: Path, limit_bytes: int = 1_000_000) -> Spool:
    return Spool(folder, limit_bytes)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 2)),
        st.tuples(st.just("done"), st.sampled_from("ab"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("reopen"), st.just(""), st.just(0), st.just(0)),
    ),
    max_size=14,
)


@campaign
@given(STEPS)
def test_any_sequence_of_steps_equals_an_ordered_map(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    spool, model = open_spool(folder), {}
    for step, source, batch_id, size_events in steps:
        records = tuple(record(i) for i in range(size_events))
        if step == "put":
            spool.put(source, batch_id, records)
            model.setdefault((source, batch_id), SpooledBatch(source, batch_id, records))
        elif step == "done":
            spool.done(source, batch_id)
            model.pop((source, batch_id), None)
        else:
            spool.close()
            spool = open_spool(folder)

        assert list(spool.pending()) == list(model.values())
        assert spool.fill().size_bytes == sum(
            path.stat().st_size for path in folder.glob("*.batch")
        )
    spool.close()


PUTTER = """
import sys
from pathlib import Path
from selflow.store.spool import Spool
spool = Spool(Path(sys.argv[1]), 10_000_000)
for batch_id in range(int(sys.argv[2]), 1_000_000):
    spool.put("a", batch_id, [b"record %d" % batch_id])
    print(batch_id, flush=True)
"""


def test_kill_9_loses_no_batch_that_was_put(tmp_path: Path) -> None:
    acknowledged: list[int] = []
    for kill_after in (3, 20):
        first = max(acknowledged, default=-1) + 1
        putter = subprocess.Popen(
            [sys.executable, "-c", PUTTER, str(tmp_path), str(first)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for count, line in enumerate(putter.stdout, 1):
            acknowledged.append(int(line))
            if count == kill_after:
                putter.send_signal(signal.SIGKILL)
        putter.communicate()

    with closing(open_spool(tmp_path, 10_000_000)) as spool:
        waiting = {batch.batch_id: batch.records for batch in spool.pending()}

        assert len(acknowledged) >= 23
        assert all(waiting[batch_id] == (b"record %d" % batch_id,) for batch_id in acknowledged)


@pytest.mark.parametrize("fault", ["cut short", "only begun", "one bit changed", "empty"])
def test_a_file_that_is_not_whole_is_kept_aside_and_the_rest_stands(
    tmp_path: Path, fault: str
) -> None:
    with closing(open_spool(tmp_path)) as spool:
        for batch_id in range(3):
            spool.put("a", batch_id, [record(batch_id)])
    last = max(tmp_path.glob("*.batch"))
    whole = last.read_bytes()
    broken = {
        "cut short": whole[:-1],
        "only begun": whole[:9],
        "one bit changed": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
    }[fault]
    last.write_bytes(broken)
    with closing(open_spool(tmp_path)) as spool:
        assert [batch.batch_id for batch in spool.pending()] == [0, 1]
        assert spool.fill().damaged_files == 1
        assert last.with_name(last.name + ".damaged").read_bytes() == broken
        spool.put("a", 3, [record(3)])

        assert [batch.batch_id for batch in spool.pending()] == [0, 1, 3]


def test_a_file_that_breaks_while_it_waits_is_kept_aside_too(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path)) as spool:
        spool.put("a", 1, [record(1)])
        next(tmp_path.glob("*.batch")).write_bytes(b"x")

        assert list(spool.pending()) == []
        assert (spool.fill().batches, spool.fill().size_bytes, spool.fill().damaged_files) == (
            0,
            0,
            1,
        )


def test_a_full_spool_names_its_limit_and_takes_batches_again_when_some_are_done(
    tmp_path: Path,
) -> None:
    with closing(open_spool(tmp_path, limit_bytes=600)) as spool:
        spool.put("a", 1, [bytes(400)])
        with pytest.raises(
            StoreError, match=r"its limit is 600; a batch of 4\d\d bytes does not fit"
        ):
            spool.put("a", 2, [bytes(400)])
        spool.done("a", 1)
        spool.put("a", 2, [bytes(400)])

        assert [batch.batch_id for batch in spool.pending()] == [2]


def test_file_and_folder_are_synced_before_put_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda fd: synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
    )
    with closing(open_spool(tmp_path / "spool")) as spool:
        spool.put("a", 1, [record(1)])

        assert synced == [f"{1:020d}.batch", "spool"]


def test_a_disk_that_refuses_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with closing(open_spool(tmp_path)) as spool:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(
            StoreError, match=r"cannot keep a batch of \d+ bytes .* No space left on device"
        ):
            spool.put("a", 1, [record(1)])

        assert list(spool.pending()) == []
        assert list(tmp_path.glob("*.batch")) == []


def test_a_second_holder_is_refused_and_modes_are_the_owners(tmp_path: Path) -> None:
    with closing(open_spool(tmp_path / "spool")) as spool:
        spool.put("a", 1, [record(1)])
        with pytest.raises(StoreError, match=f"is locked by process {os.getpid()}"):
            open_spool(tmp_path / "spool")
        modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()}

        assert modes == {0o600}
        assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
