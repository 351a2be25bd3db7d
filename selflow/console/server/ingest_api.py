"""``POST /api/events``: events over HTTP, by the collector's own door: schema, consent, privacy
rules, and an answer once they are durable.
"""

import asyncio
import json
import secrets
from collections.abc import Iterable
from hashlib import blake2b
from typing import Annotated

from fastapi import Header, Request

from selflow.console.server.read_model import Model, ReadModel
from selflow.console.server.routes import Routes
from selflow.console.server.wire_data import AcceptedAnswer, RejectedItem
from selflow.core.codec import WireLimits, event_from_json
from selflow.core.errors import ApiError, UsageError, WireError
from selflow.core.events import Event
from selflow.core.grants import Grant
from selflow.store.pauses import Pause, standing
from selflow.web.guard import GRANT

MAX_EVENTS_BODY_BYTES = 10_000_000
LIMIT_S = 10.0
"""Longest wait for the collector; then the caller sends the same again."""
SOURCE = "http"
"""The name of the batches; each event has a source of its own."""
_LINES = "application/x-ndjson"
routes = Routes()


@routes.change(
    "POST",
    "/api/events",
    "operate",
    area="ingest",
    max_body_bytes=MAX_EVENTS_BODY_BYTES,
    media=("application/json", _LINES),
)
async def add_events(
    request: Request, model: Model, x_batch_id: Annotated[str, Header(max_length=200)] = ""
) -> AcceptedAnswer:
    """One event, a list, or one event per line. With ``X-Batch-Id`` the same request may be sent
    again and is stored once.
    """
    raw = _parsed(await request.body(), request.headers.get("content-type", ""))
    return await asyncio.to_thread(_take_in, model, raw, x_batch_id, request.scope.get(GRANT))


def _parsed(body: bytes, media: str) -> list[object]:
    try:
        if media.partition(";")[0].strip().lower() == _LINES:
            return [json.loads(line) for line in body.splitlines() if line.strip()]
        whole = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UsageError("the body is not valid JSON", "send an event or a list") from error
    return whole if isinstance(whole, list) else [whole]


def _take_in(
    model: ReadModel, raw: Iterable[object], batch_id: str, grant: Grant | None
) -> AcceptedAnswer:
    settings = model.settings().ingest
    limits = WireLimits(
        settings.max_batch_bytes,
        settings.max_batch_events,
        settings.max_event_bytes,
        settings.max_future_s,
    )
    if standing(model.catalog.learned(Pause), model.clock.now_us()):
        detail = "collection is paused; nothing of this time is kept"
        raise ApiError(503, "paused", detail, "drop it, or ask the owner: selflow resume")
    events, rejected = _checked(raw, model.clock.now_us(), limits)
    if grant is not None and grant.sources:
        _refuse_foreign(events.values(), grant)
    accepted = dropped = 0
    if events:
        accepted, dropped, more = _send(model, list(events.items()), batch_id, limits)
        rejected += more
    rejected.sort(key=lambda item: item.index)
    return AcceptedAnswer(accepted=accepted, dropped=dropped, rejected=rejected)


def _checked(
    raw: Iterable[object], now_us: int, limits: WireLimits
) -> tuple[dict[int, Event], list[RejectedItem]]:
    """The events that follow the schema, by their place, and the places of those that do not."""
    events: dict[int, Event] = {}
    rejected: list[RejectedItem] = []
    for index, item in enumerate(raw):
        try:
            events[index] = event_from_json(item, now_us, limits)
        except WireError as error:
            rejected.append(RejectedItem(index=index, code=error.code))
    return events, rejected


def _refuse_foreign(events: Iterable[Event], grant: Grant) -> None:
    if not grant.sources.issuperset(event.source for event in events):
        named = ", ".join(sorted(grant.sources))
        raise ApiError(403, "forbidden_scope", f"the token may bring in events of {named} alone")


def _send(
    model: ReadModel, events: list[tuple[int, Event]], batch_id: str, limits: WireLimits
) -> tuple[int, int, list[RejectedItem]]:
    """Hand everything to the collector and wait until it is durable.

    Raises:
        NotRunningError: The collector is away; a request with ``X-Batch-Id`` may be sent again.
        RefusedError: The owner has not allowed programs to send events.
    """
    from selflow.sdk.ingest import IngestClient, batches  # zmq: 6 MB that few consoles need

    address = f"ipc://{model.root.socket('ingest.sock')}"
    with IngestClient(address, SOURCE, limits=limits) as client:
        first: dict[int, int] = {}
        taken = 0
        salt = batch_id or secrets.token_hex(16)
        for number, group in enumerate(batches((e for _, e in events), SOURCE, limits)):
            digest = blake2b(f"{salt}\0{number}".encode(), digest_size=8).digest()
            wire_id = int.from_bytes(digest, "big")
            first[wire_id] = taken
            taken += len(group)
            client.send_batch(wire_id, group)
        results = client.flush(LIMIT_S)
    rejected = [
        RejectedItem(index=events[first[result.batch_id] + one.index][0], code=one.code)
        for result in results
        for one in result.rejected
    ]
    return (
        sum(result.accepted for result in results),
        sum(result.dropped for result in results),
        rejected,
    )
