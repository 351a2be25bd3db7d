"""The live stream of a real console over real sockets: many readers, one that is stopped, and a
console that is started again.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.ray_head import next_free_port
from selflow.core.clock import SystemClock
from selflow.core.paths import write_private
from selflow.core.processes import living_console
from selflow.core.session_files import Endpoints, RaySession, write_endpoints, write_ray_session
from selflow.store.catalog import Catalog
from tests.e2e.conftest import FIRST_PORT, PORTS, World, make_world
from tests.waiting import PATIENCE, wait_until

READERS, ACTS = 50, 6
MOST_GROWTH_MB = 15.0
LATEST_S = 10.0 * PATIENCE
STOPPED = """
import http.client, json, socket, sys
address, token, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = http.client.HTTPConnection(address, timeout=60)
connection.connect()
connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
headers = {"authorization": f"Bearer {token}"}
connection.request("GET", "/api/stream?topics=runs", headers=headers)
answer = connection.getresponse()
messages = 0
while True:
    line = answer.readline()
    if not line.startswith(b"data: "):
        continue
    messages += 1
    commands = json.loads(line[6:])["commands"]
    print(messages, len(commands), flush=True)
    if len(commands) == wanted:
        break
"""


@dataclass
class Reader:
    """One subscription, and the newest message that came."""

    address: str
    token: str
    last_id: str = ""
    newest: dict[str, Any] = field(default_factory=dict)
    _answer: http.client.HTTPResponse | None = None

    def open(self) -> "Reader":
        connection = http.client.HTTPConnection(self.address, timeout=LATEST_S)
        headers = {"authorization": f"Bearer {self.token}"}
        headers |= {"last-event-id": self.last_id} if self.last_id else {}
        connection.request("GET", "/api/stream?topics=runs", headers=headers)
        self._answer = connection.getresponse()
        assert self._answer.status == 200
        return self

    def read(self) -> None:
        """One message."""
        assert self._answer is not None
        while (line := self._answer.readline().decode()) != "\n":
            assert line, "the stream has ended"
            name, _, value = line.strip().partition(": ")
            if name == "id":
                assert int(value) > int(self.last_id or 0)
                self.last_id = value
            elif name == "data":
                self.newest = json.loads(value)

    def read_until(self, commands: int) -> None:
        while len(self.newest.get("commands", [])) < commands:
            self.read()


@contextmanager
def running(world: World) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "selflow.console.server", "--home", str(world.root.path)]
    with subprocess.Popen(command, env=world.environ, cwd=Path(__file__).parents[2]) as console:
        wait_until(lambda: (known := living_console(world.root)) and known.pid == console.pid)
        try:
            yield psutil.Process(console.pid)
        finally:
            console.terminate()


@pytest.fixture
def world() -> Iterator[World]:
    """A root without a session: acts wait in the catalog, and the stream tells of them."""
    port = next_free_port(FIRST_PORT + (os.getpid() + 900) % PORTS)
    made = make_world(SELFLOW_CONSOLE__PORT=str(port))
    made.root.make()
    with Catalog.open(made.root.catalog) as catalog:
        write_private(made.root.token, catalog.tokens.renew_owner(SystemClock().now_us()))
    write_ray_session(made.root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    write_endpoints(made.root, Endpoints())
    yield made
    shutil.rmtree(made.root.path, ignore_errors=True)


def test_a_stopped_reader_and_a_restart_harm_nobody(world: World) -> None:
    token = world.root.token.read_text().strip()
    with running(world) as console:
        address = _address(world)
        readers = [Reader(address, token).open() for _ in range(READERS)]
        stopped = _stopped(address, token)
        for reader in readers:
            reader.read()
        before_mb = console.memory_info().rss / 1e6
        for number in range(1, ACTS + 1):
            _act(address, token)
            for reader in readers:
                reader.read_until(number)
        grown_mb = console.memory_info().rss / 1e6 - before_mb
        messages = _go_on(stopped)

    assert grown_mb < MOST_GROWTH_MB
    assert messages <= ACTS + 1
    with running(world):
        reader = Reader(_address(world), token, last_id=readers[0].last_id).open()
        reader.read()  # its id is newer than the one before the restart

    assert len(reader.newest["commands"]) == ACTS


def _address(world: World) -> str:
    known = living_console(world.root)
    assert known is not None
    return known.url.removeprefix("http://")


def _act(address: str, token: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=LATEST_S)
    connection.request("POST", "/api/system/learn", headers={"authorization": f"Bearer {token}"})
    assert connection.getresponse().status == 202
    connection.close()


def _stopped(address: str, token: str) -> subprocess.Popen[str]:
    """A reader that has got its first message and then gets no time from the kernel."""
    command = [sys.executable, "-c", STOPPED, address, token, str(ACTS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "1 0\n"
    process.send_signal(signal.SIGSTOP)
    return process


def _go_on(process: subprocess.Popen[str]) -> int:
    """Let it read on to the newest message; how many it got."""
    process.send_signal(signal.SIGCONT)
    output, _ = process.communicate(timeout=LATEST_S)
    messages, commands = output.split("\n")[-2].split()
    assert int(commands) == ACTS
    return int(messages)
