"""Each check of ``selflow doctor`` turned red once, in a session of our own."""

import http.server
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from actors import doctor, ray_head
from selflow.core.clock import SystemClock
from selflow.core.paths import Root, disposable_folder
from selflow.core.processes import this_process
from selflow.core.session_files import (
    ConsoleRecord,
    RaySession,
    write_console,
    write_keeper,
    write_ray_session,
)
from selflow.store.catalog import Catalog
from selflow.store.pauses import pause_now
from tests.unit.session.test_attach import control_store

LISTENER = """
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("listens", flush=True)
sys.stdin.read()
"""
Statuses = dict[tuple[str, bool], int]
"""What a port answers, by path and by whether the Host is foreign."""
CONSOLE: Statuses = {("/health", False): 200, ("/api/system", False): 401, ("/health", True): 421}
INFERENCE: Statuses = {("/health", False): 200, ("/metrics", False): 401, ("/health", True): 421}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path / "root", tmp_path)
    made.make()
    Catalog.open(made.catalog).close()
    return made


@pytest.fixture
def core_pids(tmp_path: Path) -> Iterator[tuple[int, ...]]:
    """Processes that bear the names of a raylet and a control store."""
    core = []
    for name in ("raylet", "gcs_server"):
        shutil.copy(shutil.which("sleep") or "", tmp_path / name)
        core.append(subprocess.Popen([tmp_path / name, "60"]))
    yield tuple(each.pid for each in core)
    for each in core:
        each.kill()
        each.wait()


