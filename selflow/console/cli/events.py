"""``selflow events``: the stored events, straight from the log."""

from typing import TYPE_CHECKING, Annotated

import typer

from selflow.console.event_listing import (
    END_US,
    PAGE_EVENTS,
    EventQuery,
    event_document,
    newest,
    next_cursor,
    parse_cursor,
)
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable
from selflow.core.until import named_moment_us

if TYPE_CHECKING:
    from selflow.core.events import Stored
    from selflow.store.log import LogReader

_FOLLOW_S = 0.5


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
        named_moment_us("--since", since, 0, repeats_value=True),
        named_moment_us("--until", until, END_US, repeats_value=True),
        source,
        kind,
        cursor=_cursor(cursor) if cursor else None,
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


def _list(call: Invocation, reader: "LogReader", wanted: EventQuery, limit: int) -> None:
    events = newest(reader, wanted, limit + 1)
    page = events[:limit]
    following = next_cursor(page) if len(events) > limit else None
    call.show(
        {"items": [event_document(s) for s in reversed(page)], "next": following},
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
                json.dumps(event_document(stored), ensure_ascii=False)
                if call.is_json
                else _line(stored)
            )
            call.out.write(f"{text}\n")
        call.out.flush()
        new_events = reader.read(last_seq, PAGE_EVENTS)
        if not new_events:
            clock.sleep(_FOLLOW_S)
        last_seq = new_events[-1].seq if new_events else last_seq
        batch = [stored for stored in new_events if wanted.covers(stored)]


def _line(stored: "Stored") -> str:
    event = stored.event
    moment = event.ts.strftime("%Y-%m-%d %H:%M:%S")
    return printable(f"{moment}  {event.source:<10}  {event.kind:<16}  {event.subject}")


def _cursor(text: str) -> tuple[int, int]:
    try:
        return parse_cursor(text)
    except ValueError as error:
        raise UsageError(
            f"invalid --cursor: {printable(text)}", "use `next` of selflow events --json"
        ) from error
