"""What stands before a server that is not ours (Ray Serve's proxy): nothing of that server's own
is seen by a client, and a request reaches it only whole.

It knows no token and opens nothing; ``selflow.web.guard`` behind it decides who may what.
"""

import logging

from selflow.core.errors import location_of
from selflow.web.access import Policies, Problem
from selflow.web.bodies import (
    BODY_DEADLINE_S,
    CLOSE,
    App,
    Message,
    Receive,
    Replay,
    Send,
    declares_body,
    read_body,
)
from selflow.web.guard import REQUEST_ID_HEADER, Exchange, new_request_id

SERVERS_OWN = "/-/"
"""Below this lie Serve's own routes, which tell what runs without asking for a token."""
_STEERING = (b"serve", b"x-request-", b"x-session-id", b"x_session_id")
"""Headers by which a client could steer Serve itself: its time limit, its routing, its ids."""
_BODY = frozenset({b"content-length", b"transfer-encoding"})
_MARK = (b"x-content-type-options", b"nosniff")
"""The guard puts it on every answer; an answer without it is the server's own."""
_AGAIN = (("retry-after", "1"),)
_log = logging.getLogger(__name__)


class FrontDoor:
    """An ASGI layer in the server's own process. Web sockets go on to the guard, which refuses
    them.
    """

    def __init__(
        self, app: App, policies: Policies, body_deadline_s: float = BODY_DEADLINE_S
    ) -> None:
        self._app = app
        self._policies = policies
        self._body_deadline_s = body_deadline_s

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on once its body is there."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = new_request_id()
        if scope["path"].startswith(SERVERS_OWN):
            absent = Problem(404, "route_not_found", "there is no such route")
            await Exchange(send, request_id).refuse(absent)
            return
        policy = self._policies.get((scope["method"], scope["path"]))
        # A body to no route is never read: the guard says what is wrong, and the connection ends
        is_dropped = policy is None and declares_body(scope)
        body = (
            await read_body(scope, receive, policy.max_body_bytes, self._body_deadline_s)
            if policy
            else b""
        )
        if isinstance(body, Problem):
            await Exchange(send, request_id).refuse(body)
        elif body is not None:
            answer = _Answer(send, request_id, CLOSE if is_dropped else ())
            await self._hand_on(_forwarded(scope, request_id, body), Replay(body, receive), answer)

    async def _hand_on(self, scope: Message, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001  (the last line: the caller gets the envelope)
            _log.error("the server failed: %s", location_of(error))
        await answer.finish()


class _Answer:
    """Passes an answer of the guard on, and puts one of ours in the place of the server's."""

    def __init__(self, send: Send, request_id: str, headers: tuple[tuple[str, str], ...]) -> None:
        self._send = send
        self._headers = [(name.encode(), value.encode()) for name, value in headers]
        self._own = Exchange(send, request_id)
        self._has_begun = False
        self._status = 0

    async def send(self, message: Message) -> None:
        """Take a message of the server."""
        if message["type"] == "http.response.start":
            if _MARK not in message["headers"]:
                self._status = message["status"]
                return
            self._has_begun = True
            await self._send({**message, "headers": [*_once(message["headers"]), *self._headers]})
        elif self._has_begun:
            await self._send(message)

    async def finish(self) -> None:
        """Say what the server's own answer meant, or that there was none."""
        if not self._has_begun:
            await self._own.refuse(_in_our_words(self._status))


def _forwarded(scope: Message, request_id: str, body: bytes) -> Message:
    """The request with our id, without what steers the server, with a body of known length."""
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if not name.startswith(_STEERING) and name not in _BODY
    ]
    if body:
        headers.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": [*headers, (REQUEST_ID_HEADER, request_id.encode())]}


def _once(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The server repeats the id that it was sent."""
    ids = [pair for pair in headers if pair[0] == REQUEST_ID_HEADER]
    return [*(pair for pair in headers if pair[0] != REQUEST_ID_HEADER), *ids[:1]]


def _in_our_words(status: int) -> Problem:
    """What an answer of the server's own means to a client; 0: it gave none."""
    if status == 429:
        return Problem(
            429, "rate_limited", "too many requests are in progress", "try again", _AGAIN
        )
    if status == 408:
        return Problem(408, "timeout", "the answer took too long", "request less")
    if status == 404:
        detail = "inference is starting"
    elif status:
        detail = "inference is restarting"
    else:
        detail = "inference ended before it answered"
    return Problem(503, "starting", detail, "try again in a second", _AGAIN)