@contextmanager
def answering(statuses: Statuses) -> Iterator[int]:
    """An HTTP port that answers as told."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_foreign = not self.headers["Host"].startswith("127.0.0.1")
            self.send_response(statuses.get((self.path, is_foreign), 404))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@contextmanager
def suggesting(root: Root, status: str) -> Iterator[None]:
    """A socket for shells that answers one request."""
    path = root.socket("suggest.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen()

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.recv(4_096)
                client.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())

        thread = Thread(target=answer, daemon=True)
        thread.start()
        yield
        thread.join()
    path.unlink()


@contextmanager
def listening(root: Root, host: str, port: int) -> Iterator[None]:
    """A process of the session that listens there."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTENER, host, str(port)],
        env={**os.environ, ray_head.MARK: str(root.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "listens\n"
        yield
        process.communicate("")


def note_console(root: Root, port: int) -> None:
    """A console that listens there, in this process."""
    me = this_process("console")
    url = f"http://127.0.0.1:{port}"
    write_console(root, ConsoleRecord(me.name, me.pid, me.after_boot_us, url, port))


def faults(
    root: Root,
    core_pids: tuple[int, ...],
    *,
    has_token: bool = True,
    dashboard_status: int = 401,
    inference: Statuses = INFERENCE,
    console: Statuses | None = CONSOLE,
    suggest: str = "200 OK",
) -> set[str]:
    """The checks of a session that fail; ``console`` None: there is none."""
    with (
        answering(console or {}) as console_port,
        control_store(has_token=has_token) as address,
        answering({("/api/version", False): dashboard_status}) as dashboard_port,
        answering(inference) as inference_port,
        suggesting(root, suggest),
    ):
        if console is not None:
            note_console(root, console_port)
        write_ray_session(root, RaySession(address, True, dashboard_port, (), core_pids))
        found = doctor.examine(root, root.catalog, inference_port)
    return {each.check for each in found if not each.is_ok}


@pytest.fixture
def kept(root: Root) -> Root:
    """A root whose session has a keeper."""
    write_keeper(root, this_process("keeper"))
    return root


def test_a_session_as_it_should_be_has_no_fault(kept: Root, core_pids: tuple[int, ...]) -> None:
    with listening(kept, "127.0.0.1", 0):
        assert faults(kept, core_pids) == set()


def test_a_socket_that_answers_no_shell_is_found(kept: Root, core_pids: tuple[int, ...]) -> None:
    assert faults(kept, core_pids, suggest="403 Forbidden") == {"suggestions answer"}
    write_ray_session(kept, RaySession("127.0.0.1:1", True, None, (), core_pids))
    absent = next(
        each for each in doctor.examine(kept, kept.catalog, 1) if each.check == "suggestions answer"
    )
    assert absent.detail.endswith("suggest.sock: No such file or directory")


def test_a_listener_beyond_loopback_is_found(kept: Root, core_pids: tuple[int, ...]) -> None:
    with listening(kept, "0.0.0.0", 0):  # noqa: S104  (the fault that must be seen)
        assert faults(kept, core_pids) == {"listeners"}


def test_a_ray_client_server_is_found(
    kept: Root, core_pids: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = ray_head.free_ports(1)
    monkeypatch.setattr(doctor, "_RAY_CLIENT_PORT", port)
    with listening(kept, "127.0.0.1", port):
        assert faults(kept, core_pids) == {"Ray Client server"}


def test_a_ray_without_token_is_found(kept: Root, core_pids: tuple[int, ...]) -> None:
    assert faults(kept, core_pids, has_token=False) == {"Ray requires a token"}


def test_an_open_dashboard_is_found(kept: Root, core_pids: tuple[int, ...]) -> None:
    assert faults(kept, core_pids, dashboard_status=200) == {"dashboard requires a token"}


def test_a_session_without_keeper_is_found(root: Root, core_pids: tuple[int, ...]) -> None:
    assert faults(root, core_pids) == {"keeper"}


@pytest.mark.parametrize(
    ("asked", "answered", "fault"),
    [
        (("/health", False), 500, "inference answers"),
        (("/metrics", False), 200, "inference requires a token"),
        (("/health", True), 200, "inference checks the Host header"),
    ],
)
def test_an_inference_port_that_is_ill_or_open_is_found(
    kept: Root, core_pids: tuple[int, ...], asked: tuple[str, bool], answered: int, fault: str
) -> None:
    assert faults(kept, core_pids, inference={**INFERENCE, asked: answered}) == {fault}


@pytest.mark.parametrize(
    ("console", "fault"),
    [
        (None, "console"),
        ({**CONSOLE, ("/health", False): 500}, "console answers"),
        ({**CONSOLE, ("/api/system", False): 200}, "console requires a token"),
        ({**CONSOLE, ("/health", True): 200}, "console checks the Host header"),
    ],
)
def test_a_console_that_is_gone_ill_or_open_is_found(
    kept: Root, core_pids: tuple[int, ...], console: Statuses | None, fault: str
) -> None:
    assert faults(kept, core_pids, console=console) == {fault}


def write_usage_stats(root: Root) -> None:
    folder = disposable_folder(ray_head.ray_temp(root).parent) / "ray" / "session_1"
    folder.mkdir(parents=True)
    (folder / "usage_stats.json").write_text("{}")


def open_the_token(root: Root) -> None:
    root.token.write_text("sf_x")
    root.token.chmod(0o644)


def break_the_log(root: Root) -> None:
    (root.events / "data.mdb").write_text("this is no log")


def change_an_audited_act(root: Root) -> None:
    import sqlite3

    with closing(Catalog.open(root.catalog)) as catalog:
        catalog.consents.grant("ingest", {}, 1, "owner")
    with closing(sqlite3.connect(root.catalog)) as connection, connection:
        connection.execute("UPDATE audit SET actor = 'somebody else'")


@pytest.mark.parametrize(
    ("break_it", "fault"),
    [
        (write_usage_stats, "usage statistics"),
        (open_the_token, "modes of the state root"),
        (break_the_log, "event log"),
        (change_an_audited_act, "catalog and its audit chain"),
    ],
)
def test_what_is_wrong_on_the_disk_is_found(
    kept: Root, core_pids: tuple[int, ...], break_it: Callable[[Root], None], fault: str
) -> None:
    break_it(kept)

    assert faults(kept, core_pids) == {fault}


def test_an_attached_cluster_is_a_fault_with_its_reason(root: Root) -> None:
    write_keeper(root, this_process("keeper"))
    with control_store(has_token=False) as address, answering(CONSOLE) as port:
        note_console(root, port)
        warning = "it has no token authentication"
        write_ray_session(root, RaySession(address, False, None, (warning,)))
        found = [each for each in doctor.examine(root, root.catalog, None) if not each.is_ok]

    assert [(each.check, each.detail) for each in found] == [("exposure", warning)]


@pytest.mark.parametrize(("found", "is_ok"), [("2.59.1", False), ("2.60.0", True)])
def test_a_ray_of_another_version_is_found(
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    found: str,
    is_ok: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    def version(name: str) -> str:
        return found if name == "ray" else "1.0"

    monkeypatch.setattr(doctor, "version", version)
    checks = {each.check: each.is_ok for each in doctor.examine(root, root.catalog, None)}

    assert checks["version of ray"] is is_ok


def test_a_pause_is_told_and_is_no_fault(root: Root) -> None:
    pause_now(root.catalog, None, SystemClock().now_us(), "owner")
    (told,) = [f for f in doctor.examine(root, root.catalog, None) if f.check == "collection"]

    assert told.is_ok
    assert told.detail.startswith("paused until you resume")
