"""One progress bar on stderr, only where somebody can see it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from selflow.core.invocation import Invocation

Show = Callable[[int, int], None]
"""Takes how much is done, and how much there is in all (0: unknown)."""


@contextmanager
def progress(call: Invocation, label: str) -> Iterator[Show]:
    """Yield what moves the bar; without a terminal, or with ``--quiet``, it shows nothing. Rich
    loads on use.
    """
    if not call.may_animate:
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console = Console(file=call.err, no_color=not call.has_color)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
