"""From the spool into the log: each command once, whatever is killed in between."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from selflow.collect.companion.records import events_of
from selflow.collect.companion.source import SpoolSource
from selflow.collect.companion.spool import ShellSpool
from selflow.collect.outbox import Outbox
from selflow.core.clock import Clock
from selflow.core.codec import WireLimits
from selflow.core.errors import StoreError
from selflow.core.events import Credits
from selflow.core.ids import new_id
from selflow.store.spool import Spool
from selflow.testing import ManualClock, MemoryLog
from tests.unit.collect.companion.test_records import NOW_US, record
from tests.unit.collect.ingest_world import event_filter


class Unreliable:
    """A log that fails before or after it has stored a batch, as often as it is told."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.fails_before = 0
        self.fails_after = 0
        self.batches: list[int] = []

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        if self.fails_before:
            self.fails_before -= 1
            raise StoreError("the buffer does not answer")
        answer = self.log.append(source, batch_id, records)
        self.batches.append(batch_id)
        if self.fails_after:
            self.fails_after -= 1
            raise StoreError("the answer was lost")
        return answer

    @property
    def commands(self) -> list[str]:
        return [stored.event.subject for stored in self.log.read(0, 10_000)]


def companion(folder: Path, clock: Clock) -> SpoolSource:
    return SpoolSource("shell companion", folder, events_of, 1.0, clock)


class World:
    """A spool, a log, and collectors that come and go."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.sink = Unreliable()
        self.is_paused_at: Callable[[int], bool] = lambda _: False
        self.spool = folder / "shell"
        self.spool.mkdir()
        self._outbox_folder = folder / "outbox"

    def write(self, content: bytes, pid: int | None = None, name: str = "1767225600000000") -> Path:
        path = self.spool / f"{name}-zsh-{os.getpid() if pid is None else pid}.log"
        with path.open("ab") as file:
            file.write(content)
        return path

    def collect(self) -> SpoolSource:
        """A collector's life of one look."""
        spool = Spool(self._outbox_folder, 1_000_000)
        sifting = event_filter(is_paused_at=self.is_paused_at)
        outbox = Outbox(self.sink, sifting, spool, self.clock, WireLimits(), 1.0)
        source = companion(self.spool, self.clock)
        with once(source, outbox):
            pass
        spool.close()
        self.clock.advance(5.0)  # the outbox leaves a sink that failed alone for a second
        return source

    @property
    def left(self) -> list[str]:
        return sorted(path.suffix for path in self.spool.iterdir() if path.name != "counts")


@contextmanager
def once(source: SpoolSource, outbox: Outbox) -> Iterator[None]:
    source.start(outbox.offer)
    try:
        yield
    finally:
        source.stop()
        outbox.stop()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_stored_leaves_the_spool(world: World) -> None:
    world.write(record(b"git status") + record(b"make"))
    world.collect()

    assert world.sink.commands == ["git status", "make"]
    assert world.left == []


def test_what_shells_write_in_a_pause_leaves_the_disk_and_is_not_stored(world: World) -> None:
    world.is_paused_at = lambda ts_us: ts_us > NOW_US
    in_the_pause = str(NOW_US + 1).encode()
    world.write(record(b"make") + record(b"ls private", ts=in_the_pause))
    world.collect()

    assert world.sink.commands == ["make"]
    assert world.left == []


def test_nothing_leaves_the_spool_before_it_is_durable(world: World) -> None:
    world.write(record(b"git status"))
    world.sink.fails_before = 10_000
    world.collect()

    assert world.sink.commands == []
    assert ShellSpool(world.spool).waiting() == (1, len(record(b"git status")))
    world.sink.fails_before = 0
    world.collect()
    assert world.sink.commands == ["git status"]


