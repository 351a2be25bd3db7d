"""Request bodies: read whole, up to a size and within a deadline, before anything else is taken."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from selflow.web.access import Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_DEADLINE_S = 10.0
"""Longest time that a client may take to send a body; 10 MB in this time is 1 MB/s."""
CLOSE = (("connection", "close"),)
"""On a refusal that leaves a body unread: its connection has nothing else to carry."""


def header(scope: Message, name: bytes) -> list[str]:
    """All values of a request header; ``name`` in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def declares_body(scope: Message) -> bool:
    """Whether the head of a request announces a body (RFC 9112, 6.3)."""
    length = header(scope, b"content-length")
    return bool(header(scope, b"transfer-encoding")) or any(
        value.strip() != "0" for value in length
    )


async def read_body(
    scope: Message, receive: Receive, limit_bytes: int, deadline_s: float = BODY_DEADLINE_S
) -> bytes | Problem | None:
    """The whole body; None if the client left before its end.

    A refusal (413) as soon as the body is over the limit, declared or streamed, and 408 at the
    deadline. With a limit of 0 nothing is read: a declared body is refused, any other is empty.
    """
    if limit_bytes == 0:
        no_body = Problem(413, "too_large", "this route takes no body", "send none", CLOSE)
        return no_body if declares_body(scope) else b""
    declared = header(scope, b"content-length")
    if declared and declared[0].isascii() and declared[0].isdigit():
        size_bytes = int(declared[0])
        if size_bytes > limit_bytes:
            return _too_large(f"{size_bytes:,}", limit_bytes)
    try:
        async with asyncio.timeout(deadline_s):
            return await _read(receive, limit_bytes)
    except TimeoutError:
        detail = f"the body was not complete after {deadline_s:g} s"
        return Problem(408, "timeout", detail, "send it at once", CLOSE)


async def _read(receive: Receive, limit_bytes: int) -> bytes | Problem | None:
    parts: list[bytes] = []
    size_bytes = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > limit_bytes:
            return _too_large(f"more than {limit_bytes:,}", limit_bytes)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(size: str, limit_bytes: int) -> Problem:
    detail = f"body of {size} bytes; the limit is {limit_bytes:,}"
    return Problem(413, "too_large", detail, "send a smaller body", CLOSE)


class Replay:
    """Hands a body that was read already to the application, then the client's disconnect."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        """The next ASGI message; what a client sends of a body that nobody reads is dropped."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while (message := await self._receive())["type"] == "http.request":
            pass
        return message
