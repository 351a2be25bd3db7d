"""``selflow audit``: who did what, and whether the log of it is whole."""

from typing import Annotated

import typer

from selflow.core.invocation import Invocation, table
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import AuditEntry
from selflow.store.row_listing import newest_page

FAULT_EXIT = 5
app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def audit(
    ctx: typer.Context,
    action: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this action, as the list names it.")
    ] = None,
    actor: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only acts of owner, or of a token's id.")
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Only acts on this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of entries.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(help="Entries before this cursor: `next` of an earlier answer.")
    ] = None,
) -> None:
    """List the audit log, newest first: every act that changed something, and who did it."""
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    given = {"action": action, "actor": actor, "subject": subject}
    wanted = {name: value for name, value in given.items() if value is not None}
    page = newest_page(CatalogReader(call.catalog_location()), AuditEntry, limit, cursor, **wanted)
    columns = ("seq", "at", "actor", "action", "subject")
    rows = [[str(item["seq"]), *(item[name] for name in columns[1:])] for item in page["items"]]
    call.show(page, table(columns, rows))


@app.command()
def verify(ctx: typer.Context) -> None:
    """Follow the whole chain of the audit log; exit code 5 if an entry was changed or removed.

    It shows tampering and does not prevent it: who can rewrite the whole catalog can forge it.
    """
    call: Invocation = ctx.obj
    with open_catalog(call) as catalog:
        checked = catalog.audit.verify()
    fault = checked.fault or None
    line = f"{checked.entries:,} entries, chain intact"
    if fault:
        line = f"{fault}; the {checked.entries:,} entries before it are intact"
    call.show({"entries": checked.entries, "fault": fault, "is_intact": not fault}, [line])
    if fault:
        raise typer.Exit(FAULT_EXIT)
