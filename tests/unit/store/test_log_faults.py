"""The log against processes that die, write beside each other, and disks that are full."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from selflow.core.codec import decode_record
from selflow.core.errors import StoreError
from tests.unit.store.worlds import open_log, record

pytestmark = pytest.mark.slow

PREAMBLE = """
import sys, resource
from contextlib import closing
from pathlib import Path
from selflow.core.errors import StoreError
from selflow.store.log import EventLog
from tests.unit.store.worlds import open_log, record
folder = Path(sys.argv[1])
def say(*words):  # in one write, so that a kill leaves whole lines
    sys.stdout.write(" ".join(map(str, words)) + "\\n")
    sys.stdout.flush()
"""
APPENDER = """
first = int(sys.argv[2])
with closing(open_log(folder, map_bytes=1 << 16)) as log:
    for batch_id in range(first, 1_000_000):
        answer = log.append("a", batch_id, [record(10 * batch_id + i) for i in range(batch_id % 7)])
        say(batch_id, answer.first_seq, answer.last_seq)
"""
READER = """
reader = EventLog.open_for_reading(folder, 1)
for line in sys.stdin:
    seen = reader.read(0, 100_000)
    say(len(seen), reader.fill().events, reader.scan(0, 1 << 62, 1, newest_first=True)[0].seq)
"""
FILL_READER = """
from selflow.store.log import FillReader
fills = FillReader(folder)
for line in sys.stdin:
    say(fills.last_seq())
"""
HANGING_READER = """
reader = EventLog.open_for_reading(folder, 1)
with reader._view() as txn:
    say("inside")
    sys.stdin.read()
