"""Events of a bucket: read, added, lengthened, deleted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from selflow.collect.activitywatch.exchange import events_text
from selflow.collect.activitywatch.log_events import source_of
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import AwEvent, bad_request, parse_event, seconds_us
from selflow.console.server.activitywatch.calls import AwAnswer, Call, answer
from selflow.core.errors import ApiError
from selflow.core.events import Json
from selflow.core.selection import EventSelection


async def list_events(call: Call) -> AwAnswer:
    """Those that touch a range, newest first, cut to it."""
    (name,) = call.names
    limit, limits = call.integer("limit"), call.time_range()
    most = None if limit is None or limit < 0 else limit

    def pieces(reader: StoreReader) -> Iterator[str]:
        yield "["
        yield from events_text(reader.events(name, limits, most), has_ids=True)
        yield "]"

    await call.service.bucket(name)
    return AwAnswer(pieces=call.service.pieces(pieces))


async def count_events(call: Call) -> AwAnswer:
    """How many touch a range: a bare integer."""
    (name,) = call.names
    limits = call.time_range()
    return answer(await call.service.read(lambda reader: reader.count(name, limits)))


async def show_event(call: Call) -> AwAnswer:
    """One event."""
    name, number = call.names
    event = await call.service.read(lambda reader: reader.event(name, _event_id(number)))
    if event is None:
        raise ApiError(404, "", "there is no such event")
    return answer(event.document())


async def delete_event(call: Call) -> AwAnswer:
    """Delete one event, and queue the deletion of what the log made of it."""
    name, number = call.names
    known = await call.service.read(lambda reader: reader.event(name, _event_id(number)))
    done = await call.service.write(lambda writer: writer.delete_event(name, _event_id(number)))
    if done and known is not None:
        selection = EventSelection(known.ts_us, known.ts_us + 1, source=source_of(name))
        call.service.forget_in_log(selection, 1, call.actor)
    return answer({"success": done})


async def add_events(call: Call) -> AwAnswer:
    """Add one event or a list; one that bears the id of an event of this bucket replaces it."""
    (name,) = call.names
    raw = call.json()
    if not isinstance(raw, dict | list):
        raise bad_request("Invalid POST data")
    sent = [parse_event(item) for item in (raw if isinstance(raw, list) else [raw])]
    if call.settings.auth == "watcher" and call.grant is None:
        _refuse_ids(sent)
    bucket, now_us = await call.service.bucket(name), call.service.model.clock.now_us()
    allowed = [call.service.allowed(bucket, event) for event in sent]
    retained = [event for event in allowed if event is not None]
    stored = await call.service.write(lambda writer: writer.insert(name, retained, now_us))
    left = iter(stored)
    shown = [
        _unstored(event) if one is None else next(left).document()
        for event, one in zip(sent, allowed, strict=True)
    ]
    return answer(shown if isinstance(raw, list) else shown[0])


async def heartbeat(call: Call) -> AwAnswer:
    """Lengthen the newest event of an equal state, or begin another one."""
    (name,) = call.names
    event = replace(parse_event(call.json()), id=None)
    pulsetime = call.argument("pulsetime")
    if pulsetime is None:
        raise bad_request("Missing required parameter pulsetime", "MissingParameter")
    try:
        pulsetime_us = seconds_us(float(pulsetime), "pulsetime")
    except ValueError as error:
        raise bad_request("pulsetime must be a number of seconds") from error
    bucket, now_us = await call.service.bucket(name), call.service.model.clock.now_us()
    retained = call.service.allowed(bucket, event)
    if retained is None:
        return answer(_unstored(event))
    result = await call.service.write(
        lambda writer: writer.heartbeat(name, retained, pulsetime_us, now_us)
    )
    return AwAnswer(result.text().encode())


def _event_id(text: str) -> int:
    number = int(text)
    if number >= 1 << 63:
        raise ApiError(404, "", "there is no such event")
    return number


def _unstored(event: AwEvent) -> dict[str, Json]:
    """An event that a privacy rule drops, as it was sent."""
    return replace(event, id=None).document()


def _refuse_ids(events: Sequence[AwEvent]) -> None:
    """Without a token nothing that is there may be changed."""
    if any(event.id is not None for event in events):
        detail = "an event with an id replaces another one: that needs a token"
        raise ApiError(401, "Unauthorized", detail)
