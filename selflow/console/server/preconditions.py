"""Requests that must not act twice, nor on what has changed since: ``Idempotency-Key``,
``If-Match``.
"""

import asyncio
from collections.abc import Mapping
from hashlib import blake2b
from threading import Lock
from typing import Annotated, Any

from fastapi import Header, Request

from selflow.console.server.read_model import Model, ReadModel
from selflow.core.errors import ApiError
from selflow.core.events import Json
from selflow.core.grants import OWNER, Grant
from selflow.core.ids import new_id
from selflow.store.command_records import Action, Command
from selflow.store.row_writer import writing
from selflow.web.guard import GRANT

KEY_LIFE_S = 86_400
"""A key that comes again later asks for something new."""
_OPEN = frozenset({"queued", "accepted"})
_one_at_a_time = Lock()


class RepeatedError(Exception):
    """The request has queued this command before. Seen by: the application, which answers it."""

    def __init__(self, command: Command) -> None:
        super().__init__(command)
        self.command = command


async def takes_idempotency_key(
    request: Request, model: Model, idempotency_key: Annotated[str, Header(max_length=200)] = ""
) -> None:
    """Of a route that starts work: the same request with the same key, within a day, is the same
    work, whatever has become of it.
    """
    if not idempotency_key:
        return
    body = await request.body()
    now_us = model.clock.now_us()
    day = now_us // (KEY_LIFE_S * 1_000_000)
    grant: Grant | None = request.scope.get(GRANT)
    caller = grant.token_id if grant else OWNER
    same = (caller, idempotency_key, request.method, request.url.path, body)
    ids = [f"cmd_{_digest(day - ago, *same)}" for ago in (0, 1)]
    request.state.command_ids = ids
    known = await asyncio.to_thread(_known, model, ids, now_us)
    if known is not None:
        raise RepeatedError(known)


def takes_if_match(if_match: Annotated[str, Header(max_length=200)] = "") -> None:
    """Documents the header of a route that changes something: the ``etag`` that was seen."""


def queue_once(
    request: Request,
    model: ReadModel,
    actor: str,
    action: Action,
    subject: str,
    details: Mapping[str, Json],
) -> Command:
    """Write a command and its audit entry in one transaction.

    Raises:
        RepeatedError: The same request with the same key was faster.
    """
    now_us = model.clock.now_us()
    ids: list[str] = getattr(request.state, "command_ids", [])
    with _one_at_a_time:
        if (known := _known(model, ids, now_us)) is not None:
            raise RepeatedError(known)
        command_id = ids[0] if ids else new_id("cmd")
        queued = Command(command_id, action, subject, details, actor, "queued", now_us)
        with writing(model.location) as rows:
            rows.insert(queued)
            rows.audit(now_us, actor, f"command.{action}", subject, {"id": queued.id})
    return queued


def pattern_etags(model: ReadModel, items: list[dict[str, Any]]) -> dict[str, str]:
    """What the owner's word on each pattern is now, in short: it changes with the word, and with
    every command that will change it.
    """
    coming = [row for row in model.catalog.newest(Command, 500) if row.state in _OPEN]
    return {
        item["name"]: _digest(
            item["name"],
            item["title"],
            item["is_hidden"],
            item["merged_into"],
            [row.id for row in coming if row.subject == item["name"]],
        )
        for item in items
    }


def check_if_match(request: Request, etag: str) -> None:
    """Refuse a change of what is not any more as the caller saw it.

    Raises:
        ApiError: 412.
    """
    seen = request.headers.get("if-match", "").removeprefix("W/").strip('"')
    if seen and seen not in {etag, "*"}:
        raise ApiError(
            412, "stale", "it has changed since you saw it", "load it again, then repeat"
        )


def _known(model: ReadModel, ids: list[str], now_us: int) -> Command | None:
    for command_id in ids:
        for known in model.catalog.learned(Command, id=command_id):
            if now_us - known.requested_at_us < KEY_LIFE_S * 1_000_000:
                return known
    return None


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=10).hexdigest()
