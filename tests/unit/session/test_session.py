"""One up, down or rebuild at a time on a root: the next one waits, and says so."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import psutil
import pytest

from actors import ray_head, session
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.paths import Root
from selflow.core.session_files import RaySession, write_ray_session


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path, tmp_path)
    made.make()
    return made


@contextmanager
def at_work(root: Root, release_after_s: float | None = None) -> Iterator[None]:
    """Another ``selflow up`` on this root."""
    with (root.run / "up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        timer = Timer(release_after_s or 0, fcntl.flock, (lock, fcntl.LOCK_UN))
        if release_after_s is not None:
            timer.start()
        yield
        if release_after_s is not None:
            timer.join()


def test_down_waits_for_an_up_that_is_at_work_and_says_so(root: Root) -> None:
    said: list[str] = []

    with at_work(root, release_after_s=0.3):
        had_run = session.take_down(root, said.append)

    assert (had_run, said) == (False, ["waiting for another selflow up or down on this root"])


@pytest.fixture
def core(root: Root, tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes with the names and the mark of a session's core."""
    processes = []
    for name in ("raylet", "gcs_server"):
        shutil.copy(shutil.which("sleep") or "", tmp_path / name)
        environ = {**os.environ, ray_head.MARK: str(root.path)}
        processes.append(subprocess.Popen([tmp_path / name, "60"], env=environ))
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def test_down_ends_every_process_although_it_cannot_join(
    root: Root, core: list[subprocess.Popen[bytes]]
) -> None:
    pids = tuple(process.pid for process in core)
    write_ray_session(root, RaySession("", is_ours=True, dashboard_port=None, core_pids=pids))
    notes: list[str] = []

    was_up = session.take_down(root, notes.append)

    assert was_up
    assert [process.pid for process in core if process.poll() is None] == []
    assert "note: SelFlow is not running" in notes


def test_down_ends_what_an_interrupted_up_has_left(
    root: Root, core: list[subprocess.Popen[bytes]]
) -> None:
    notes: list[str] = []

    was_up = session.take_down(root, notes.append)

    assert not was_up
    assert [process.pid for process in core if process.poll() is None] == []
    assert notes == ["stopped 2 processes that an interrupted selflow up had left"]


def test_one_that_never_ends_is_named_with_the_next_step(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "LOCK_LIMIT_S", 0.0)

    with at_work(root), pytest.raises(StoreError, match="another selflow up or down") as caught:
        session.take_down(root, lambda _: None)

    assert "selflow logs" in caught.value.hint


def test_a_session_that_was_taken_down_in_the_meantime_is_not_rebuilt(root: Root) -> None:
    (root.run / "request.json").write_text('{"assignments": []}')

    with (
        at_work(root, release_after_s=0.3),
        pytest.raises(NotRunningError, match="no session to rebuild"),
    ):
        session.rebuild(root, lambda _: (root.run / "request.json").unlink())


@pytest.fixture
def keeper_pids(root: Root) -> Iterator[list[int]]:
    """Keepers that a test has started; they end with it."""
    pids: list[int] = []
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=False, dashboard_port=None))
    yield pids
    root.ray_session.unlink()
    for pid in set(pids):
        process = psutil.Process(pid)
        process.terminate()
        process.wait(20)


def test_up_returns_once_one_keeper_watches(root: Root, keeper_pids: list[int]) -> None:
    keeper_pids.append(session.spawn_keeper(root))
    keeper_pids.append(session.spawn_keeper(root))

    assert keeper_pids[0] == keeper_pids[1]
    assert [each.pid for each in ray_head.own_processes(root)] == keeper_pids[:1]


def test_a_keeper_that_cannot_start_names_its_log(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "command", lambda _: [sys.executable, "-c", "raise SystemExit(1)"])

    with pytest.raises(StoreError, match="the keeper did not start") as caught:
        session.spawn_keeper(root)
    assert "keeper.log" in caught.value.hint
