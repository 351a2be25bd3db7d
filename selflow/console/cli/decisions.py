"""``selflow decisions``: what was answered, by whom, and how likely that arm was to be chosen."""

from typing import Annotated, Any

import typer

from selflow.core.invocation import Invocation, table
from selflow.store.reading import CatalogReader
from selflow.store.records import Decision
from selflow.store.row import document


def decisions(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=500, help="Maximum number of decisions; the newest.")
    ] = 20,
) -> None:
    """List answered predictions, newest first.

    To say what an answer was worth: selflow feedback DECISION thumb true.
    """
    call: Invocation = ctx.obj
    newest = CatalogReader(call.catalog_location()).newest(Decision, limit)
    if not newest:
        call.note("no prediction has been answered yet; to ask for one: selflow predict")
    rows = [_row(decision) for decision in newest]
    names = ["decision", "at", "first prediction", "p", "arm", "propensity"]
    call.show({"items": [document(item) for item in newest], "next": None}, table(names, rows))


def _row(decision: Decision) -> list[object]:
    first: Any = decision.predictions[0] if decision.predictions else {}
    routing: Any = decision.routing or {}
    said = " ".join(str(first[name]) for name in ("kind", "subject") if name in first)
    moment = document(decision)["at"]
    propensity = routing.get("propensity")
    return [decision.id, moment, said or None, first.get("p"), routing.get("arm"), propensity]
