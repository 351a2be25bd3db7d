"""``selflow events``: the stored events, straight from the log."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from selflow.core.clock import Clock, SystemClock, parse_ts_us
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable

if TYPE_CHECKING:
    from selflow.core.events import Stored
    from selflow.store.log import LogReader

_END_US = 253_402_300_800_000_000
_PAGE_EVENTS = 500
_FOLLOW_S = 0.5


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: half-open in time, newest first from before ``cursor`` (moment, sequence
    number).
    """

    since_us: int
    until_us: int
    source: str | None = None
    kind: str | None = None
    cursor: tuple[int, int] | None = None

    def covers(self, stored: "Stored") -> bool:
        """Whether an event is asked for."""
        event = stored.event
        return (
            self.since_us <= event.ts_us < self.until_us
            and self.source in {None, event.source}
            and self.kind in {None, event.kind}
            and (self.cursor is None or (event.ts_us, stored.seq) < self.cursor)
        )


def events(  # noqa: PLR0913  (one parameter for each option)
    ctx: typer.Context,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Events at or after this time: RFC 3339 or a date."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Events before this time: RFC 3339 or a date."),
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only events of this source.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only events of this kind.")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Maximum number of events; the newest.")
    ] = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Events before this cursor: `next` of an earlier answer.")
    ] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep printing new events until Ctrl-C.")
    ] = False,
) -> None:
    """List stored events.

    Newest last, as they were stored: redacted. With --follow --json, one document per line.
    """
    call: Invocation = ctx.obj
    wanted = EventQuery(
        _moment("--since", since, 0),
        _moment("--until", until, _END_US),
        source,
        kind,
        _cursor(cursor) if cursor else None,
    )
    if not (call.root.events / "data.mdb").exists():
        call.note("no events yet; to allow a source: selflow init")
        call.show({"items": [], "next": None}, [])
        return
    from selflow.store.log import LogReader

    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        if follow:
            _follow(call, reader, wanted, limit, SystemClock())
        else:
            _list(call, reader, wanted, limit)
    finally:
        reader.close()


def newest(reader: "LogReader", wanted: EventQuery, limit: int) -> list["Stored"]:
    """At most ``limit`` wanted events, newest first. Cost: one page of 500 after the other, until
    there are enough.
    """
    events: list[Stored] = []
    for stored in _backwards(reader, wanted):
        if wanted.covers(stored):
            events.append(stored)
            if len(events) == limit:
                break
    return events


def _backwards(reader: "LogReader", wanted: EventQuery) -> Iterator["Stored"]:
    page_events = _PAGE_EVENTS
    until_us = min(wanted.until_us, wanted.cursor[0] + 1) if wanted.cursor else wanted.until_us
    while True:
        page = reader.scan(wanted.since_us, until_us, page_events, newest_first=True)
        if len(page) < page_events:
            yield from page
            return
        edge_us = page[-1].event.ts_us  # more events of this very moment may lie on the next page
        whole = [stored for stored in page if stored.event.ts_us > edge_us]
        yield from whole
        page_events = _PAGE_EVENTS if whole else 2 * page_events
        until_us = edge_us + 1


def _list(call: Invocation, reader: "LogReader", wanted: EventQuery, limit: int) -> None:
    events = newest(reader, wanted, limit + 1)
    page = events[:limit]
    following = f"{page[-1].event.ts_us}-{page[-1].seq}" if len(events) > limit else None
    call.show(
        {"items": [_document(s) for s in reversed(page)], "next": following},
        map(_line, reversed(page)),
    )


def _follow(
    call: Invocation, reader: "LogReader", wanted: EventQuery, limit: int, clock: Clock
) -> None:
    import json

    last_seq = reader.fill().last_seq
    batch = list(reversed(newest(reader, wanted, limit)))
    while True:
        for stored in batch:
            text = (
                json.dumps(_document(stored), ensure_ascii=False) if call.is_json else _line(stored)
            )
            call.out.write(f"{text}\n")
        call.out.flush()
        new_events = reader.read(last_seq, _PAGE_EVENTS)
        if not new_events:
            clock.sleep(_FOLLOW_S)
        last_seq = new_events[-1].seq if new_events else last_seq
        batch = [stored for stored in new_events if wanted.covers(stored)]


def _document(stored: "Stored") -> dict[str, object]:
    from selflow.core.codec import event_to_json

    return {"seq": stored.seq, **event_to_json(stored.event)}


def _line(stored: "Stored") -> str:
    event = stored.event
    moment = event.ts.strftime("%Y-%m-%d %H:%M:%S")
    return printable(f"{moment}  {event.source:<10}  {event.kind:<16}  {event.subject}")


def _moment(option: str, text: str | None, default_us: int) -> int:
    if text is None:
        return default_us
    try:
        return parse_ts_us(text)
    except ValueError as error:
        raise UsageError(
            f"invalid {option}: {printable(text)}",
            "give a time such as 2026-01-31 or 2026-01-31T12:00:00Z",
        ) from error


def _cursor(text: str) -> tuple[int, int]:
    moment, _, seq = text.partition("-")
    if not (moment.isdigit() and seq.isdigit()):
        raise UsageError(
            f"invalid --cursor: {printable(text)}", "use `next` of selflow events --json"
        )
    return int(moment), int(seq)
