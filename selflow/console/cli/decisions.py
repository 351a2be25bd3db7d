"""``selflow decisions``: what was answered, by whom, and how likely that arm was to be chosen."""

from typing import Annotated, Any

import typer

from selflow.core.invocation import Invocation, table
from selflow.store.decision_view import decisions_page
from selflow.store.reading import CatalogReader


def decisions(
    ctx: typer.Context,
    limit: Annotated[
        int, typer.Option(min=1, max=500, help="Maximum number of decisions; the newest.")
    ] = 20,
) -> None:
    """List answered predictions, newest first.

    To say what an answer was worth: selflow feedback DECISION thumb true. What was right: selflow
    feedback DECISION outcome '[{"kind": "file.modify", "subject": "README.md"}]'.
    """
    call: Invocation = ctx.obj
    page = decisions_page(CatalogReader(call.catalog_location()), limit)
    if not page["items"]:
        call.note("no prediction has been answered yet; to ask for one: selflow predict")
    names = ["decision", "at", "first prediction", "p", "arm", "propensity", "feedback"]
    call.show({**page, "next": None}, table(names, [_row(item) for item in page["items"]]))


def _row(decision: dict[str, Any]) -> list[object]:
    first: Any = decision["predictions"][0] if decision["predictions"] else {}
    routing: Any = decision["routing"] or {}
    said = " ".join(str(first[name]) for name in ("kind", "subject") if name in first)
    chosen = [routing.get("arm"), routing.get("propensity")]
    feedback = ", ".join(_said(item) for item in decision["feedback"])
    return [decision["id"], decision["at"], said or None, first.get("p"), *chosen, feedback or None]


def _said(said: dict[str, Any]) -> str:
    value = said["value"]
    if isinstance(value, dict) and "labels" in value:
        value = "; ".join(" ".join(label) for label in value["labels"])
    return f"{said['metric']} {str(value).lower() if isinstance(value, bool) else value}"
