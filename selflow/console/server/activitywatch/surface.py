"""ActivityWatch's REST API as an ASGI application: routes, envelope, no redirects.

Paths answer with and without a slash at their end. No framework stands between: a heartbeat costs
what reading it, filtering it and one place in the next commit cost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

from selflow.console.server.activitywatch import bucket_calls, event_calls, query_calls, store_calls
from selflow.console.server.activitywatch.access import Access, Need, Refusal
from selflow.console.server.activitywatch.calls import AwAnswer, Call
from selflow.console.server.activitywatch.service import AwService
from selflow.core.errors import ApiError, SelFlowError, location_of
from selflow.core.grants import Grant
from selflow.web.access import Problem
from selflow.web.bodies import BODY_DEADLINE_S, Message, Receive, Send, header, read_body

MAX_BODY_BYTES = 10_000_000
_BASE = "/api/0/"
_METHODS = ("GET", "POST", "PUT", "DELETE")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Route:
    need: Need
    handle: Callable[[Call], Awaitable[AwAnswer]]
    streams_body: bool = False


_ROUTES: dict[tuple[str, str], _Route] = {
    ("GET", "info"): _Route("nothing", store_calls.info),
    ("GET", "buckets"): _Route("view", bucket_calls.list_buckets),
    ("GET", "buckets/*"): _Route("view", bucket_calls.show_bucket),
    ("POST", "buckets/*"): _Route("watcher", bucket_calls.create_bucket),
    ("PUT", "buckets/*"): _Route("operate", bucket_calls.change_bucket),
    ("DELETE", "buckets/*"): _Route("admin", bucket_calls.delete_bucket),
    ("GET", "buckets/*/events"): _Route("view", event_calls.list_events),
    ("POST", "buckets/*/events"): _Route("watcher", event_calls.add_events),
    ("GET", "buckets/*/events/count"): _Route("view", event_calls.count_events),
    ("GET", "buckets/*/events/#"): _Route("view", event_calls.show_event),
    ("DELETE", "buckets/*/events/#"): _Route("admin", event_calls.delete_event),
    ("POST", "buckets/*/heartbeat"): _Route("watcher", event_calls.heartbeat),
    ("GET", "buckets/*/export"): _Route("view", store_calls.export_bucket),
    ("POST", "query"): _Route("view", query_calls.query),
    ("GET", "export"): _Route("view", store_calls.export_all),
    ("POST", "import"): _Route("operate", store_calls.import_export, streams_body=True),
    ("GET", "settings"): _Route("view", store_calls.list_settings),
    ("GET", "settings/*"): _Route("view", store_calls.show_setting),
    ("POST", "settings/*"): _Route("operate", store_calls.set_setting),
    ("DELETE", "settings/*"): _Route("admin", store_calls.delete_setting),
    ("GET", "log"): _Route("view", store_calls.log),
}


class Surface:
    """Answers on the port of ``access``."""

    def __init__(self, service: AwService, access: Access) -> None:
        self._service = service
        self._access = access

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        shape, names = _shape(scope)
        route = _ROUTES.get((scope["method"], shape))
        refused, grant, cors = self._access.check(scope, route.need if route else "view")
        given = AwAnswer(b"", 200)
        if refused is None and scope["method"] != "OPTIONS":
            if route is None:
                refused = _no_route(shape)
            else:
                given, refused = await self._given(route, names, scope, receive, grant)
        if refused is not None:
            given = AwAnswer(refused.body(), refused.status)
        await _send(given, cors, send)

    async def _given(
        self,
        route: _Route,
        names: tuple[str, ...],
        scope: Message,
        receive: Receive,
        grant: Grant | None,
    ) -> tuple[AwAnswer, Refusal | None]:
        body = b""
        if not route.streams_body:
            read = await read_body(scope, receive, MAX_BODY_BYTES, BODY_DEADLINE_S)
            if isinstance(read, Problem):
                return AwAnswer(), Refusal(read.status, read.detail)
            body = read or b""
        call = Call(
            self._service,
            self._access.settings,
            names,
            scope["query_string"].decode("latin-1"),
            body,
            grant,
            receive,
            (header(scope, b"content-type") or [""])[0].lower(),
        )
        try:
            return await route.handle(call), None
        except ApiError as error:
            return AwAnswer(), Refusal(error.status, error.detail, error.code)
        except SelFlowError as error:
            return AwAnswer(), Refusal(503, str(error))
        except Exception as error:  # noqa: BLE001  (the last line: the client gets the envelope, the log the place)
            _log.error("an ActivityWatch request failed: %s", location_of(error))
            return AwAnswer(), Refusal(500, "the request failed inside SelFlow")


def _shape(scope: Message) -> tuple[str, tuple[str, ...]]:
    """The form of a path, ``buckets/*/events/#``, and its variable parts."""
    raw = scope.get("raw_path") or scope["path"].encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    if not path.startswith(_BASE):
        return "", ()
    parts = [unquote(part) for part in path[len(_BASE) :].rstrip("/").split("/")]
    names: list[str] = []
    for position, mark in ((1, "*"), (3, "#")):
        if len(parts) > position and (mark == "*" or _is_number(parts[position])):
            names.append(parts[position])
            parts[position] = mark
    return "/".join(parts), tuple(names)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 40


def _no_route(shape: str) -> Refusal:
    others = [method for method in _METHODS if (method, shape) in _ROUTES]
    if others:
        return Refusal(405, "The method is not allowed for the requested URL.")
    return Refusal(404, "The requested URL was not found on the server.")


async def _send(given: AwAnswer, cors: tuple[tuple[str, str], ...], send: Send) -> None:
    head = [
        ("content-type", "application/json"),
        ("x-content-type-options", "nosniff"),
        *given.headers,
        *cors,
    ]
    if given.pieces is None and given.status != 304:
        head.append(("content-length", str(len(given.body))))
    headers = [(name.encode(), value.encode()) for name, value in head]
    await send({"type": "http.response.start", "status": given.status, "headers": headers})
    if given.pieces is not None:
        while (piece := await asyncio.to_thread(next, given.pieces, None)) is not None:
            await send({"type": "http.response.body", "body": piece.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    await send({"type": "http.response.body", "body": given.body})
