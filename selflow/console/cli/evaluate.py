"""``selflow eval``: how good predictors are on a file alone. No SelFlow runs, nothing is
written.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from selflow.console.cli.evaluate_tasks import tasks
from selflow.console.cli.progress import progress
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table
from selflow.core.plugins import load_one

if TYPE_CHECKING:
    from selflow.collect.progress import Progress
    from selflow.predict.evaluate import GrowAgents, Row
    from selflow.text.evaluate import Models
    from selflow.text.evaluate import Row as LineRow

T = TypeVar("T")
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
MAX_TEXT_ROWS = 500_000
"""Of lines that are judged byte by byte: 20 ms each, and at most 1 KiB."""
_FIGURES = ("steps", "hit@1", "hit@5", "log_loss_bits", "ece")


@app.callback()
def judge() -> None:
    """Evaluate predictors on a file."""


app.command()(tasks)


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
            "--agents",
            help="Grow agents from the first half; as experts in the second they adapt online and "
            "are grown again after 70 and 85 %; each user has their own.",
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
    rows = _bounded(_rows(file, (time, label, group, user), reading), file, MAX_ROWS)
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


@app.command()
def text(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, also with .gz.")],
    time: Annotated[
        str,
        typer.Option(metavar="COL", help="Column with the time: RFC 3339, or a number since 1970."),
    ],
    text: Annotated[str, typer.Option(metavar="COL", help="Column with the line to predict.")],
    context: Annotated[
        str | None,
        typer.Option(metavar="COL,...", help="Columns known before the line, such as its folder."),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column with the user; each has a separate history."),
    ] = None,
    *,
    agents: Annotated[
        bool,
        typer.Option("--agents", help="Adapt the model to each user as the lines come."),
    ] = False,
) -> None:
    """Predict each line of a stream from those before it, byte by byte, then learn it.

    Bits, and the keystrokes that completions save, for the rules of shells, lines of the past, PPM,
    their mix, and the mix with the model that ships.
    """
    from selflow.collect.progress import Progress
    from selflow.text.evaluate import evaluate_lines
    from selflow.text.lines import MAX_LINE_BYTES

    call: Invocation = ctx.obj
    reading, too_long = Progress(), [0]
    columns = (time, text, tuple(context.split(",")) if context else (), user)
    rows = _bounded(_lines(file, columns, reading, too_long), file, MAX_TEXT_ROWS)
    with progress(call, f"evaluating {printable(file.name)}") as show:
        models = _models(call, agents=agents)
        cores = os.cpu_count() or 1
        document = evaluate_lines(rows, models=models, processes=cores, progress=show)
    if reading.bad_rows:
        call.note(f"{reading.bad_rows:,} rows skipped: no time, no text or invalid")
    if too_long[0]:
        call.note(f"{too_long[0]:,} rows skipped: longer than {MAX_LINE_BYTES:,} bytes")
    experts = document["experts"].items()
    names = list(next(iter(document["experts"].values())))
    call.show(
        document,
        table(
            ["expert", *names],
            [
                [name, *("-" if value is None else value for value in figures.values())]
                for name, figures in experts
            ],
        ),
    )


def _models(call: Invocation, *, agents: bool) -> "Models | None":
    """The model that ships, and with ``agents`` what adapts it; without a readable model the rules
    are judged alone.
    """
    from selflow.core.errors import ArtifactError
    from selflow.text.byte_model import shipped_base
    from selflow.text.evaluate import Models

    try:
        base = shipped_base()
    except ArtifactError as error:
        if agents:
            raise
        call.note(f"{error}; evaluating without it")
        return None
    return Models(base, adapts=agents)


def _grower(call: Invocation) -> "GrowAgents":
    """Agents need what the command line may not load: they come in by the entry-point group
    ``selflow.growers``.
    """
    grow = load_one("selflow.growers", "agents", "trainer of agents")
    return lambda steps: grow(steps, call.settings().settings, call.note)


def _bounded(rows: Iterator[T], file: Path, max_rows: int) -> Iterator[T]:
    for number, row in enumerate(rows):
        if number == max_rows:
            raise UsageError(
                f"{printable(str(file))} holds more than {max_rows:,} rows", "name a part of it"
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


def _lines(
    path: Path,
    columns: tuple[str, str, tuple[str, ...], str | None],
    reading: "Progress",
    too_long: list[int],
) -> "Iterator[LineRow]":
    """Rows with a moment and a text; the others are counted in ``reading``, those that are too long
    to be typed in ``too_long``.
    """
    from selflow.collect.importers.table import moment_us
    from selflow.collect.tables import read_rows
    from selflow.text.lines import MAX_LINE_BYTES

    time, text, context, user = columns
    for row in read_rows(path, [time, text, *context, *([user] if user else [])], reading):
        line = _text(row.values.get(text)).encode(errors="surrogatepass")
        try:
            ts_us = moment_us(row.values.get(time))
        except (ValueError, OverflowError):
            reading.skip(row.line)
            continue
        if not line:
            reading.skip(row.line)
        elif len(line) > MAX_LINE_BYTES:
            too_long[0] += 1
        else:
            around = "\x1f".join(_text(row.values.get(column)) for column in context)
            yield (
                ts_us,
                line,
                around.encode(errors="surrogatepass"),
                _text(row.values.get(user or "")),
            )


def _text(value: object) -> str:
    return "" if value is None else str(value)
