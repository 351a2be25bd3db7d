"""``selflow events``: the stored events, straight from the log."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import typer.core

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
from selflow.core.errors import StoreError, UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.until import named_moment_us

if TYPE_CHECKING:
    from selflow.core.event_file import EventFileFormat, EventFileSchema
    from selflow.core.events import Stored
    from selflow.store.log import LogReader

_FOLLOW_S = 0.5


class _ListingGroup(typer.core.TyperGroup):
    """``selflow events`` alone is ``selflow events ls``, with its options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  (Typer's vendored context type is private)
        """Put the command in that is meant."""
        is_named = bool(args) and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if is_named else ["ls", *args])


app = typer.Typer(
    help="List, show, count, follow and export stored events.",
    cls=_ListingGroup,
    add_completion=False,
    rich_markup_mode=None,
)
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Events at or after this time: RFC 3339 or a date."),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Events before this time: RFC 3339 or a date."),
]
Source = Annotated[str | None, typer.Option(help="Only events of this source.")]
Kind = Annotated[str | None, typer.Option(help="Only events of this kind.")]
App = Annotated[str | None, typer.Option("--app", help="Only events of this program.")]
Folder = Annotated[
    str | None, typer.Option(metavar="DIR", help="Only events of what lies below this folder.")
]
Limit = Annotated[
    int, typer.Option(min=1, max=100_000, help="Maximum number of events; the newest.")
]


@app.command("ls")
def list_events(  # noqa: PLR0913  (one parameter for each option)
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    source: Source = None,
    kind: Kind = None,
    program: App = None,
    folder: Folder = None,
    limit: Limit = 50,
    cursor: Annotated[
        str | None, typer.Option(help="Events before this cursor: `next` of an earlier answer.")
    ] = None,
) -> None:
    """List stored events, the newest last; redacted, as they were stored."""
    call: Invocation = ctx.obj
    before = _cursor(cursor) if cursor else None
    wanted = _query(since, until, source, kind, program, folder, before)
    with _log(call) as reader:
        events = newest(reader, wanted, limit + 1) if reader else []
    page = events[:limit]
    following = next_cursor(page) if len(events) > limit else None
    call.show(
        {"items": [event_document(s) for s in reversed(page)], "next": following},
        map(_line, reversed(page)),
    )


@app.command()
def show(
    ctx: typer.Context,
    seq: Annotated[int, typer.Argument(metavar="SEQ", min=1, help="The event's number.")],
) -> None:
    """Show one event with all its fields."""
    call: Invocation = ctx.obj
    with _log(call) as reader:
        following = reader.read(seq - 1, 1) if reader else []
    if not following or following[0].seq != seq:
        raise UsageError(f"there is no event {seq}", "selflow events --json shows the numbers")
    document = event_document(following[0])
    call.show(document, (printable(f"{name:<11} {value}") for name, value in document.items()))


@app.command()
def tail(
    ctx: typer.Context,
    source: Source = None,
    kind: Kind = None,
    program: App = None,
    folder: Folder = None,
    limit: Limit = 10,
) -> None:
    """Print the newest events, and new ones as they arrive, until Ctrl-C.

    With --json, one document per line.
    """
    call: Invocation = ctx.obj
    wanted = _query(None, None, source, kind, program, folder)
    with _log(call) as reader:
        if reader:
            _follow(call, reader, wanted, limit, SystemClock())


@app.command("count")
def count_events(  # noqa: PLR0913
    ctx: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    source: Source = None,
    kind: Kind = None,
    program: App = None,
    folder: Folder = None,
    by: Annotated[
        Literal["source", "kind", "app", "day"], typer.Option(help="What is counted apart.")
    ] = "source",
) -> None:
    """Count events, in all and apart by source, kind, program or day (UTC)."""
    from selflow.console.event_export import wanted_events

    call: Invocation = ctx.obj
    wanted = _query(since, until, source, kind, program, folder)
    with _log(call) as reader:
        events = wanted_events(reader, wanted) if reader else iter(())
        counts = Counter(_part(stored, by) for stored in events)
    parts = sorted(counts.items()) if by == "day" else counts.most_common()
    items = [{by: name, "events": number} for name, number in parts]
    rows = [[name or "(none)", f"{number:,}"] for name, number in parts]
    call.show(
        {"events": counts.total(), "by": by, "items": items},
        [f"{counts.total():,} events", *map(printable, table([by, "events"], rows))],
    )


@app.command()
def export(  # noqa: PLR0913
    ctx: typer.Context,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="A new file; FILE.schema.json describes it."),
    ],
    since: Since = None,
    until: Until = None,
    source: Source = None,
    kind: Kind = None,
    program: App = None,
    folder: Folder = None,
    file_format: Annotated[
        Literal["csv", "json", "jsonl", "parquet"] | None,
        typer.Option("--format", help="Default: by the file's ending."),
    ] = None,
) -> None:
    """Write events into a file, in the order in which they were stored.

    selflow import events reads it back, each event as it was.
    """
    from selflow.core.event_file import format_of, schema_path

    call: Invocation = ctx.obj
    wanted = _query(since, until, source, kind, program, folder)
    schema = _export(call, wanted, out, file_format or format_of(out))
    document = {"path": str(out), "schema_path": str(schema_path(out)), "rows": schema.rows}
    call.show(
        {**document, "size_bytes": schema.size_bytes, "sha256": schema.sha256},
        [printable(f"{schema.rows:,} events, {schema.size_bytes:,} bytes: {out}")],
    )


def _export(
    call: Invocation, wanted: EventQuery, out: Path, file_format: "EventFileFormat"
) -> "EventFileSchema":
    from selflow.console.cli.progress import progress
    from selflow.console.event_export import export_events, wanted_events

    with _log(call) as reader, progress(call, "exporting") as moved:
        if reader is None:
            raise StoreError("there are no events yet", "to allow a source: selflow init")
        last_seq = reader.fill().last_seq
        events = wanted_events(reader, wanted, lambda seq: moved(seq, last_seq))
        return export_events(out, file_format, events, SystemClock().now_us())


@contextmanager
def _log(call: Invocation) -> "Iterator[LogReader | None]":
    """The event log; None, with a note, if nothing was ever stored."""
    if not (call.root.events / "data.mdb").exists():
        call.note("no events yet; to allow a source: selflow init")
        yield None
        return
    from selflow.store.log import LogReader

    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        yield reader
    finally:
        reader.close()


def _query(
    since: str | None,
    until: str | None,
    source: str | None,
    kind: str | None,
    program: str | None,
    folder: str | None,
    cursor: tuple[int, int] | None = None,
) -> EventQuery:
    return EventQuery(
        named_moment_us("--since", since, 0, repeats_value=True),
        named_moment_us("--until", until, END_US, repeats_value=True),
        source,
        kind,
        program,
        folder.rstrip("/") if folder else None,
        cursor=cursor,
    )


def _part(stored: "Stored", by: Literal["source", "kind", "app", "day"]) -> str:
    event = stored.event
    return {
        "source": event.source,
        "kind": event.kind,
        "app": event.app,
        "day": event.ts.strftime("%Y-%m-%d"),
    }[by]


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
