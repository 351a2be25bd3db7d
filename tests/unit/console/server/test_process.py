"""The console's process: a port, a socket, a record of both, and an end."""

import asyncio
import http.client
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from selflow.console.server import process
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError
from selflow.core.paths import Root
from selflow.core.processes import living_console
from selflow.core.session_files import (
    Endpoints,
    RaySession,
    SessionRequest,
    read_console,
    write_endpoints,
    write_ray_session,
    write_request,
)
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli

LIMIT_S = 20.0


@pytest.fixture
def session(root: Root, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A session that seems to run; its console ends when the session's record is gone."""
    monkeypatch.setattr(process, "ORPHAN_S", 0.02)
    monkeypatch.setattr(process, "_LOOK_S", 0.02)
    Catalog.open(root.catalog).close()
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    write_endpoints(root, Endpoints("http://127.0.0.1:1"))
    return root


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def while_serving(root: Root, ask: Any) -> Any:
    """What ``ask`` gets, in a thread, while the console serves."""

    async def live() -> Any:
        work = asyncio.create_task(process.serve(root, os.environ, SystemClock()))
        while living_console(root) is None:
            assert not work.done()
            await asyncio.sleep(0.01)
        answer = await asyncio.to_thread(ask)
        root.ray_session.unlink()
        await work
        return answer

    return asyncio.run(asyncio.wait_for(live(), LIMIT_S))


@pytest.mark.setting("console.port")
def test_it_listens_where_the_settings_say_and_tells_so(session: Root, cli: Cli) -> None:
    port = free_port()
    write_request(session, SessionRequest(assignments=(f"console.port={port}",)))

    def ask() -> tuple[str, str, int]:
        url = cli("url", "console").out.strip()
        opened = cli("ui", "--print", "--json").document["url"]
        mode = stat.S_IMODE(session.socket("console.sock").stat().st_mode)
        return url, opened, mode

    url, opened, mode = while_serving(session, ask)
    assert url == f"http://127.0.0.1:{port}"
    assert opened.startswith(f"http://selflow.localhost:{port}/login#")
    assert mode == 0o600
    assert not session.socket("console.sock").exists()


def test_it_listens_on_loopback_alone() -> None:
    with process.bind(free_port()) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_busy_port_moves_up(session: Root) -> None:
    with process.bind(free_port()) as first:
        port = first.getsockname()[1]
        write_request(session, SessionRequest(assignments=(f"console.port={port}",)))
        url = while_serving(session, lambda: str(getattr(read_console(session), "url", "")))

    assert port < int(url.rpartition(":")[2]) <= port + process.PORT_TRIES


def test_a_console_of_which_a_part_fails_ends_and_says_where(
    session: Root, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError("the owner's secret")

    monkeypatch.setattr(process, "follow_log", fail)
    monkeypatch.setattr(process, "ORPHAN_S", 1e9)
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))

    asyncio.run(asyncio.wait_for(process.serve(session, os.environ, SystemClock()), LIMIT_S))

    assert "the console ends: RuntimeError" in caplog.text
    assert "secret" not in caplog.text


def test_no_free_port_is_said_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PORT_TRIES", 1)
    with (
        process.bind(free_port()) as first,
        pytest.raises(NotRunningError, match="is free for the console") as refused,
    ):
        process.bind(first.getsockname()[1])

    assert "console.port" in refused.value.hint


def test_a_code_from_the_socket_signs_a_browser_in(session: Root, cli: Cli) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))

    def ask() -> tuple[int, int]:
        url = cli("ui", "--print").out.strip()
        address, _, code = url.partition("/login#")
        port = int(address.rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
        origin = f"http://selflow.localhost:{port}"
        named = {"host": f"selflow.localhost:{port}", "origin": origin}
        head = {**named, "content-type": "application/json"}
        connection.request("POST", "/api/auth/session", json.dumps({"code": code}), head)
        answer = connection.getresponse()
        answer.read()
        cookie = answer.headers["set-cookie"].partition(";")[0]
        connection.request("GET", "/api/system", headers={**named, "cookie": cookie})
        shown = connection.getresponse()
        connection.close()
        return answer.status, shown.status

    assert while_serving(session, ask) == (204, 200)


def test_the_page_is_opened_without_the_code_in_an_argument(
    session: Root, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    shown = while_serving(session, lambda: cli("ui").out)

    (url,) = opened
    page = Path(url.removeprefix("file://"))
    assert "/login#" not in shown + url
    assert "/login#" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_without_a_console_the_page_is_not_opened(cli: Cli) -> None:
    ended = cli("ui")

    assert (ended.code, "selflow up" in ended.err) == (3, True)
