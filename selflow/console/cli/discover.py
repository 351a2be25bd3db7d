"""``selflow discover``: the clusters of a file alone. No SelFlow runs, nothing is written but what
is asked for.
"""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selflow.console.cli.progress import Show, progress
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.plugins import load_one

if TYPE_CHECKING:
    from selflow.collect.whole_table import WholeTable
    from selflow.core.table_clusters import TableClusters

MAX_ROWS = 1_000_000
"""Rows are held in memory; clustering so many takes minutes."""


def discover(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, also with .gz.")],
    features: Annotated[
        Literal["numeric", "events"],
        typer.Option(help="Rows of numbers, or rows that are events with a time and texts."),
    ] = "numeric",
    columns: Annotated[
        str | None, typer.Option(metavar="COL,...", help="Columns that count; default all.")
    ] = None,
    labels_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write row,label as CSV, one line per row; -1 is noise."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all random draws.")] = 0,
) -> None:
    """Find the clusters in a table that several families of clustering agree on."""
    from selflow.collect.whole_table import WholeTable

    call: Invocation = ctx.obj
    whole = WholeTable.read(file, columns.split(",") if columns else (), MAX_ROWS)
    with progress(call, f"clustering {printable(file.name)}") as show:
        cluster = _of_numbers if features == "numeric" else _of_events
        clusters, labels = cluster(call, whole, seed, show)
    if clusters.note:
        call.note(clusters.note)
    if labels_out is not None:
        _write(labels_out, labels)
    document = clusters.document
    head = ", ".join(f"{name} {document[name]:.3f}" for name in ("s_star", "c_star", "coverage"))
    rows = [[item["id"], item["size"], item["j"]] for item in document["clusters"]]
    families = [[name, *figures.values()] for name, figures in document["families"].items()]
    call.show(
        document,
        [
            f"{document['n']:,} rows, {document['k']} clusters: {head}",
            *table(["cluster", "rows", "agreement"], rows),
            *table(["family", "clusters", "ami", "ari"], families),
        ],
    )


def _of_numbers(
    call: Invocation, whole: "WholeTable", seed: int, show: Show
) -> "tuple[TableClusters, Sequence[int]]":
    """A number that is missing takes the mean of its column; a row without any is noise."""
    import numpy as np

    names, cells = whole.numbers()
    if not names:
        raise UsageError("no column holds numbers", "--features events clusters rows of texts")
    values = np.array(cells)
    has_any = np.isfinite(values).any(1)
    used = values[has_any]
    if missing := int(np.isnan(used).sum()):
        call.note(f"{missing:,} cells without a number take the mean of their column")
    if left_out := [name for name in whole.columns if name not in names]:
        call.note(f"left out, as they hold no numbers: {printable(', '.join(left_out))}")
    whole_rows = np.where(np.isnan(used), np.nanmean(used, 0), used)
    clusters: TableClusters = _clustering("numbers")(whole_rows, seed, show)
    labels = np.full(len(values), -1)
    labels[has_any] = clusters.labels
    return clusters, labels.tolist()


def _of_events(
    call: Invocation, whole: "WholeTable", seed: int, show: Show
) -> "tuple[TableClusters, Sequence[int]]":
    """A row without a time is noise."""
    steps = whole.steps()
    timed = [step for step in steps if step is not None]
    if len(timed) < len(steps):
        call.note(f"{len(steps) - len(timed):,} rows without a time are in no cluster")
    clusters: TableClusters = _clustering("events")(timed, seed, show)
    of_timed = iter(clusters.labels)
    return clusters, [-1 if step is None else next(of_timed) for step in steps]


def _clustering(rows: str) -> Callable[..., "TableClusters"]:
    """It needs what the command line may not load, and comes in by the entry-point group
    ``selflow.tables``.
    """
    cluster: Callable[..., TableClusters] = load_one("selflow.tables", rows, "clustering of")
    return cluster


def _write(path: Path, labels: Sequence[int]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("row", "label"))
    writer.writerows(enumerate(labels))
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {printable(str(path))}: {error.strerror}", "name another file"
        ) from error
