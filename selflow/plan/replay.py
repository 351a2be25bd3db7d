"""Test, then train: tasks in time order, each judged before anything of its outcome is known."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selflow.plan.task import Task


@dataclass(frozen=True, slots=True)
class Choice:
    """A moment at which tasks were started, and what was open just before it."""

    ts_us: int
    open_tasks: tuple[Task, ...]
    chosen: tuple[bool, ...]
    """Of each open task: was it started at this moment?"""
    started: tuple[Task, ...]
    """All that were, also those that were noted at this very moment."""


def choices_of(tasks: Sequence[Task]) -> Iterator[Choice]:
    """The choices of one user. Open is what was noted before the moment and neither started nor
    completed before it; what is noted and started at one moment was not chosen from a list.
    """
    noted = sorted(tasks, key=lambda task: task.noted_us, reverse=True)
    starts: dict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        if task.started_us is not None:
            starts[task.started_us].append(task)
    pending: list[Task] = []
    for ts_us in sorted(starts):
        while noted and noted[-1].noted_us < ts_us:
            pending.append(noted.pop())
        pending = [task for task in pending if not _is_past(task, ts_us)]
        chosen = tuple(task.started_us == ts_us for task in pending)
        yield Choice(ts_us, tuple(pending), chosen, tuple(starts[ts_us]))


def _is_past(task: Task, ts_us: int) -> bool:
    return any(
        moment is not None and moment < ts_us for moment in (task.started_us, task.completed_us)
    )
