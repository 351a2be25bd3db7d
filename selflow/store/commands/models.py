"""``selflow models``: bases and what stands on them, who answered when, and deleting."""

from typing import Annotated

import typer

from selflow.core.clock import SystemClock, as_datetime, parse_ts_us
from selflow.core.errors import UsageError
from selflow.core.grants import OWNER
from selflow.core.invocation import Invocation, printable, size, table
from selflow.store.artifacts import ArtifactStore
from selflow.store.commands.opening import open_catalog
from selflow.store.models import answered_at, models_document
from selflow.store.reading import CatalogReader

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def models(ctx: typer.Context) -> None:
    """List bases and the versions that stand on each, with size, licence and verdict."""
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    document = models_document(CatalogReader(call.catalog_location()), call.root.artifacts)
    rows = [
        [
            item["name"] if item["kind"] == "base" else f"  {item['id']}",
            item["status"],
            size(item["size_bytes"]) if item["is_on_disk"] else "not on disk",
            item["decision"],
            item["licence"],
            item["artifact"][:19],
        ]
        for item in document["items"]
    ]
    if not rows:
        call.note("no models yet; to train some: selflow learn")
    disk = document["disk"]
    lines = table(["model", "status", "size", "verdict", "licence", "hash"], rows)
    lines += ["", f"artifacts: {size(disk['size_bytes'])}; free: {size(disk['free_bytes'])}"]
    call.show(document, lines)


@app.command()
def answered(
    ctx: typer.Context,
    at: Annotated[
        str, typer.Argument(metavar="TIME", help="A moment (2027-01-31T14:03Z), or 14:03 of today.")
    ],
) -> None:
    """What answered at a moment: the newest answers up to it."""
    call: Invocation = ctx.obj
    items = answered_at(CatalogReader(call.catalog_location()), _moment_us(at))
    if not items:
        call.note("nothing was answered up to then")
    names = ("at", "arm", "surface", "mode", "propensity")
    rows = [[item[name] for name in names] for item in items]
    call.show({"items": items, "next": None}, table(names, rows))


@app.command()
def delete(
    ctx: typer.Context,
    model: Annotated[
        str, typer.Argument(metavar="ID", help="NAME@VERSION, or the hash of a base.")
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say whether it may be deleted; delete nothing.")
    ] = False,
) -> None:
    """Delete a version, or a base, that nothing serves; its verdict and its history stay."""
    call: Invocation = ctx.obj
    items = models_document(CatalogReader(call.catalog_location()), call.root.artifacts)["items"]
    chosen = next((item for item in items if item["id"] == model), None)
    if chosen is None:
        raise UsageError(f"unknown model: {printable(model)}", "selflow models lists them")
    freed_bytes = chosen["size_bytes"]
    if not dry_run:
        with open_catalog(call) as catalog:
            give_up = catalog.agents.delete if "@" in model else catalog.agents.delete_base
            gone = give_up(model, SystemClock().now_us(), OWNER)
        removed = [ArtifactStore(call.root.artifacts).remove(sha256) for sha256 in gone]
        freed_bytes = freed_bytes if any(removed) else 0
    stays = chosen["kept_because"]
    said = f"stays: {stays}" if stays else f"would free {size(freed_bytes)}"
    line = f"{printable(model)}: {said}" if dry_run else f"{printable(model)}: deleted"
    call.show({"id": model, "freed_bytes": freed_bytes, "dry_run": dry_run}, [line])


def _moment_us(text: str) -> int:
    """A moment in full, or a time of today on the owner's clock."""
    here = as_datetime(SystemClock().now_us()).astimezone()
    clock = text.strip()
    try:
        is_time = len(clock) == 5 and clock[2] == ":"
        return parse_ts_us(f"{here:%Y-%m-%d}T{clock}{here:%z}" if is_time else clock)
    except ValueError as error:
        raise UsageError(
            f"invalid time: {printable(text)}", "for example 14:03, or 2027-01-31T14:03:00Z"
        ) from error
