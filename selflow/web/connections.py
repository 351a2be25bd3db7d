"""HTTP connections as uvicorn holds them, bounded by peer and by time."""

import asyncio
from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from selflow.web.access import Problem
from selflow.web.guard import new_request_id
from selflow.web.owner_socket import uid_of_peer
from selflow.web.peers import Peers, peer_of

HEAD_DEADLINE_S = 10.0
"""Longest time from a connection's first moment, or first byte of a further request, to the end of
the request's head; uvicorn has no such limit.
"""


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


class OwnersProtocol(BoundedProtocol):
    """One HTTP connection, if the owner is on the other end."""

    owner_uid: int
    deadline_s = HEAD_DEADLINE_S

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or answer 403 and end it."""
        super().connection_made(transport)
        if uid_of_peer(transport.get_extra_info("socket")) == self.owner_uid:
            self._expect_head()
        else:
            self._refuse(403, "forbidden_scope", "this socket is another account's", "use your own")


def bounded(peers: Peers, head_deadline_s: float = HEAD_DEADLINE_S) -> type[BoundedProtocol]:
    """The protocol of one server: its connections are counted together."""

    class Bounded(BoundedProtocol):
        held = peers
        deadline_s = head_deadline_s

    return Bounded
