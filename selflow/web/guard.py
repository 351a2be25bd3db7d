"""One ASGI layer before every route: the rules of ``selflow.web.access`` in a fixed order.

Host -> Origin -> authentication -> scope -> rate -> size -> content type; the schema is the
application's. It needs no web framework, so that the inference port and the console share it.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError, location_of
from selflow.core.grants import Grant
from selflow.core.ids import new_id
from selflow.web.access import (
    Policies,
    Problem,
    Rates,
    RoutePolicy,
    Verify,
    bearer,
    check_grant,
    check_host,
    check_origin,
    check_session_change,
    loopback_hosts,
    session_of,
)
from selflow.web.bodies import (
    BODY_DEADLINE_S,
    App,
    Message,
    Receive,
    Replay,
    Send,
    header,
    read_body,
)

Observe = Callable[[str, int, float], None]
"""Told after every request: the canonical route (``other`` if there is none), the status, the
seconds.
"""

REQUEST_ID = "selflow.request_id"
"""The key of the ASGI scope under which the application finds the request's id."""
GRANT = "selflow.grant"
"""The key of the ASGI scope under which it finds who asks; absent on a public route without a valid
token.
"""
CLIENT_LEFT = 499
"""The status that is counted when the client went away before an answer."""

REQUEST_ID_HEADER = b"x-request-id"
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_ANYONE = "anyone"
"""Who asks a public route without a token: all of them share a rate, where it has one."""
_UNKNOWN = RoutePolicy(route="other", scope="view")
_OWN_ID = re.compile(r"req_[0-9a-f]{20}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """What a listener lets in: its port, its routes, how many queued requests run and wait, and
    how long a body may take. Where there are sessions, the cookie of one stands for a token;
    ``headers`` are added to every answer.
    """

    port: int
    policies: Policies
    running: int
    waiting: int
    body_deadline_s: float = BODY_DEADLINE_S
    has_sessions: bool = False
    headers: tuple[tuple[str, str], ...] = ()


class Guard:
    """Wraps an ASGI application; what has no policy never reaches it."""

    def __init__(
        self, app: App, routes: Listener, verify: Verify, clock: Clock, observe: Observe
    ) -> None:
        self._app = app
        self._routes = routes
        self._verify = verify
        self._clock = clock
        self._observe = observe
        self._hosts = loopback_hosts(routes.port)
        self._rates = Rates(clock)
        self._inside = 0
        self._slots = asyncio.Semaphore(routes.running)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        started_s = self._clock.monotonic_s()
        policy = self._routes.policies.get((scope["method"], scope["path"]))
        exchange = Exchange(send, request_id_of(scope))
        exchange.headers += self._routes.headers
        try:
            await self._answer(scope, receive, exchange, policy)
        except SelFlowError as error:
            await exchange.refuse(Problem(error.status, error.code, str(error), error.hint))
        except Exception as error:  # noqa: BLE001  (the last line: the caller gets the envelope, the log the place)
            _log.error("request %s failed: %s", exchange.request_id, location_of(error))
            await exchange.refuse(
                Problem(500, "internal", "the request failed inside SelFlow", "see the log")
            )
        finally:
            route = policy.route if policy else _UNKNOWN.route
            self._observe(route, exchange.status, self._clock.monotonic_s() - started_s)

    async def _answer(
        self, scope: Message, receive: Receive, exchange: "Exchange", policy: RoutePolicy | None
    ) -> None:
        refused = self._check_request(scope, policy, exchange)
        if refused is not None or policy is None:
            await exchange.refuse(refused or self._no_route(scope))
            return
        # Before a place is taken: who sends slowly, or never to the end, holds up nobody
        body = await read_body(scope, receive, policy.max_body_bytes, self._routes.body_deadline_s)
        if isinstance(body, bytes):
            body = _check_media(scope, body, policy.media) or body
        if isinstance(body, Problem):
            await exchange.refuse(body)
        elif body is not None:
            scope[REQUEST_ID] = exchange.request_id
            await self._hand_on(scope, Replay(body, receive), exchange, policy)

    async def _hand_on(
        self, scope: Message, receive: Receive, exchange: "Exchange", policy: RoutePolicy
    ) -> None:
        """To the application, in a place of its own if the route is queued."""
        if not policy.is_queued:
            await self._app(scope, receive, exchange.send)
        elif self._inside >= self._routes.running + self._routes.waiting:
            detail = (
                f"{self._inside} requests are in progress; the limit is {self._routes.running} + "
                f"{self._routes.waiting}"
            )
            await exchange.refuse(
                Problem(429, "rate_limited", detail, "try again", (("retry-after", "1"),))
            )
        else:
            self._inside += 1
            try:
                async with self._slots:
                    await self._app(scope, receive, exchange.send)
            finally:
                self._inside -= 1

    def _check_request(
        self, scope: Message, policy: RoutePolicy | None, exchange: "Exchange"
    ) -> Problem | None:
        """Host, Origin, authentication, scope and rate; all from the request's head."""
        required = policy or _UNKNOWN
        site = (header(scope, b"sec-fetch-site") or [""])[0]
        refused = check_host(header(scope, b"host"), self._hosts) or check_origin(
            scope["method"], header(scope, b"origin"), site, self._hosts
        )
        if refused is not None:
            return refused
        sent = header(scope, b"authorization")
        token, session = bearer(sent), None
        if not sent and self._routes.has_sessions:
            session = session_of(header(scope, b"cookie"))
        try:
            grant = self._verify(token or session or "") if token or session else None
        except SelFlowError:
            if required.scope is not None:
                raise
            grant = None  # a public route answers also when the catalog does not
        if grant is not None and session is not None:
            refused = check_session_change(scope["method"], header(scope, b"origin"))
            if refused is not None:
                return refused
        if grant is not None:
            scope[GRANT] = grant
        refused = check_grant(grant, required, was_sent=bool(sent or session))
        return refused or self._rate(grant, required, exchange)

    def _rate(
        self, grant: Grant | None, policy: RoutePolicy, exchange: "Exchange"
    ) -> Problem | None:
        if (grant is not None and grant.is_owner) or policy.rate is None:
            return None
        left = self._rates.take(grant.token_id if grant else _ANYONE, policy.rate)
        exchange.headers += left.headers()
        if not left.retry_after_s:
            return None
        detail = f"more than {left.limit} {policy.rate.name} requests per minute"
        return Problem(429, "rate_limited", detail, f"wait {left.retry_after_s} s")

    def _no_route(self, scope: Message) -> Problem:
        path, policies = scope["path"], self._routes.policies
        others = [method for method in _METHODS if (method, path) in policies]
        if not others:
            return Problem(404, "route_not_found", "there is no such route")
        allow = ", ".join(others)
        detail = f"{scope['method']} is not allowed here"
        return Problem(405, "method_not_allowed", detail, f"use {allow}", (("allow", allow),))


class Exchange:
    """The answer's side of one request: adds the headers every answer carries and remembers the
    status.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.headers: tuple[tuple[str, str], ...] = (
            ("x-request-id", request_id),
            ("x-content-type-options", "nosniff"),
        )
        self.status = CLIENT_LEFT

    async def send(self, message: Message) -> None:
        """Pass a message of the application on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            ours = [(name.encode(), value.encode()) for name, value in self.headers]
            message = {**message, "headers": [*message.get("headers", ()), *ours]}
        await self._send(message)

    async def refuse(self, problem: Problem, *, is_empty: bool = False) -> None:
        """Send a refusal, unless an answer has begun already; ``is_empty``: its status alone."""
        if self.status != CLIENT_LEFT:
            return
        body = b"" if is_empty else problem.body(self.request_id)
        head = (
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            *problem.headers,
        )
        headers = [(name.encode(), value.encode()) for name, value in head]
        await self.send(
            {"type": "http.response.start", "status": problem.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": body})


def request_id_of(scope: Message) -> str:
    """The id that a layer of ours before this one gave the request, else a new one."""
    given = header(scope, REQUEST_ID_HEADER)
    return given[0] if len(given) == 1 and _OWN_ID.fullmatch(given[0]) else new_request_id()


def new_request_id() -> str:
    """The form that ``request_id_of`` knows again."""
    return new_id("req")


def _check_media(scope: Message, body: bytes, allowed: tuple[str, ...]) -> Problem | None:
    if not body:
        return None
    media = (header(scope, b"content-type") or [""])[0].partition(";")[0].strip().lower()
    if media in allowed:
        return None
    return Problem(
        415,
        "bad_media_type",
        f"the body is not {' or '.join(allowed)}",
        f"set Content-Type: {allowed[0]}",
    )
