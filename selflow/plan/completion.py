"""Whether a task is completed in time: a hazard for each stretch of days, with censoring."""

import math
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.plan.boosting import SymmetricTrees, fit_probability, probability
from selflow.plan.shrunk import ShrunkMeans
from selflow.plan.task import Task

EDGES_DAYS = (0, 1, 2, 4, 7, 14)
"""Ends of the stretches; the first one is the day itself."""
DAY_US = 86_400_000_000
_LEAST_ROWS = 300
_GROWTH = 1.5
_NEWEST_ROWS = 15_000
"""Stretches of tasks that trees see; a task has three to four."""
_PSEUDO_COUNT = 10.0


@dataclass(frozen=True, slots=True)
class Chance:
    """The chance that a task is completed in each stretch, of those that reach it."""

    task: Task
    row: Sequence[float]
    hazards: tuple[float, ...]

    @property
    def by_horizon(self) -> float:
        """The chance that it is completed by the end of the last stretch."""
        return 1.0 - math.prod(1.0 - hazard for hazard in self.hazards)


def stretch_of(task: Task) -> int | None:
    """The stretch in which a task was completed; None if it was still open after the last one."""
    if task.completed_us is None:
        return None
    days = max(task.completed_us - task.ts_us, 0) // DAY_US
    return next((number for number, end in enumerate(EDGES_DAYS) if days <= end), None)


def known_by_us(task: Task) -> int:
    """When one can know at the latest whether it was completed within the last stretch."""
    return _over_us(task, len(EDGES_DAYS) - 1)


def ends_of(task: Task) -> Iterator[tuple[int, int, bool]]:
    """When one can know how each stretch ended that the task reached: (moment, stretch, was it
    completed).
    """
    last = stretch_of(task)
    for stretch in range(len(EDGES_DAYS)):
        if stretch == last and task.completed_us is not None:
            yield max(task.completed_us, task.ts_us), stretch, True
            return
        yield _over_us(task, stretch), stretch, False


def _over_us(task: Task, stretch: int) -> int:
    return task.ts_us + (EDGES_DAYS[stretch] + 1) * DAY_US


class ShrunkRates:
    """The baseline: the share that was completed, by tags and estimate, shrunk towards that by
    tags, and this towards that of all.
    """

    def __init__(self) -> None:
        self._sums: dict[Hashable, tuple[float, float]] = {}

    def say(self, task: Task) -> float:
        """The chance from what was learned."""
        rate = 0.5
        for key in self._keys(task):
            n, done = self._sums.get(key, (0.0, 0.0))
            rate = (done + _PSEUDO_COUNT * rate) / (n + _PSEUDO_COUNT)
        return rate

    def learn(self, task: Task, *, is_done: bool) -> None:
        """Learn what became of a task by the end of its last stretch."""
        for key in self._keys(task):
            n, done = self._sums.get(key, (0.0, 0.0))
            self._sums[key] = (n + 1.0, done + is_done)

    @staticmethod
    def _keys(task: Task) -> list[Hashable]:
        return [(), task.tags, (task.tags, task.estimate)]


class CompletionModel:
    """Learns each stretch of each task once it is over: a task that is open counts as open for as
    long as it has been, and never as a failure.

    Source: discrete-time hazards, Cox 1972 and Singer and Willett 1993; the hazard by boosted
    trees.
    """

    def __init__(self) -> None:
        self._done = [0.0] * len(EDGES_DAYS)
        self._reached = [0.0] * len(EDGES_DAYS)
        self._tags = [ShrunkMeans() for _ in EDGES_DAYS]
        self._rows: deque[Sequence[float]] = deque(maxlen=_NEWEST_ROWS)
        self._outcomes: deque[float] = deque(maxlen=_NEWEST_ROWS)
        self._n = 0
        self._due = float(_LEAST_ROWS)
        self._trees: SymmetricTrees | None = None

    def say(self, task: Task) -> Chance:
        """The chances from what was learned; the model stays as it is."""
        row = self._row(task)
        return Chance(task, row, tuple(self._hazard(n, row) for n in range(len(EDGES_DAYS))))

    def learn(self, chance: Chance, stretch: int, *, is_done: bool) -> None:
        """Learn how one stretch of a task ended that reached it."""
        self._reached[stretch] += 1
        self._done[stretch] += is_done
        self._tags[stretch].add(chance.task.tags, float(is_done))
        self._rows.append([float(stretch), *chance.row])
        self._outcomes.append(float(is_done))
        self._n += 1
        if self._n >= self._due:
            self._due *= _GROWTH
            self._trees = fit_probability(np.array(self._rows), np.array(self._outcomes))

    def _hazard(self, stretch: int, row: Sequence[float]) -> float:
        if self._trees is None:
            prior = 1.0 / (2.0 + stretch)
            weight = self._reached[stretch] + _PSEUDO_COUNT
            return (self._done[stretch] + _PSEUDO_COUNT * prior) / weight
        return float(probability(np.array(self._trees.predict([float(stretch), *row]))))

    def _row(self, task: Task) -> list[float]:
        """(2 + 2 (1 + SLOTS),): size, priority, and how the first day and the last stretch end."""
        size = math.nan if task.estimate is None else math.log2(task.estimate)
        priority = math.nan if task.priority is None else task.priority
        ends = (self._tags[0], self._tags[-1])
        return [size, priority, *(x for tags in ends for x in (tags.mean, *tags.of(task.tags)))]
