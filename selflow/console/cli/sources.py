"""``selflow sources``: what may be collected, and what came."""

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from selflow.console.cli.status_report import observe
from selflow.console.owner_client import ask_console
from selflow.console.source_listing import sources_document
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError
from selflow.core.invocation import Invocation, table
from selflow.store.reading import CatalogReader


def sources(ctx: typer.Context) -> None:
    """List what may be collected, by your word, and what came from each source.

    It works without a running SelFlow. To allow or revoke: selflow init.
    """
    call: Invocation = ctx.obj
    try:
        document = ask_console(call.root, "GET", "/api/sources")
    except NotRunningError:
        document = _from_disk(call)
    call.show(document, _lines(document))


def _from_disk(call: Invocation) -> dict[str, Any]:
    """The console's own answer, made here while there is no console: its index is brought up to
    date.
    """
    from selflow.search.shared import SharedIndex
    from selflow.store.log import LogReader

    catalog = CatalogReader(call.catalog_location())
    states = {seen.service.name: seen.state for seen in observe(catalog.services())}
    index = SharedIndex(call.root.derived, SystemClock())
    try:
        if (call.root.events / "data.mdb").exists():
            log = LogReader(call.root.events, budget_bytes=0)
            try:
                while index.follow(log):
                    pass
            finally:
                log.close()
        collector = states.get("collector", "not running")
        return sources_document(catalog.consents(), index.sources(), collector)
    finally:
        index.close()


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    consents = [
        [item["kind"], "yes" if item["is_allowed"] else "no", ", ".join(item["folders"]) or "-"]
        for item in document["consents"]
    ]
    yield from table(["kind", "allowed", "folders"], consents)
    yield ""
    streams = [[item["source"], item["events"], item["last_at"]] for item in document["streams"]]
    yield from table(["source", "events", "last event"], streams)
    yield ""
    yield f"the collector is {document['collector']}"
