"""``selflow forget``: deletes events, and all that was learned from them. Imports no Ray."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from actors.forgetting import Forgetter
from selflow.collect.selecting import matches_of
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError, UsageError
from selflow.core.grants import OWNER
from selflow.core.ids import new_id
from selflow.core.invocation import Invocation, printable
from selflow.core.selection import END_US, EventSelection
from selflow.core.until import named_moment_us
from selflow.store.command_records import Command
from selflow.store.commands.opening import open_catalog
from selflow.store.forget_preview import Preview, forget_command, preview
from selflow.store.log import EventLog, LogReader
from selflow.store.reading import CatalogReader
from selflow.store.row import document

_POLL_S = 0.3
_CREDITS = 64
_SHOWN_NAMES = 12
_CONFIRMATION = "forget"


def forget(  # noqa: PLR0913  (one for each option)
    ctx: typer.Context,
    *,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Events at or after this time.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Events before this time.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Events of this source.")] = None,
    kind: Annotated[str | None, typer.Option(help="Events of this kind.")] = None,
    app: Annotated[str | None, typer.Option(help="Events of this program.")] = None,
    folder: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Events that name this folder or a path in it."),
    ] = None,
    words: Annotated[
        str | None, typer.Option(help="Events with all of these words, or words that begin so.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with deletions that wait or have failed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be deleted, and change nothing.")
    ] = False,
) -> None:
    """Delete events, and all that was learned from them.

    Events must fulfil all options. Agents and models that were made from the events stop serving
    and are made again without them, by the next learning cycle. It cannot be undone.
    """
    call: Invocation = ctx.obj
    if resume:
        _resume(call)
        return
    selection = EventSelection(
        since_us=named_moment_us("--since", since, 0, repeats_value=True),
        until_us=named_moment_us("--until", until, END_US, repeats_value=True),
        source=source,
        kind=kind,
        app=app,
        folder=folder,
        words=words,
    )
    selection.require_some()
    known = _preview(call, selection)
    if dry_run or known is None or not known.seqs:
        shown = known.document() if known else {"events": 0}
        call.show({**shown, "dry_run": True}, _lines(known))
        return
    _confirm(call, known, is_confirmed=yes)
    now_us = SystemClock().now_us()
    command = forget_command(new_id("cmd"), selection, len(known.seqs), OWNER, now_us)
    with open_catalog(call) as catalog:
        catalog.commands.add(command)
        _show(call, _carry_out(call, catalog, command))


def _resume(call: Invocation) -> None:
    with open_catalog(call) as catalog:
        commands = catalog.commands
        waiting = [one for one in commands.open() if one.action == "events.forget"]
        failed = [commands.retry(one.id) for one in commands.failed("events.forget")]
        ended = [_carry_out(call, catalog, command) for command in (*waiting, *failed)]
        if not ended:
            call.show({"items": []}, ["no deletion waits, and none has failed"])
        for command in ended:
            _show(call, command)


def _carry_out(call: Invocation, catalog: Any, command: Command) -> Command:  # noqa: ANN401  (the open catalog)
    """By the session if one runs, else here."""
    clock, commands = SystemClock(), catalog.commands
    if call.endpoints().get("inference"):
        call.note("the session carries it out; Ctrl-C does not end it")
        while command.finished_at_us is None:
            clock.sleep(_POLL_S)
            command = commands.find(command.id)
        return command
    log = EventLog(call.root.events, budget_bytes=0, credits=_CREDITS)
    try:
        commands.accept(command.id, clock.now_us())
        forgetter = Forgetter(call.root, call.catalog_location(), catalog, log, clock, None)
        try:
            forgetter.run(commands.find(command.id))
            error = ""
        except StoreError as refused:
            error = str(refused)
        ended: Command = commands.finish(command.id, error, clock.now_us())
    finally:
        log.close()
    return ended


def _show(call: Invocation, command: Command) -> None:
    if command.state == "failed":
        raise StoreError(command.error, "mend that, then: selflow forget --resume")
    stages: Any = command.details.get("stages", [])
    shown = {key: value for key, value in document(command).items() if key != "details"}
    lines = [f"deleted: {command.subject}"]
    for stage in stages:
        counts = ", ".join(f"{name} {value}" for name, value in stage["result"].items() if value)
        lines.append(f"  {stage['name']}: {counts or 'nothing'}")
    call.show({**shown, "stages": stages}, map(printable, lines))


def _preview(call: Invocation, selection: EventSelection) -> Preview | None:
    if not (call.root.events / "data.mdb").exists():
        return None
    reader = LogReader(call.root.events, budget_bytes=0)
    try:
        rows = CatalogReader(call.catalog_location())
        return preview(reader, rows, selection, matches_of(selection, str(Path.home())))
    finally:
        reader.close()


def _confirm(call: Invocation, known: Preview, *, is_confirmed: bool) -> None:
    if is_confirmed:
        return
    for line in _lines(known):
        call.err.write(f"{line}\n")
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here", "look with --dry-run, then give --yes")
    if typer.prompt(f"type {_CONFIRMATION} to delete them", err=True) != _CONFIRMATION:
        raise UsageError("not confirmed; nothing was deleted", "selflow forget --dry-run shows it")


def _lines(known: Preview | None) -> Iterator[str]:
    if known is None or not known.seqs:
        yield "no stored event is meant"
        return
    shown = known.document()
    yield f"{shown['events']:,} events of {shown['days_total']:,} days"
    yield f"from {shown['first_at']} to {shown['last_at']}"
    for item in shown["sources"]:
        yield printable(f"  {item['source']}: {item['events']:,}")
    yield f"agents that stop serving: {_some(shown['retired'])}"
    yield f"patterns that are looked for again: {_some(shown['retrained']['patterns'])}"
    if shown["retrained"]["predictor"]:
        yield "the predictor learns again from what is left"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES:,} more" if len(names) > _SHOWN_NAMES else ""
    return printable(", ".join(names[:_SHOWN_NAMES]) or "none") + more
