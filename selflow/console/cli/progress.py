"""One progress bar on stderr, only where somebody can see it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from selflow.core.invocation import Invocation


@contextmanager
def progress(call: Invocation, label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Yield ``advance(steps)``; without a terminal, or with ``--quiet``, it shows nothing. Rich loads on use."""
    if not call.may_animate:
        yield lambda _steps: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=call.err, no_color=not call.has_color)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)
