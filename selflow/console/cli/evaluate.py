"""``selflow eval``: how good predictors are on a file alone. No SelFlow runs, nothing is
written.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selflow.console.cli.progress import progress
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.plugins import load_one

if TYPE_CHECKING:
    from selflow.collect.progress import Progress
    from selflow.predict.evaluate import Grow, Row

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Evaluate predictors on a file.",
)
MAX_ROWS = 5_000_000
"""Rows are sorted by time before the first is judged, so that all are held; at 2 ms each, this many
take three hours.
"""
_FIGURES = ("steps", "hit@1", "hit@5", "log_loss_bits", "ece")


@app.callback()
def judge() -> None:
    """Evaluate predictors on a file."""


@app.command()
def stream(  # noqa: PLR0913  (one parameter for each option)
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, also with .gz.")],
    time: Annotated[
        str,
        typer.Option(metavar="COL", help="Column with the time: RFC 3339, or a number since 1970."),
    ],
    label: Annotated[str, typer.Option(metavar="COL", help="Column with the label to predict.")],
    group: Annotated[
        str | None, typer.Option(metavar="COL", help="Column whose equal values make one step.")
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column with the user; each has a separate history."),
    ] = None,
    mode: Annotated[
        Literal["all", "switch"],
        typer.Option(help="switch: collapse repeats, never predict the current label."),
    ] = "all",
    *,
    program: Annotated[
        bool,
        typer.Option("--program", help="Labels are shell lines; only the program of each counts."),
    ] = False,
    agents: Annotated[
        bool,
        typer.Option(
            "--agents", help="Grow agents from the first half; they join as experts in the second."
        ),
    ] = False,
) -> None:
    """Predict each step of a stream from those before it, then learn it.

    In time order, for the pool, every expert and the simple rules.
    """
    from selflow.collect.progress import Progress
    from selflow.predict.evaluate import evaluate_rows

    call: Invocation = ctx.obj
    reading = Progress()
    rows = _bounded(_rows(file, (time, label, group, user), reading), file)
    with progress(call, f"evaluating {printable(file.name)}") as show:
        grow = _grower(call) if agents else None
        document = evaluate_rows(
            rows, mode=mode, program=program, has_users=user is not None, grow=grow, progress=show
        )
    if reading.bad_rows:
        call.note(f"{reading.bad_rows:,} rows skipped: no time, no label or invalid")
    experts = document["experts"].items()
    lines = table(
        ["expert", *_FIGURES],
        [[name, *(figures[figure] for figure in _FIGURES)] for name, figures in experts],
    )
    call.show(document, lines)


def _grower(call: Invocation) -> "Grow":
    """Agents need what the command line may not load: they come in by the entry-point group
    ``selflow.growers``.
    """
    grow = load_one("selflow.growers", "agents", "trainer of agents")
    return lambda steps: grow(steps, call.settings().settings, call.note)


def _bounded(rows: "Iterator[Row]", file: Path) -> "Iterator[Row]":
    for number, row in enumerate(rows):
        if number == MAX_ROWS:
            raise UsageError(
                f"{printable(str(file))} holds more than {MAX_ROWS:,} rows", "name a part of it"
            )
        yield row


def _rows(
    path: Path, columns: tuple[str, str, str | None, str | None], reading: "Progress"
) -> "Iterator[Row]":
    """Rows with a moment and a label; the others are counted in ``reading``."""
    from selflow.collect.importers.table import moment_us
    from selflow.collect.tables import read_rows

    time, label, group, user = columns
    for row in read_rows(path, [column for column in columns if column is not None], reading):
        said = row.values.get(label)
        try:
            ts_us = moment_us(row.values.get(time))
        except (ValueError, OverflowError):
            reading.skip(row.line)
            continue
        if said is None or said == "":
            reading.skip(row.line)
            continue
        yield (
            ts_us,
            _text(said),
            _text(row.values.get(group or "")) or None,
            _text(row.values.get(user or "")),
        )


def _text(value: object) -> str:
    return "" if value is None else str(value)
