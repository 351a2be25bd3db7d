"""``selflow trials``: the configurations that searches tried, and how far they are."""

from typing import Annotated, Any

import typer

from selflow.core.invocation import Invocation, table
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle
from selflow.store.run_views import trial_items


def trials(
    ctx: typer.Context,
    *,
    cycle: Annotated[
        str, typer.Option("--cycle", metavar="ID", help="Of this cycle instead of the newest.")
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", metavar="NAME", help="Of the searches for this agent.")
    ] = "",
) -> None:
    """List the configurations that searches tried, with what they reached.

    The time left is that of a training to its end; most trials end at their first eighth, where
    they are compared. With --json each has the loss in bits by step, training and tune part.
    """
    call: Invocation = ctx.obj
    reader = CatalogReader(call.catalog_location())
    newest = [one.id for one in reader.newest(Cycle, 1)]
    items = [
        item
        for cycle_id in ([cycle] if cycle else newest)
        for item in trial_items(reader, cycle_id, agent or None)
    ]
    if not items:
        call.note("no trials; a learning cycle makes some: selflow learn")
    columns = ["agent", "state", "steps", "tune bits", "tokens/s", "seconds", "left, s"]
    rows = [_row(item) for item in items]
    call.show({"items": items, "next": None}, table([*columns, "configuration", "error"], rows))


def _row(item: dict[str, Any]) -> list[object]:
    how_far = f"{item['step']:,} of {item['steps']:,}" if item["steps"] else "-"
    rate, left_s = item["tokens_per_s"], item["eta_s"]
    return [
        item["agent"],
        item["state"],
        how_far,
        item["tune_bits"],
        None if rate is None else round(rate),
        item["seconds"],
        None if left_s is None else round(left_s),
        ", ".join(f"{name} {value}" for name, value in item["config"].items()),
        item["error"],
    ]
