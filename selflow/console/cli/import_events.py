"""``selflow import`` and ``selflow replay``: what a file holds, through the ingest that every event
goes through.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from selflow.console.cli.import_batches import ImportBatch, SendResult, deliver
from selflow.core.clock import SystemClock, rfc3339
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation

if TYPE_CHECKING:
    from selflow.collect.progress import Progress
    from selflow.core.events import Event

Kind = Literal["events", "jsonl", "json", "csv", "parquet", "shell", "git", "activitywatch"]
_TABLES = frozenset({"jsonl", "json", "csv", "parquet"})
MAX_REPLAYED_EVENTS = 1_000_000
_KINDS = "events (an export), jsonl, json, csv, parquet, shell, git or activitywatch."
_OUR_SHAPE = ("ts=ts", "kind=kind", "subject=subject")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Count the events, and send nothing.")]


def import_events(  # noqa: PLR0913  (one parameter for each option)
    ctx: typer.Context,
    what: Annotated[Kind, typer.Argument(metavar="KIND", help=_KINDS)],
    path: Annotated[
        Path | None,
        typer.Argument(metavar="PATH", help="The file (also .gz), history file or repository."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=COL",
            help="tables: ts, kind, subject, app, step, duration_s.",
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="tables: the events' source; default table.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="tables: the events' kind, if no column holds it.")
    ] = None,
    *,
    rest: Annotated[
        bool, typer.Option("--rest", help="tables: keep the other columns as data.")
    ] = False,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="activitywatch: a server on this machine.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="activitywatch: go on until Ctrl-C.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Import events from an export, a table, shell history, a git repository or ActivityWatch.

    Secrets are replaced before anything is stored. The same file twice adds nothing; of a file that
    has grown, or of a shell history that was cut at its front, what is new. Importing is an act of
    yours and carries your consent with it.
    """
    call: Invocation = ctx.obj
    _refuse_idle(what, {"--map": columns, "--source": source, "--kind": kind, "--rest": rest})
    if what == "activitywatch":
        from selflow.console.cli.import_activitywatch import import_activitywatch

        import_activitywatch(call, path, url, follow=follow, is_dry=dry_run)
        return
    if path is None or url is not None or follow:
        raise UsageError(f"{what} needs a PATH", "--url and --follow apply to activitywatch")
    reading, events = _events(what, path, columns or (), source, rest=rest)
    if kind is not None:
        events = (
            replace(event, kind=kind) if event.kind == "table.row" else event for event in events
        )
    name = source or ("table" if what in _TABLES else what)
    batch = ImportBatch(what, path, f"import:{name}", events, reading, is_followed=what == "shell")
    _import(call, batch, is_dry=dry_run)


def replay(  # noqa: PLR0913
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, also with .gz.")],
    time: Annotated[
        str,
        typer.Option(metavar="COL", help="Column with the time: RFC 3339, or a number since 1970."),
    ],
    label: Annotated[str, typer.Option(metavar="COL", help="What happened: the events' subject.")],
    group: Annotated[
        str | None, typer.Option(metavar="COL", help="Column whose equal values make one step.")
    ] = None,
    kind: Annotated[str, typer.Option(help="The events' kind.")] = "table.row",
    speed: Annotated[
        str,
        typer.Option(metavar="X|max", help="Speed relative to the recording, such as 60; or max."),
    ] = "max",
    *,
    dry_run: DryRun = False,
) -> None:
    """Send a recorded stream through the ingest.

    In time order, with the moments of the record. The same file twice at one speed adds nothing.
    """
    from selflow.collect.importers.table import ColumnMap, import_table
    from selflow.collect.progress import Progress

    call: Invocation = ctx.obj
    reading = Progress()
    recorded = import_table(file, ColumnMap(ts=time, subject=label, step=group), "replay", reading)
    events = [replace(event, kind=kind) for event in islice(recorded, MAX_REPLAYED_EVENTS + 1)]
    if len(events) > MAX_REPLAYED_EVENTS:
        raise UsageError(
            f"{file} holds more than {MAX_REPLAYED_EVENTS:,} events, which replay sorts in memory",
            "split the file by time, or use selflow import",
        )
    events.sort(key=lambda event: event.ts_us)
    _import(
        call,
        ImportBatch("replay", file, "import:replay", events, reading, _speed(speed)),
        is_dry=dry_run,
    )


def _events(
    what: Kind, path: Path, columns: Iterable[str], source: str | None, *, rest: bool
) -> "tuple[Progress, Iterator[Event]]":
    from selflow.collect.progress import Progress

    reading = Progress()
    if what == "git":
        from selflow.collect.importers.git import import_git

        return reading, import_git(path, reading)
    if what == "shell":
        from selflow.collect.importers.shell import import_shell

        return reading, import_shell(path, reading)
    if what == "events":
        from selflow.collect.importers.event_file import import_event_file

        return reading, import_event_file(path, SystemClock().now_us(), reading)
    from selflow.collect.importers.table import ColumnMap, import_table

    pairs = list(columns)
    if not pairs and what in {"csv", "parquet"}:
        raise UsageError(
            f"a {what} file needs a column map", "for example --map ts=when --map subject=path"
        )
    return reading, import_table(
        path, ColumnMap.parse(pairs or _OUR_SHAPE, rest=rest), source or "table", reading
    )


def _refuse_idle(what: Kind, options: dict[str, object]) -> None:
    """An option that would do nothing is a mistake of the caller."""
    idle = [name for name, value in options.items() if value]
    if what not in _TABLES and idle:
        raise UsageError(
            f"{idle[0]} does not apply to {what}", f"it applies to {', '.join(sorted(_TABLES))}"
        )


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e12:
        raise UsageError(f"invalid speed: {text}", "give a number such as 60, or max")
    return speed


def _import(call: Invocation, batch: ImportBatch, *, is_dry: bool) -> None:
    document: dict[str, Any] = {"path": str(batch.path), "dry_run": is_dry}
    if is_dry:
        document |= _counted(batch.events)
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in document["kinds"].items())
        lines = [f"{document['events']:,} events would be sent ({kinds or 'none'})"]
    else:
        result = deliver(call, batch, SystemClock())
        document |= _document(result)
        lines = [_summary(result)]
    document["bad_rows"] = batch.reading.bad_rows
    if batch.reading.bad_rows:
        shown = ", ".join(map(str, batch.reading.bad_lines[:10]))
        call.note(f"{batch.reading.bad_rows:,} rows skipped; the first: line {shown}")
    call.show(document, lines)


def _counted(events: "Iterable[Event]") -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    first_us, last_us = None, None
    for event in events:
        kinds[event.kind] += 1
        first_us = event.ts_us if first_us is None else min(first_us, event.ts_us)
        last_us = event.ts_us if last_us is None else max(last_us, event.ts_us)
    return {
        "events": kinds.total(),
        "kinds": dict(kinds.most_common()),
        "first": None if first_us is None else rfc3339(first_us),
        "last": None if last_us is None else rfc3339(last_us),
    }


def _document(result: SendResult) -> dict[str, Any]:
    return {
        "import_id": result.import_id,
        "events": result.events,
        "accepted": result.accepted,
        "already_there": result.already_there,
        "dropped": result.dropped,
        "rejected": dict(result.rejected),
    }


def _summary(result: SendResult) -> str:
    refused = "".join(f", {n:,} refused ({code})" for code, n in result.rejected.items())
    dropped = f", {result.dropped:,} dropped by your privacy rules" if result.dropped else ""
    return (
        f"{result.accepted:,} events stored, {result.already_there:,} already "
        f"stored{dropped}{refused}"
    )
