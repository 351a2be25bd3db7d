"""``selflow notices``: what SelFlow told by itself."""

from typing import Annotated

import typer

from selflow.console.notice_listing import notices_document
from selflow.console.owner_client import ask_console
from selflow.core.invocation import Invocation, table
from selflow.store.notice_records import Notice
from selflow.store.notice_view import is_unread, notice_item
from selflow.store.reading import CatalogReader

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def notices(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of notices.")] = 20,
    *,
    unread: Annotated[bool, typer.Option("--unread", help="Only those that alert still.")] = False,
) -> None:
    """List what SelFlow had to tell, newest first.

    At most notifications.per_day alert on a day, none in quiet hours, and none of a type that you
    muted or rarely act on; the column silence says which. None quotes an event.
    """
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    known = CatalogReader(call.catalog_location()).learned(Notice)
    chosen = [one for one in reversed(known) if is_unread(one) or not unread][:limit]
    rows = [
        [
            item["at"],
            item["kind"],
            item["silence"] or "-",
            item["read_at"],
            item["text"],
            item["id"],
        ]
        for item in map(notice_item, chosen)
    ]
    document = notices_document(known, chosen, call.settings().settings.notifications.muted)
    call.show(document, table(["at", "type", "silence", "read", "what", "id"], rows))


@app.command()
def read(
    ctx: typer.Context,
    notice_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="One notice; default all.")
    ] = None,
) -> None:
    """Let notices alert no more. Exit code 3 if the console does not run: it alone writes them."""
    call: Invocation = ctx.obj
    path = f"/api/notices/{notice_id}/read" if notice_id else "/api/notices/read"
    call.show(ask_console(call.root, "POST", path), ["read"])
