"""Starting the console, keeping it alive and ending it: real processes."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from actors import console_process
from actors.keeper import keep
from selflow.core.paths import Root
from selflow.core.processes import living_console, this_process
from selflow.core.session_files import (
    ConsoleRecord,
    RaySession,
    SessionRequest,
    write_console,
    write_ray_session,
    write_request,
)
from selflow.store.catalog import Catalog
from selflow.testing import ManualClock

ATTACHED = RaySession("127.0.0.1:1", is_ours=False, dashboard_port=None)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    made = Root(tmp_path / "root", tmp_path / "root")
    made.make()
    Catalog.open(made.catalog).close()
    write_ray_session(made, ATTACHED)
    yield made
    console_process.end(made)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def ask_for(root: Root, port: int) -> None:
    write_request(root, SessionRequest(assignments=(f"console.port={port}",)))


class OneCheck(ManualClock):
    """Lets the keeper make one check."""

    def wait(self, flag: Event, timeout_s: float) -> bool:
        is_over = flag.is_set()
        flag.set()
        return is_over


def dead_console(root: Root) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    write_console(root, ConsoleRecord("console", process.pid, 1, "http://127.0.0.1:1", 1))


def test_a_console_that_died_is_started_again(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(console_process, "start", lambda asked: started.append(asked.path))
    keep(root, OneCheck(), Event())
    assert started == [], "one that was never started is not missed"

    dead_console(root)
    keep(root, OneCheck(), Event())
    assert started == [root.path]


def test_a_living_console_is_left_alone(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    me = this_process("console")
    record = ConsoleRecord(me.name, me.pid, me.after_boot_us, "http://127.0.0.1:1", 1)
    write_console(root, record)
    started: list[Root] = []
    monkeypatch.setattr(console_process, "start", started.append)
    keep(root, OneCheck(), Event())
    root.console.unlink()

    assert started == []


@pytest.mark.parametrize(
    ("port", "version", "is_ended"), [(1, "0.1.0", False), (2, "0.1.0", True), (1, "0.0.9", True)]
)
def test_a_console_of_other_settings_or_another_selflow_is_replaced(
    root: Root, monkeypatch: pytest.MonkeyPatch, port: int, version: str, *, is_ended: bool
) -> None:
    me = this_process("console")
    identity = (me.name, me.pid, me.after_boot_us)
    write_console(root, ConsoleRecord(*identity, "http://127.0.0.1:1", port, version))
    ended: list[Root] = []
    with monkeypatch.context() as patch:
        patch.setattr(console_process, "version", lambda _: "0.1.0")
        patch.setattr(console_process, "end", ended.append)
        console_process.ensure(root, 1)
    root.console.unlink()

    assert bool(ended) is is_ended


@pytest.mark.slow
def test_it_starts_moves_with_the_settings_and_ends(root: Root) -> None:
    first, second = free_port(), free_port()
    ask_for(root, first)
    console_process.ensure(root, first)
    console_process.ensure(root, first)
    before = living_console(root)
    assert before is not None
    assert before.url == f"http://127.0.0.1:{first}"

    ask_for(root, second)
    console_process.ensure(root, second)
    after = living_console(root)
    assert after is not None
    assert (after.url, after.pid == before.pid) == (f"http://127.0.0.1:{second}", False)

    os.kill(after.pid, signal.SIGKILL)
    console_process.ensure(root, second)
    assert living_console(root) is not None
    console_process.end(root)
    assert (living_console(root), root.console.exists()) == (None, False)
