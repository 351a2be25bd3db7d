"""A task as its owner noted it, and what became of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from typing import Generic, TypeVar

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Task:
    """One task. None is what nobody noted; moments are UTC microseconds.

    ``estimate`` and ``actual`` are durations above 0 in one unit, whichever. ``tags`` hold one
    text per slot, the same kind of tag in the same slot; empty where there is none. Of two
    priorities the smaller one comes first.
    """

    ts_us: int
    estimate: float | None = None
    actual: float | None = None
    tags: tuple[str, ...] = ()
    priority: float | None = None
    created_us: int | None = None
    started_us: int | None = None
    completed_us: int | None = None
    known_us: int | None = None
    """When the actual duration became known; None if nobody noted it."""
    user: str = ""
    id: str = ""

    @property
    def noted_us(self) -> int:
        """When it came onto the list."""
        return self.ts_us if self.created_us is None else self.created_us


def distinct(tasks: Iterable[Task]) -> list[Task]:
    """In time order, of each user the first row of each id; all rows without an id."""
    seen: set[tuple[str, str]] = set()
    chosen = []
    for task in sorted(tasks, key=lambda task: task.ts_us):
        key = (task.user, task.id)
        if not task.id or key not in seen:
            seen.add(key)
            chosen.append(task)
    return chosen


class Pending(Generic[Made]):
    """What was said of tasks, until their outcome is known."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Made]] = []
        self._n = 0

    def add(self, known_us: int, made: Made) -> None:
        """Keep what was said until the moment after which its outcome is known."""
        heappush(self._heap, (known_us, self._n, made))
        self._n += 1

    def before(self, ts_us: int) -> Iterator[Made]:
        """Take out what became known before this moment, in the order in which it did."""
        while self._heap and self._heap[0][0] < ts_us:
            yield heappop(self._heap)[2]


def by_moment(tasks: Sequence[Task]) -> Iterator[tuple[int, list[Task]]]:
    """Tasks in time order by their moment: of those of one moment none came before another."""
    for ts_us, same in groupby(tasks, key=lambda task: task.ts_us):
        yield ts_us, list(same)
