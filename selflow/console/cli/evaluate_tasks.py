"""``selflow eval tasks``: how long tasks take and which is started next, on a file alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selflow.console.cli.progress import progress
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable, table

if TYPE_CHECKING:
    from selflow.collect.progress import Progress
    from selflow.plan.table import TaskColumns, Unusable
    from selflow.plan.task import Task

MAX_TASKS = 500_000
"""All are held, to be sorted by time; at 4 ms each, so many take half an hour."""
_PARTS = {"duration": "durations", "next": "started next", "completion": "completed in 14 days"}


def _column(text: str, name: str | None = None) -> Any:  # noqa: ANN401  (typer names no type)
    names = () if name is None else (name,)
    return typer.Option(*names, metavar="COL", help=text)


_TIME = (
    "Column with the moment at which a task is judged: RFC 3339, a day such as 2004-02-26 or "
    "26-Feb-04, or a number since 1970."
)
_PRIORITY = "1 comes first, or H, M and L; default a column named priority."
_TAGS = "Column with tags, or several of one tag each, with commas."
_COMPLETED = "When it was completed: its duration is known only then."


def tasks(  # noqa: PLR0913, PLR0917  (one parameter for each option)
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV or JSON lines, also with .gz.")],
    time: Annotated[str, _column(_TIME)],
    id_: Annotated[str | None, _column("Rows of equal id are one task: the first.", "--id")] = None,
    estimate: Annotated[str | None, _column("Column with the owner's estimate.")] = None,
    actual: Annotated[str | None, _column("Column with the duration, in one unit.")] = None,
    tags: Annotated[str | None, _column(_TAGS)] = None,
    priority: Annotated[str | None, _column(_PRIORITY)] = None,
    created: Annotated[str | None, _column("When a task was noted; default --time.")] = None,
    started: Annotated[str | None, _column("When it was started: judges what is next.")] = None,
    completed: Annotated[str | None, _column(_COMPLETED)] = None,
    user: Annotated[
        str | None, _column("Column with the user; each has a separate history.")
    ] = None,
    *,
    completion: Annotated[
        bool,
        typer.Option("--completion", help="Judge also the chance of completion within 14 days."),
    ] = False,
) -> None:
    """Predict how long each task takes and which is started next from what was known before.

    In time order, for the models and the simple rules.
    """
    from selflow.collect.progress import Progress
    from selflow.plan.evaluate import evaluate_tasks
    from selflow.plan.table import TaskColumns, Unusable

    call: Invocation = ctx.obj
    if completion and completed is None:
        raise UsageError("--completion without --completed", "name the column with --completed")
    of_tags = tuple(name for name in (tags or "").split(",") if name)
    columns = TaskColumns(
        time, id_, estimate, actual, of_tags, priority, created, started, completed, user
    )
    reading, unusable = Progress(), Unusable()
    rows = _tasks(file, columns, reading, unusable)
    with progress(call, f"evaluating {printable(file.name)}") as show:
        document = evaluate_tasks(rows, with_completion=completion, progress=show)
    _note(call, reading, unusable)
    call.show(document, _lines(document))


def _tasks(
    path: Path, columns: "TaskColumns", reading: "Progress", unusable: "Unusable"
) -> "Iterator[Task]":
    """Rows with a moment; the others are counted in ``reading``."""
    from selflow.collect.tables import read_rows
    from selflow.plan.table import task_from

    for number, row in enumerate(read_rows(path, columns.names, reading)):
        if number == MAX_TASKS:
            raise UsageError(
                f"{printable(str(path))} holds more than {MAX_TASKS:,} rows", "name a part of it"
            )
        if number == 0:
            columns = columns.with_priority(list(row.values))
        try:
            task = task_from(row.values, columns, unusable)
        except (ValueError, OverflowError):
            reading.skip(row.line)
        else:
            yield task


def _note(call: Invocation, reading: "Progress", unusable: "Unusable") -> None:
    if reading.bad_rows:
        call.note(f"{reading.bad_rows:,} rows skipped: no time or invalid")
    if unusable.moments:
        call.note(f"{unusable.moments:,} cells hold no moment and count as missing")
    if unusable.durations:
        call.note(f"{unusable.durations:,} durations are not above 0 and count as missing")


def _lines(document: dict[str, Any]) -> Iterator[str]:
    for part, by_name in document.items():
        if not by_name:
            continue
        names = list(next(iter(by_name.values())))
        yield from table(
            [_PARTS[part], *names],
            [
                [name, *("-" if value is None else value for value in figures.values())]
                for name, figures in by_name.items()
            ],
        )