def test_a_batch_whose_answer_was_lost_is_stored_once(world: World) -> None:
    world.write(b"".join(record(b"echo %d" % number) for number in range(250)))
    for _ in range(5):
        world.sink.fails_after = 1
        world.collect()
    world.sink.fails_after = 0
    world.collect()

    assert world.sink.commands == [f"echo {number}" for number in range(250)]
    assert len(set(world.sink.batches)) == 3
    assert world.left == []


def test_a_collector_killed_before_it_removed_a_file_stores_nothing_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.write(record(b"git status"))
    with monkeypatch.context() as killed:
        killed.setattr(ShellSpool, "remove", lambda *_: None)
        world.collect()
    world.write(record(b"make"))
    world.collect()

    assert world.sink.commands == ["git status", "make"]
    assert world.left == []


def test_half_a_record_waits_for_its_rest_while_its_shell_lives(world: World) -> None:
    whole = record(b"make all")
    path = world.write(record(b"ls") + whole[:-5])
    world.collect()
    assert world.sink.commands == []

    with path.open("ab") as file:
        file.write(whole[-5:])
    world.collect()
    assert world.sink.commands == ["ls", "make all"]
    assert ShellSpool(world.spool).counts() == {}


def test_of_a_shell_that_was_killed_while_it_wrote_the_whole_records_count(world: World) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    world.write(record(b"ls") + record(b"make all")[:-5], ended.pid)
    world.collect()

    assert world.sink.commands == ["ls"]
    assert ShellSpool(world.spool).counts() == {"damaged": 1}
    assert world.left == []


def test_a_file_that_somebody_still_has_open_waits(world: World) -> None:
    path = world.write(record(b"ls"))
    with path.open("ab", buffering=0) as late:
        world.collect()
        assert world.sink.commands == []
        late.write(record(b"make"))
    world.collect()

    assert world.sink.commands == ["ls", "make"]


def test_a_file_that_is_read_gets_no_more_records(world: World) -> None:
    path = world.write(record(b"ls"))
    world.collect()
    with path.open("ab") as shell:
        shell.write(record(b"make"))
    world.collect()

    assert world.sink.commands == ["ls", "make"]


def test_secrets_are_replaced_before_a_command_is_stored(world: World) -> None:
    world.write(record(b"mysql --password=hunter2hunter2 -u me"))
    world.collect()

    assert "hunter2" not in str(world.sink.log.read(0, 10))
    assert world.sink.commands[0].startswith("mysql --password=<")


def test_what_is_not_stored_is_counted(world: World) -> None:
    world.write(record(b"x" * 1_000_000) + record(b"ls") + b"garbage\0" + record(b"make"))
    world.collect()

    assert world.sink.commands == ["ls", "make"]
    assert ShellSpool(world.spool).counts() == {"damaged": 1, "long": 1}


def test_what_a_shell_that_is_gone_left_empty_is_cleared_away(world: World) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    world.write(b"", ended.pid)
    (world.spool / f".scratch-{ended.pid}").touch()
    living = world.write(b"")
    world.collect()

    assert list(world.spool.iterdir()) == [living]


def test_a_folder_that_was_revoked_meanwhile_is_no_fault(world: World) -> None:
    source = companion(world.spool, world.clock)
    source.start(lambda *_: True)
    for path in world.spool.iterdir():
        path.unlink()
    world.spool.rmdir()
    source.stop()

    assert source.health().problems == ()
    assert not world.spool.exists()


def test_a_spool_that_cannot_be_read_is_a_problem_with_a_next_step(world: World) -> None:
    (world.spool / "1-zsh-1.log").mkdir()
    source = world.collect()

    assert source.health().problems == (f"{world.spool}: Is a directory; make it readable",)


def test_what_became_of_a_suggestion_can_be_joined_to_its_decision(world: World) -> None:
    decision_id = new_id("dec")
    world.write(record(b"ls", suggestion=f"{decision_id}:accepted:2".encode()))
    world.collect()
    (stored,) = world.sink.log.read(0, 10)

    assert stored.event.data["suggestion"] == {
        "decision_id": decision_id,
        "outcome": "accepted",
        "typed_bytes": 2,
    }
