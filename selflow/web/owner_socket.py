"""What stands before the routes of a Unix socket whose peer is the owner: no token, Host or Origin,
because no web page and no other account reaches it.
"""

import logging
import socket
import struct

from selflow.core.clock import Clock
from selflow.core.errors import location_of
from selflow.web.access import Policies, Problem, RoutePolicy
from selflow.web.bodies import App, Message, Receive, Replay, Send, header, read_body
from selflow.web.guard import REQUEST_ID, Exchange, Observe, new_request_id

OWNER_SOCKET = "selflow.owner_socket"
"""The key of the ASGI scope that says that a request came in here."""
MAX_REQUESTS = 64
"""Requests in progress; a shell has one."""
BODY_DEADLINE_S = 1.0
_UID_OFFSET = 4
_log = logging.getLogger(__name__)


def uid_of_peer(connection: socket.socket) -> int:
    """The account at the other end of a Unix socket.

    Source: ``SO_PEERCRED`` of unix(7), a ``struct ucred`` of pid, uid and gid.
    """
    credentials = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("=iII")
    )
    return int(struct.unpack_from("=I", credentials, _UID_OFFSET)[0])


def prefers_text(scope: Message) -> bool:
    """Whether the client asks for an answer that needs no parser of JSON."""
    first = (header(scope, b"accept") or [""])[0].partition(",")[0]
    return first.partition(";")[0].strip().lower() == "text/plain"


class SocketGuard:
    """Wraps an ASGI application; only routes with a policy reach it, and what asks for text gets an
    empty body where something is wrong.
    """

    def __init__(self, app: App, policies: Policies, clock: Clock, observe: Observe) -> None:
        self._app = app
        self._policies = policies
        self._clock = clock
        self._observe = observe
        self._inside = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        started_s = self._clock.monotonic_s()
        exchange = Exchange(send, new_request_id())
        policy = self._policies.get((scope["method"], scope["path"]))
        self._inside += 1
        try:
            refused = await self._hand_on(scope, receive, exchange, policy)
        except Exception as error:  # noqa: BLE001  (the last line: the caller gets the envelope, the log the place)
            _log.error("request %s failed: %s", exchange.request_id, location_of(error))
            refused = Problem(500, "internal", "the request failed inside SelFlow", "see the log")
        finally:
            self._inside -= 1
        if refused is not None:
            await exchange.refuse(refused, is_empty=prefers_text(scope))
        route = policy.route if policy else "other"
        self._observe(route, exchange.status, self._clock.monotonic_s() - started_s)

    async def _hand_on(
        self, scope: Message, receive: Receive, exchange: Exchange, policy: RoutePolicy | None
    ) -> Problem | None:
        if policy is None:
            return Problem(404, "route_not_found", "there is no such route on this socket")
        if self._inside > MAX_REQUESTS:
            detail = f"{MAX_REQUESTS} requests are in progress"
            return Problem(429, "rate_limited", detail, "try again")
        body = await read_body(scope, receive, policy.max_body_bytes, BODY_DEADLINE_S)
        if isinstance(body, Problem):
            return body
        if body is not None:
            named = {REQUEST_ID: exchange.request_id, OWNER_SOCKET: True}
            request = {**scope, **named, "headers": _with_media(scope, body)}
            await self._app(request, Replay(body, receive), exchange.send)
        return None


def _with_media(scope: Message, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers; JSON is called so, because curl calls whatever it sends a form."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if not body.lstrip().startswith(b"{"):
        return headers
    others = [pair for pair in headers if pair[0].lower() != b"content-type"]
    return [*others, (b"content-type", b"application/json")]
