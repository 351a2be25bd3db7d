"""The socket for shells: real connections, by clients as simple as a shell's."""

import asyncio
import json
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from threading import Event as Flag
from typing import Any

import pytest

from selflow.core.clock import SystemClock
from selflow.core.settings import ServeSettings
from selflow.testing import ManualClock
from selflow.web.bodies import Message, Receive, Send
from selflow.web.owner_socket import MAX_REQUESTS
from serve.suggest_socket import SuggestSocket
from tests.unit.inference.test_suggest import CHECKOUT, LINES, learn, type_lines
from tests.unit.inference.worlds import Template, World

US = b"\x1f"
KEYSTROKE = b"shell" + US + b"~/work" + US + b"git ch"


async def echo(scope: Message, receive: Receive, send: Send) -> None:
    """Answers with what it got."""
    body = (await receive())["body"]
    told = dict(scope["headers"])
    content = told.get(b"content-type", b"") + b"|" + body
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def exchange(path: Path, raw: bytes) -> bytes:
    """Everything that comes back for some bytes."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(raw)
    with suppress(ConnectionResetError, BrokenPipeError):
        await writer.drain()
    answer = b""
    with suppress(ConnectionResetError):
        answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer


def request(body: bytes, path: str = "/v1/suggest", method: str = "POST", **headers: str) -> bytes:
    """A request as a shell writes it by hand."""
    given = {"Content-Length": str(len(body)), **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"{method} {path} HTTP/1.0\r\n{head}\r\n".encode() + body


class StillClock(ManualClock):
    """Waiting takes real time, and no time of the world."""

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        return flag.wait(0.02)


def ignore(route: str, status: int, duration_s: float) -> None:
    """Observes nothing."""


def listening(
    path: Path,
    ask: Callable[[SuggestSocket], Awaitable[Any]],
    app: Any = echo,
    owner_uid: int | None = None,
    observe: Callable[[str, int, float], None] = ignore,
) -> Any:
    """What ``ask`` gets while a socket is open."""

    async def live() -> Any:
        opened = SuggestSocket(path, ServeSettings(), SystemClock(), observe)
        await opened.open(app, owner_uid)
        try:
            return await ask(opened)
        finally:
            await opened.close()

    return asyncio.run(live())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "suggest.sock"


def test_only_the_owner_may_open_it_and_it_leaves_nothing(path: Path) -> None:
    def seen() -> tuple[int, list[str]]:
        return stat.S_IMODE(path.stat().st_mode), [item.name for item in path.parent.iterdir()]

    async def look(_: SuggestSocket) -> tuple[int, list[str]]:
        return seen()

    assert listening(path, look) == (0o600, ["suggest.sock"])
    assert list(path.parent.iterdir()) == []


def test_a_foreign_account_is_refused(path: Path) -> None:
    answer = listening(path, lambda _: exchange(path, b""), owner_uid=os.getuid() + 1)

    assert answer.startswith(b"HTTP/1.1 403 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "forbidden_scope"


def test_what_a_killed_replica_left_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()

    async def ask(opened: SuggestSocket) -> bytes:
        return opened.problem.encode() or await exchange(path, request(KEYSTROKE))

    assert listening(path, ask).startswith(b"HTTP/1.1 200 ")


def test_a_successor_takes_over_and_its_predecessor_leaves_it_alone(path: Path) -> None:
    async def succeed(_: SuggestSocket) -> bytes:
        before = SuggestSocket(path, ServeSettings(), SystemClock(), ignore)
        await before.open(echo)
        after = SuggestSocket(path, ServeSettings(), SystemClock(), ignore)
        await after.open(echo)
        await before.close()
        answer = await exchange(path, request(KEYSTROKE))
        await after.close()
        return answer

    assert listening(path, succeed).startswith(b"HTTP/1.1 200 ")


def test_a_folder_that_is_gone_is_said_and_nothing_fails(path: Path) -> None:
    async def look(opened: SuggestSocket) -> str:
        return opened.problem

    problem = listening(path.parent / "gone" / "suggest.sock", look)

    assert problem.endswith("suggest.sock: No such file or directory")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request(b"{}", "/v1/predict"), 404),
        (request(b"", "/metrics", "GET"), 404),
        (request(b"", "/v1/suggest", "GET"), 404),
        (request(b"x" * 70_000), 413),
        (b"\x00\xff\xfe not HTTP\r\n\r\n", 400),
    ],
    ids=["predict", "metrics", "method", "size", "binary"],
)
def test_nothing_but_the_two_routes_is_answered(path: Path, raw: bytes, status: int) -> None:
    answer = listening(path, lambda _: exchange(path, raw))

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"{")


def test_whoever_asks_for_text_gets_no_body_with_an_error(path: Path) -> None:
    raw = request(b"x" * 70_000, Accept="text/plain")

    head, _, body = listening(path, lambda _: exchange(path, raw)).partition(b"\r\n\r\n")

    assert (head.split()[1], body) == (b"413", b"")


def test_json_is_taken_for_json_whatever_curl_calls_it(path: Path) -> None:
    form = "application/x-www-form-urlencoded"

    async def ask(_: SuggestSocket) -> list[bytes]:
        bodies = (b'{"a": 1}', b"a=1")
        return [await exchange(path, request(body, Content_Type=form)) for body in bodies]

    answers = [answer.partition(b"\r\n\r\n")[2] for answer in listening(path, ask)]

    assert answers == [b'application/json|{"a": 1}', f"{form}|a=1".encode()]


def test_a_fault_of_ours_is_one_answer_without_its_text(path: Path) -> None:
    async def broken(scope: Message, receive: Receive, send: Send) -> None:
        raise KeyError("the owner's secret")

    answer = listening(path, lambda _: exchange(path, request(KEYSTROKE)), broken)

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer


def test_more_requests_than_any_shell_has_are_refused(path: Path) -> None:
    has_refused = asyncio.Event()

    def observe(route: str, status: int, duration_s: float) -> None:
        if status == 429:
            has_refused.set()

    async def slow(scope: Message, receive: Receive, send: Send) -> None:
        await has_refused.wait()
        await echo(scope, receive, send)

    async def ask(_: SuggestSocket) -> list[bytes]:
        raws = [request(KEYSTROKE) for _ in range(MAX_REQUESTS + 1)]
        return await asyncio.gather(*(exchange(path, raw) for raw in raws))

    answers = [answer.split()[1] for answer in listening(path, ask, slow, observe=observe)]

    assert (answers.count(b"200"), answers.count(b"429")) == (MAX_REQUESTS, 1)


@pytest.mark.slow
def test_two_shells_ask_at_once_and_each_gets_its_own(tmp_path: Path, template: Template) -> None:
    world = World(tmp_path / "root", template)
    type_lines(world, LINES * 6)
    world.clock = StillClock(world.clock.now_us())
    world.restart()
    learn(world)
    where = world.root.socket("suggest.sock")
    wanted = {b"git ch": f"{CHECKOUT}\n", b"pytest": "pytest -q tests\n"}

    async def ask() -> list[bytes]:
        to_app: asyncio.Queue[Message] = asyncio.Queue()
        told: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        running = asyncio.create_task(world.replica.gateway(scope, to_app.get, told.put))
        await to_app.put({"type": "lifespan.startup"})
        await told.get()
        prefixes = list(wanted) * 5
        raws = [
            request(b"shell" + US + b"~/work" + US + prefix, Accept="text/plain")
            for prefix in prefixes
        ]
        answers = await asyncio.gather(*(exchange(where, raw) for raw in raws))
        await to_app.put({"type": "lifespan.shutdown"})
        await running
        return answers

    lines = [answer.partition(b"\r\n\r\n")[2].decode() for answer in asyncio.run(ask())]

    assert [line.partition("\t")[2] for line in lines] == list(wanted.values()) * 5
    assert len({line.partition("\t")[0] for line in lines}) == len(lines)
    assert not where.exists()
