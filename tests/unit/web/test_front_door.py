"""The layer before a server that is not ours, in raw ASGI."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from selflow.web.access import RoutePolicy
from selflow.web.bodies import Message, Receive, Send
from selflow.web.front_door import FrontDoor

POLICIES = {
    ("GET", "/health"): RoutePolicy("/health", None),
    ("POST", "/ask"): RoutePolicy("/ask", "operate", "inference", max_body_bytes=10),
}
OURS = (b"x-content-type-options", b"nosniff")
FOREVER = b"never sent"


class Server:
    """A foreign server: answers as told, in its own words."""

    def __init__(self, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = (OURS,)) -> None:
        self.status = status
        self.headers = list(headers)
        self.error: Exception | None = None
        self.reached: list[tuple[dict[bytes, bytes], bytes]] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        message = await receive()
        self.reached.append((dict(scope["headers"]), message["body"]))
        if self.error is not None:
            raise self.error
        if not self.status:
            return
        given = dict(scope["headers"])[b"x-request-id"]
        repeated = [(b"x-request-id", given), (b"x-request-id", given)]
        start = {"type": "http.response.start", "status": self.status}
        await send({**start, "headers": [*self.headers, *repeated]})
        await send({"type": "http.response.body", "body": b"the server's own words"})


def ask(
    server: Server,
    method: str = "POST",
    path: str = "/ask",
    headers: Sequence[tuple[bytes, bytes]] = (),
    chunks: Sequence[bytes] = (b"[]",),
    deadline_s: float = 20.0,
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]
    sent: list[Any] = []

    async def receive() -> Message:
        if not waiting or waiting[0]["body"] == FOREVER:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    door = FrontDoor(server, POLICIES, deadline_s)
    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(door(scope, receive, send))
    return sent[0]["status"], sent[0]["headers"], sent[1]["body"]


def test_an_answer_of_ours_passes_with_one_request_id() -> None:
    status, headers, body = ask(Server())

    assert (status, body) == (200, b"the server's own words")
    assert [name for name, _ in headers].count(b"x-request-id") == 1


@pytest.mark.parametrize(
    ("status", "ours", "code"),
    [
        (404, 503, "starting"),
        (408, 408, "timeout"),
        (429, 429, "rate_limited"),
        (500, 503, "starting"),
        (503, 503, "starting"),
        (0, 503, "starting"),
    ],
)
def test_no_client_sees_a_text_of_the_server(status: int, ours: int, code: str) -> None:
    answered, headers, body = ask(Server(status, [(b"content-type", b"text/plain")]))
    told = json.loads(body)

    assert (answered, told["code"], told["status"]) == (ours, code, ours)
    assert (b"content-type", b"application/problem+json") in headers
    assert b"own words" not in body


def test_a_server_that_fails_is_answered_for(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.error = KeyError("the owner's secret")

    status, _, body = ask(server)

    assert (status, json.loads(body)["detail"]) == (503, "inference ended before it answered")
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("path", ["/-/routes", "/-/healthz"])
def test_routes_of_the_server_itself_do_not_exist(path: str) -> None:
    server = Server()

    status, _, body = ask(server, "GET", path)

    assert (status, json.loads(body)["code"]) == (404, "route_not_found")
    assert server.reached == []


@pytest.mark.parametrize(
    ("method", "path", "chunks", "status"),
    [
        ("GET", "/health", [FOREVER], 413),
        ("POST", "/ask", [b"[", FOREVER], 408),
        ("POST", "/ask", [b"123456", b"78901"], 413),
    ],
)
def test_an_unfinished_or_large_body_never_reaches_the_server(
    method: str, path: str, chunks: list[bytes], status: int
) -> None:
    server = Server()
    declared = [(b"transfer-encoding", b"chunked")]

    answered, headers, _ = ask(server, method, path, declared, chunks, deadline_s=0.01)

    assert answered == status
    assert (b"connection", b"close") in headers
    assert server.reached == []


def test_a_body_for_no_route_is_dropped_and_ends_the_connection() -> None:
    server = Server(404)

    status, headers, _ = ask(server, "POST", "/nowhere", [(b"content-length", b"99")], [FOREVER])

    assert status == 404
    assert (b"connection", b"close") in headers
    assert [body for _, body in server.reached] == [b""]
    assert b"content-length" not in server.reached[0][0]


def test_headers_that_steer_the_server_are_taken_out() -> None:
    server = Server()
    steering = [
        (b"x-request-timeout-seconds", b"0"),
        (b"x-request-disconnect-disabled", b"?1"),
        (b"x-request-id", b"\xff"),
        (b"serve_multiplexed_model_id", b"\xff"),
        (b"x-session-id", b"\xff"),
    ]

    ask(server, headers=[(b"authorization", b"Bearer x"), *steering])

    given = server.reached[0][0]
    assert given.keys() == {b"authorization", b"content-length", b"x-request-id"}
    assert given[b"x-request-id"].startswith(b"req_")
