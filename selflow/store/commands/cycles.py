"""``selflow cycles``: the learning cycles, and the journal of one."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import typer

from selflow.core.clock import SystemClock
from selflow.core.invocation import Invocation, printable, table, unknown_name
from selflow.store.commands.names import cycle_names
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle
from selflow.store.row import document
from selflow.store.row_listing import newest_page
from selflow.store.views import stage_documents

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def cycles(
    ctx: typer.Context,
    state: Annotated[
        Literal["requested", "running", "done", "failed", "skipped", "cancelled"] | None,
        typer.Option(help="Only cycles in this state."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of cycles.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="Cycles before this cursor: `next` of an earlier answer.")
    ] = None,
) -> None:
    """List the learning cycles, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    wanted = {"state": str(state)} if state else {}
    page = newest_page(CatalogReader(call.catalog_location()), Cycle, limit, cursor, **wanted)
    if not page["items"]:
        call.note("no cycles; to begin one: selflow learn")
    columns = ("id", "trigger", "state", "stage", "requested_at", "finished_at", "error")
    rows = [[item[name] for name in columns] for item in page["items"]]
    call.show(page, table(columns, rows))


@app.command()
def show(
    ctx: typer.Context,
    cycle_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A cycle's id.", autocompletion=cycle_names),
    ],
) -> None:
    """Show a cycle with its stages: how long each took, and what it recorded."""
    call: Invocation = ctx.obj
    reader = CatalogReader(call.catalog_location())
    for cycle in reader.learned(Cycle, id=cycle_id):
        stages = stage_documents(reader, cycle_id, SystemClock().now_us())
        call.show({**document(cycle), "stages": stages}, _lines(document(cycle), stages))
        return
    known = [cycle.id for cycle in reader.learned(Cycle)]
    raise unknown_name("cycle", cycle_id, known, "selflow cycles lists them")


def _lines(cycle: Mapping[str, Any], stages: list[dict[str, Any]]) -> Iterator[str]:
    yield f"{cycle['id']} is {cycle['state']}, asked for by {cycle['trigger']}"
    if cycle["error"]:
        yield f"error: {printable(cycle['error'])}"
    yield f"requested {cycle['requested_at']}, finished {cycle['finished_at'] or '-'}"
    if not stages:
        return
    yield ""
    rows = [
        [stage["name"], stage["seconds"], "yes" if stage["finished_at"] else "no", stage["sha256"]]
        for stage in stages
    ]
    yield from table(["stage", "seconds", "finished", "artifact"], rows)
