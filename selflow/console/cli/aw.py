"""``selflow aw``: the port that answers ActivityWatch's watchers."""

import sqlite3
from contextlib import closing
from typing import Any

import typer

from selflow.core.errors import StoreError
from selflow.core.invocation import Invocation, table
from selflow.core.listening import listens
from selflow.core.session_files import read_aw_port, read_request

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def aw() -> None:
    """Show the port that answers ActivityWatch's watchers."""


@app.command()
def status(ctx: typer.Context) -> None:
    """Show whether watchers are answered, what they sent, and what the log does not have yet."""
    call: Invocation = ctx.obj
    request = read_request(call.root)
    settings = (request.settings(call.root) if request else call.settings().settings).aw
    known, buckets = read_aw_port(call.root), _buckets(call)
    url = known.url if known and known.url and listens(known.url) else None
    document = {
        "port": settings.port,
        "auth": settings.auth,
        "url": url,
        "problem": known.problem if known else "",
        "waiting_events": known.waiting_events if known else 0,
        "hand_over_problem": known.hand_over_problem if known else "",
        "buckets": buckets,
    }
    rows = [[one["id"], one["type"], one["events"], one["last_updated"]] for one in buckets]
    call.show(document, [*_lines(document), *table(["bucket", "type", "events", "until"], rows)])


def _lines(document: dict[str, Any]) -> list[str]:
    if document["url"]:
        state = f"answers at {document['url']} (aw.auth: {document['auth']})"
    elif document["port"] is None:
        state = "closed; selflow up --set aw.port=5600 opens it"
    else:
        state = f"closed: {document['problem'] or 'SelFlow is not running; selflow up starts it'}"
    lines = [state]
    if document["waiting_events"]:
        why = document["hand_over_problem"] or "they may still be lengthened"
        lines.append(f"{document['waiting_events']:,} events are not in the log yet: {why}")
    return lines


def _buckets(call: Invocation) -> list[dict[str, Any]]:
    from selflow.collect.activitywatch.ranges import TimeRange
    from selflow.collect.activitywatch.reading import StoreReader
    from selflow.collect.activitywatch.shapes import moment_text
    from selflow.collect.activitywatch.tables import database_of, open_reading, refused

    if not database_of(call.root.aw).exists():
        return []
    try:
        with closing(open_reading(call.root.aw)) as connection:
            reader = StoreReader(connection)
            return [
                {
                    "id": bucket.id,
                    "type": bucket.type,
                    "events": reader.count(bucket.id, TimeRange()),
                    "last_updated": moment_text(span[1]) if span else None,
                }
                for bucket in reader.buckets()
                for span in [reader.span(bucket.id)]
            ]
    except sqlite3.Error as error:
        raise StoreError(str(refused(error)), "selflow doctor says what runs") from error
