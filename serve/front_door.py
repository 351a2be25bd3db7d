"""Our layer in the process of Serve's HTTP proxy: ``selflow.web.front_door`` for each request, and
a bound for each peer's connections.

Serve knows one door for this: ``configure_http_middlewares`` (``ray/serve/_private/http_util.py``)
calls the function that an environment variable names before the server starts. Options take effect
when Serve is started, so a Serve that an owner runs already has no such layer; the guard in the
replica stands there alone.
"""

import asyncio
import os
from asyncio import TimerHandle
from typing import Any

from starlette.middleware import Middleware
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from selflow.core.settings import ServeSettings
from selflow.web.access import Problem
from selflow.web.bodies import App
from selflow.web.front_door import FrontDoor
from selflow.web.guard import new_request_id
from selflow.web.peers import Peers, peer_of
from serve.openai_errors import OpenAiErrors
from serve.routes import policies

HEAD_DEADLINE_S = 10.0
"""Longest time from a connection's first moment, or first byte of a further request, to the end of
the request's head; uvicorn has no such limit.
"""
_SETTINGS = "SELFLOW_FRONT_DOOR_SETTINGS"
_HOOK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"


def environment(settings: ServeSettings) -> dict[str, str]:
    """The environment with which Serve's controller, and so its proxy, finds ``middlewares``."""
    return {_HOOK: f"{__name__}.middlewares", _SETTINGS: settings.model_dump_json()}


def middlewares() -> list[Middleware]:
    """What Serve's proxy wraps around itself. Called once in its process, before it listens."""
    bound_connections()
    settings = ServeSettings.model_validate_json(os.environ[_SETTINGS])
    return [Middleware(open_door, settings=settings)]


def open_door(app: App, settings: ServeSettings) -> App:
    """The layer around one application."""
    return OpenAiErrors(FrontDoor(app, policies(settings)))


def bound_connections(
    peers: Peers | None = None, head_deadline_s: float = HEAD_DEADLINE_S
) -> type[HttpToolsProtocol]:
    """Make every uvicorn server of this process that starts from now on count its connections.

    Serve builds its own ``uvicorn.Config`` and lets uvicorn choose the protocol; the choice is made
    by this name when the server starts.
    """

    class Bounded(BoundedProtocol):
        held = peers or Peers()
        deadline_s = head_deadline_s

    auto.AutoHTTPProtocol = Bounded
    return Bounded


class BoundedProtocol(HttpToolsProtocol):
    """One HTTP connection: counted by its peer, ended if a request's head does not come."""

    held: Peers
    deadline_s: float
    _peer: str | None = None
    _late: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or answer 429 and end it."""
        super().connection_made(transport)
        if self.client is None or self.server is None or self.server[1] is None:
            return
        peer = peer_of(self.client, (self.server[0], self.server[1]))
        if self.held.enter(peer):
            self._peer = peer
            self._expect_head()
            return
        self._refuse(429, "rate_limited", "too many connections of one account", "close some")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self._stop_waiting()
        if self._peer is not None:
            self.held.leave(self._peer)
            self._peer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; a head that has begun must end in time."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        is_between = self.cycle is None or self.cycle.response_complete
        if is_between and self._late is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._stop_waiting()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Our envelope instead of uvicorn's text."""
        self._refuse(400, "bad_request", msg, "send HTTP/1.1")

    def _expect_head(self) -> None:
        self._late = self.loop.call_later(self.deadline_s, self._end)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        detail = f"no request in {self.deadline_s:g} s"
        self._refuse(408, "timeout", detail, "send it at once")

    def _refuse(self, status: int, code: str, detail: str, hint: str) -> None:
        body = Problem(status, code, detail, hint).body(new_request_id())
        head: list[Any] = [
            STATUS_LINE[status],
            b"content-type: application/problem+json\r\n",
            b"content-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
        ]
        self.transport.write(b"".join([*head, body]))
        self.transport.close()
