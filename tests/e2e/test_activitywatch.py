"""ActivityWatch's own client against a console without Ray, and what a kill leaves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.ray_head import next_free_port
from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.session_files import (
    RaySession,
    SessionRequest,
    read_aw_port,
    write_ray_session,
    write_request,
)
from selflow.store.catalog import Catalog
from tests.conftest import missing
from tests.waiting import PATIENCE

CLIENT = Path(sys.prefix) / "activitywatch" / "bin" / "python"
SCRIPT = Path(__file__).with_name("activitywatch_client.py")
FIRST_PORT, PORTS = 10_000, 20_000
BUCKET = "aw-watcher-window_killed"


class Server:
    """A console's process of its own, with ActivityWatch's port open."""

    def __init__(self, root: Root, auth: str) -> None:
        self.root = root
        self.port = next_free_port(FIRST_PORT + (os.getpid() + 1_300) % PORTS)
        self.log = root.log / "console.log"
        root.make()
        Catalog.open(root.catalog).close()
        write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
        asked = (f"aw.port={self.port}", f"aw.auth={auth}", f"console.port={self.port + 1}")
        write_request(root, SessionRequest(assignments=asked))
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "selflow.console.server", "--home", str(self.root.path)],
                stdout=log,
                stderr=log,
            )
        clock = SystemClock()
        deadline_s = clock.monotonic_s() + 30 * PATIENCE
        while (known := read_aw_port(self.root)) is None or known.url is None:
            assert self.process.poll() is None, self.log.read_text()
            assert clock.monotonic_s() < deadline_s, self.log.read_text()
            clock.sleep(0.05)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=10)
        self.root.aw_port.unlink()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/0/{path}"
        return httpx.request(method, url, json=body, timeout=10 * PATIENCE).json()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    path = tmp_path_factory.mktemp("aw")
    made = Server(Root(path, path), "open")
    yield made
    made.process.kill()
    made.process.wait(timeout=10)


def test_the_real_client_works_unchanged_without_ray(server: Server, home: Path) -> None:
    if not CLIENT.exists():
        missing("ActivityWatch's client (make clients)")
    done = subprocess.run(
        [str(CLIENT), str(SCRIPT), str(server.port)],
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert found["info"]["testing"] is False
    assert found["queued"] == [
        [20.0, 9.0, {"app": "browser", "title": "t"}],
        [0.0, 19.0, {"app": "editor", "title": "t"}],
    ]
    assert found["count"] == 4
    assert [span[:2] for span in found["ranged"]] == [[20.0, 9.0], [5.0, 14.0]]
    assert (found["without_force"], found["with_force"], found["buckets_left"]) == (401, 200, [])
    assert found["same_events"]
    assert found["setting"] == "dark"


def test_what_was_acknowledged_survives_a_kill(server: Server) -> None:
    description = {"client": "c", "type": "currentwindow", "hostname": "h"}
    server.ask("POST", f"buckets/{BUCKET}", description)
    acknowledged = []
    for second in range(50):
        moment = f"2026-01-01T00:00:{second:02d}Z"
        beat = {"timestamp": moment, "duration": 0, "data": {"app": str(second // 3)}}
        acknowledged.append(server.ask("POST", f"buckets/{BUCKET}/heartbeat?pulsetime=5", beat))
    server.kill()
    server.start()
    last = {one["id"]: one for one in acknowledged}

    assert server.ask("GET", f"buckets/{BUCKET}/events") == [*last.values()][::-1]
