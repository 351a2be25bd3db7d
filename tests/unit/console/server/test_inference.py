"""``/v1/*`` through the console: the inference port's answers, asked with the caller's token."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from selflow.console.server.app import guarded, port_policies
from selflow.core.session_files import Endpoints, write_endpoints
from selflow.core.settings import ServeSettings
from serve.routes import policies
from tests.unit.console.server.test_access import sign_in
from tests.unit.console.server.worlds import BASE, PORT, Console

ASKED = {"prompt": "hello"}
OWN_ROUTES = {"/health", "/healthz", "/metrics", "/predict", "/feedback"}


class Upstream(BaseHTTPRequestHandler):
    """Says what it was asked; a stream's second piece comes when the first has arrived."""

    protocol_version = "HTTP/1.1"
    first_arrived = Flag()

    def do_GET(self) -> None:
        self.do_POST()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.path == "/v1/chat/completions":
            self._stream()
            return
        names = ("authorization", "x-request-id", "cookie", "content-type")
        said = {"path": self.path, "body": body, **{n: self.headers.get(n) for n in names}}
        answer = json.dumps(said).encode()
        self.send_response(429 if self.path == "/v1/feedback" else 200)
        for name, value in (
            ("retry-after", "7"),
            ("x-selflow-agent", "pool"),
            ("server-time", "1"),
        ):
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in (b"data: one\n\n", b"data: two\n\n", b""):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
            if piece == b"data: one\n\n" and not self.first_arrived.wait(3):
                self.close_connection = True
                return

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def upstream(console: Console) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    write_endpoints(console.root, Endpoints(inference=url))
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_route_of_the_port_is_handed_on_and_demands_the_same() -> None:
    ours, theirs = port_policies(), policies(ServeSettings())
    wanted = {key: policy for key, policy in theirs.items() if key[1] not in OWN_ROUTES}

    assert len(wanted) >= 7
    for key, policy in wanted.items():
        assert (ours[key].scope, ours[key].area) == (policy.scope, policy.area), key


def test_a_request_goes_on_with_the_callers_token_and_id(console: Console) -> None:
    with upstream(console):
        answer = console.ask("POST", "/v1/completions", "operate", json=ASKED)
        limited = console.ask("POST", "/v1/feedback", "operate", json={})
        model = console.ask("GET", "/v1/models/a/b@c").json()
    said = answer.json()

    assert json.loads(said["body"]) == ASKED
    assert said["authorization"] == f"Bearer {console.tokens['operate']}"
    assert said["x-request-id"] == answer.headers["x-request-id"]
    assert answer.headers["x-selflow-agent"] == "pool"
    assert "server-time" not in answer.headers
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    assert (model["path"], model["content-type"]) == ("/v1/models/a/b@c", None)


def test_a_browsers_session_and_the_owner_are_known_there_too(console: Console) -> None:
    console.root.token.write_text("sf_owner", encoding="ascii")
    cookie = sign_in(console).partition(";")[0]
    with upstream(console):
        by_cookie = console.ask("GET", "/v1/models", None, {"cookie": cookie}).json()
        by_socket = console.ask_socket("GET", "/v1/models").json()

    assert by_cookie["authorization"] == f"Bearer {cookie.partition('=')[2]}"
    assert by_cookie["cookie"] is None
    assert by_socket["authorization"] == "Bearer sf_owner"


def test_a_streamed_answer_comes_piece_by_piece(console: Console) -> None:
    pieces: list[bytes] = []
    requests = [{"type": "http.request", "body": b"{}", "more_body": False}]

    async def receive() -> dict[str, Any]:
        return requests.pop() if requests else await asyncio.Future()

    async def send(message: Any) -> None:
        if message.get("body"):
            pieces.append(message["body"])
            Upstream.first_arrived.set()

    headers = {
        "host": BASE.removeprefix("http://"),
        "authorization": f"Bearer {console.tokens['operate']}",
        "content-type": "application/json",
    }
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
        "raw_path": b"/v1/chat/completions",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    Upstream.first_arrived.clear()
    with upstream(console):
        asyncio.run(guarded(console.app, console.model, PORT)(scope, receive, send))

    assert pieces == [b"data: one\n\n", b"data: two\n\n"]


@pytest.mark.parametrize("last_session", ["none", "ended"])
def test_without_ray_it_is_said(console: Console, last_session: str) -> None:
    if last_session == "ended":
        with upstream(console):
            pass
    answer = console.ask("POST", "/v1/predict", "operate", json={})

    assert (answer.status_code, answer.json()["code"]) == (503, "ray_down")
    assert answer.headers["retry-after"] == "1"
    assert "selflow up" in answer.json()["hint"]
