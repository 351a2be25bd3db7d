"""The layer in Serve's proxy, on a real listener: connections, heads, and what Serve is handed."""

import asyncio
import json
import os
import re
import socket
from collections.abc import Awaitable, Callable, Iterator

import pytest
import uvicorn
from uvicorn.protocols.http import auto

from selflow.core.settings import ServeSettings
from selflow.web.bodies import Message, Receive, Send
from selflow.web.peers import Peers
from serve import front_door
from tests.unit.inference.test_loopback import source_of

HOOK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"
Talk = Callable[[int], Awaitable[None]]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = auto.AutoHTTPProtocol
    yield
    auto.AutoHTTPProtocol = before


async def _app(scope: Message, receive: Receive, send: Send) -> None:
    await receive()
    headers = [(b"content-length", b"2"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})


def serve(talk: Talk) -> None:
    """A server as Serve's proxy builds it, for as long as ``talk`` lasts."""

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        app = front_door.open_door(_app, ServeSettings())
        config = uvicorn.Config(lambda: app, factory=True, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        running = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            await asyncio.wait_for(talk(listener.getsockname()[1]), 20)
        finally:
            server.should_exit = True
            await running

    asyncio.run(run())


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0)


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, object]]:
    """Status and body of an answer that ends its connection."""
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_one_account_holds_a_bounded_number_of_connections() -> None:
    async def talk(port: int) -> None:
        held = [await connect(port) for _ in range(2)]
        refused = await connect(port)
        status, told = await answer_of(refused[0])
        assert (status, told["code"]) == (429, "rate_limited")
        held[0][1].close()
        await held[0][1].wait_closed()
        while True:  # the server takes note of an end in its own time
            reader, writer = await connect(port)
            writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if (await reader.read()).startswith(b"HTTP/1.1 200"):
                break
        held[1][1].close()

    front_door.bound_connections(Peers(max_connections=2))
    serve(talk)


@pytest.mark.parametrize("sent", [b"", b"GET /health HTTP/1.1\r\nhost:"])
def test_a_head_that_does_not_come_ends_the_connection(sent: bytes) -> None:
    async def talk(port: int) -> None:
        reader, writer = await connect(port)
        writer.write(sent)
        status, told = await answer_of(reader)
        assert (status, told["code"]) == (408, "timeout")

    front_door.bound_connections(head_deadline_s=0.05)
    serve(talk)


def test_what_is_no_http_is_refused_in_the_envelope() -> None:
    async def talk(port: int) -> None:
        reader, writer = await connect(port)
        writer.write(b"hello\r\n\r\n")
        status, told = await answer_of(reader)
        assert (status, told["code"]) == (400, "bad_request")

    front_door.bound_connections()
    serve(talk)


def test_an_unfinished_body_to_a_public_route_is_refused_at_once() -> None:
    async def talk(port: int) -> None:
        reader, writer = await connect(port)
        writer.write(
            b"GET /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"
        )
        status, told = await answer_of(reader)
        assert (status, told["code"]) == (413, "too_large")

    front_door.bound_connections()
    serve(talk)


def test_serve_is_handed_the_layer_with_our_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = front_door.environment(ServeSettings(max_body_bytes=2_000))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    layers = front_door.middlewares()

    config = uvicorn.Config(_app, lifespan="off")
    config.load()
    assert issubclass(config.http_protocol_class, front_door.BoundedProtocol)
    assert layers[0].kwargs["settings"].max_body_bytes == 2_000
    assert environment[HOOK] == "serve.front_door.middlewares"
    assert os.environ[HOOK] == environment[HOOK]


def test_serve_still_calls_the_function_before_it_listens() -> None:
    proxy = source_of("ray.serve._private.proxy")
    http = source_of("ray.serve._private.http_util")

    assert "self._http_options = configure_http_middlewares(http_options)" in proxy
    assert f"call_function_from_import_path(\n                    {HOOK}" in http
    built = re.findall(r"uvicorn\.Config\((.*?)\*\*ssl_kwargs", http, re.DOTALL)
    assert len(built) == 1
    assert "http=" not in built[0]