"""
FULL_DISK = """
with closing(open_log(folder)) as log:
    log.append("a", 1, [record(i, padding_bytes=1_000) for i in range(50)])
    size = (folder / "data.mdb").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        log.append("a", 2, [record(i, padding_bytes=1_000) for i in range(500)])
    except StoreError as error:
        say(str(error))
        say(error.hint)
    say(log.fill().events, len(log.read(0, 999)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answer = log.append("a", 2, [record(i) for i in range(5)])
    say(answer.first_seq, answer.last_seq, answer.is_repeat)
"""


def _start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _ask(process: subprocess.Popen[str]) -> list[int]:
    process.stdin.write("\n")
    process.stdin.flush()
    return [int(word) for word in process.stdout.readline().split()]


def test_kill_9_loses_no_acknowledged_batch_and_doubles_none(tmp_path: Path) -> None:
    acknowledged: dict[int, tuple[int, int]] = {}
    for kill_after in (1, 40, 77):
        writer = _start(APPENDER, tmp_path, max(acknowledged, default=-1) + 1)
        for count, line in enumerate(writer.stdout, 1):
            batch_id, first_seq, last_seq = map(int, line.split())
            acknowledged[batch_id] = first_seq, last_seq
            if count == kill_after:
                writer.send_signal(signal.SIGKILL)
        writer.communicate()

    with closing(open_log(tmp_path)) as log:
        stored = {each.seq: each.event.data["n"] for each in log.read(0, 1_000_000)}
        numbers = list(stored.values())
        for batch_id, (first_seq, last_seq) in acknowledged.items():
            wanted = [10 * batch_id + i for i in range(batch_id % 7)]
            again = log.append("a", batch_id, [])

            assert (again.first_seq, again.last_seq, again.is_repeat) == (first_seq, last_seq, True)
            assert [stored[seq] for seq in range(first_seq, last_seq + 1) if seq] == wanted
        assert len(acknowledged) >= 118
        assert len(set(numbers)) == len(numbers)
        assert list(stored) == list(range(1, len(stored) + 1))


def test_the_last_number_is_read_afresh_beside_the_writer(tmp_path: Path) -> None:
    fills = _start(FILL_READER, tmp_path)
    seen = [_ask(fills)]
    with closing(open_log(tmp_path)) as log:
        for batch_id in (1, 2):
            log.append("a", batch_id, [record(batch_id), record(10 + batch_id)])
            seen.append(_ask(fills))
    fills.communicate()

    assert seen == [[0], [2], [4]]


def test_a_reader_in_another_process_follows_a_log_that_outgrows_its_map(tmp_path: Path) -> None:
    with closing(open_log(tmp_path, map_bytes=1 << 17)) as log:
        log.append("a", 1, [record(0)])
        reader = _start(READER, tmp_path)
        first = _ask(reader)
        log.append("a", 2, [record(i, padding_bytes=1_000) for i in range(2_000)])
        second = _ask(reader)
        reader.communicate()

    assert first == [1, 1, 1]
    assert second == [2_001, 2_001, 2_001]


def test_a_reader_reads_what_a_killed_writer_left(tmp_path: Path) -> None:
    writer = _start(APPENDER, tmp_path, 1)
    last_seq = int(writer.stdout.readline().split()[2])
    writer.kill()
    writer.communicate()
    reader = _start(READER, tmp_path)
    seen = _ask(reader)
    reader.communicate()

    assert seen[0] >= last_seq


def _kill_a_reader_while_it_reads(folder: Path) -> str:
    reader = _start(HANGING_READER, folder)
    reader.stdout.readline()
    reader.kill()
    reader.communicate()
    return str(reader.pid)


def test_a_killed_reader_is_forgotten_when_the_next_one_opens(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.append("a", 1, [record(0)])
        dead = _kill_a_reader_while_it_reads(tmp_path)
        seen_before = log._env.readers().split()
        reader = _start(READER, tmp_path)
        _ask(reader)
        seen_after = log._env.readers().split()
        reader.communicate()

    assert dead in seen_before
    assert dead not in seen_after


def test_a_killed_reader_does_not_make_the_log_grow(tmp_path: Path) -> None:
    with closing(open_log(tmp_path, map_bytes=1 << 17)) as log:
        log.append("a", 1, [record(0)])
        _kill_a_reader_while_it_reads(tmp_path)
        for _ in range(100):
            log.consume(1)

        assert log._env.info()["map_size"] == 1 << 17


def _break_the_last_step_of_a_commit(folder: Path) -> None:
    """Put a descriptor that cannot write in the place of the one with which LMDB writes its root
    page.
    """
    for link in Path("/proc/self/fd").iterdir():
        number = int(link.name)
        # The descriptor that lists this folder is gone by the time it is looked at.
        with contextlib.suppress(OSError):
            if (
                link.readlink() == folder / "data.mdb"
                and fcntl.fcntl(number, fcntl.F_GETFL) & os.O_DSYNC
            ):
                readable = os.open(folder / "data.mdb", os.O_RDONLY)
                os.dup2(readable, number)
                os.close(readable)


def test_a_log_whose_commit_failed_goes_on_from_what_is_on_the_disk(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.append("a", 1, [record(0)])
        _break_the_last_step_of_a_commit(tmp_path)
        with pytest.raises(StoreError, match="cannot write"):
            log.append("a", 2, [record(1)])

        assert log.append("a", 2, [record(1), record(2)]).last_seq == 3
        assert [each.event.data["n"] for each in log.read(0, 9)] == [0, 1, 2]


def test_a_full_disk_is_named_with_its_sizes_and_leaves_nothing_half_written(
    tmp_path: Path,
) -> None:
    process = _start(FULL_DISK, tmp_path)
    said, _ = process.communicate()
    message, hint, after, again = said.splitlines()

    assert message.startswith("cannot write 5")
    assert f"bytes to the event log {tmp_path}" in message
    assert "bytes are free on its disk" in message
    assert "nothing of the batch was stored" in hint
    assert after == "50 50"
    assert again == "51 55 False"


def test_a_writer_beside_a_writer_in_another_process_is_refused(tmp_path: Path) -> None:
    with closing(open_log(tmp_path)) as log:
        log.append("a", 1, [record(7)])
        other = subprocess.run(
            [sys.executable, "-c", PREAMBLE + "open_log(folder)", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )

        assert f"is locked by process {os.getpid()}" in other.stderr
        assert decode_record(record(7)) == log.read(0, 1)[0].event
