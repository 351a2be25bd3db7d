"""What is started next: each start rejects the tasks that were open then."""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.plan.boosting import Floats
from selflow.plan.shrunk import ShrunkMeans
from selflow.plan.task import Task

_SHIPPED = (4.0, 1.0, -0.5, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0)
"""Weights before the first choice, in the order of ``_rows``: newer than the others, just noted,
age, smaller than the others, size near that of recent starts, stated priority, tags of recent
starts, tags that are started, noted near the last start.
"""
_RATE = 0.05
_RECENT = 5
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Ranking:
    """``scores``: (n,) of the open tasks, the likelier start higher; ``rows``: (n, d)."""

    scores: Floats
    rows: Floats


class ChoiceModel:
    """A conditional logit of starts, learned online.

    Priority is learned from what was preferred to what, never from what was completed: else easy
    tasks would become important ones.
    """

    def __init__(self) -> None:
        self.weights: Floats = np.array(_SHIPPED)
        self._squares: Floats = np.ones(len(_SHIPPED))
        self._recent: deque[Task] = deque(maxlen=_RECENT)
        self._started = ShrunkMeans()

    def rank(self, tasks: Sequence[Task], ts_us: int) -> Ranking:
        """Rank what is open at a moment."""
        rows = self._rows(tasks, ts_us)
        return Ranking(rows @ self.weights, rows)

    def learn(self, tasks: Sequence[Task], ranking: Ranking, chosen: Sequence[bool]) -> None:
        """Learn the starts of a moment; each is preferred to all that stayed open.

        Source: McFadden 1974; steps by AdaGrad.
        """
        picked = np.array(chosen)
        rejected = ranking.rows[~picked]
        for row in ranking.rows[picked]:
            offered = np.vstack([row, rejected])
            scores = offered @ self.weights
            p = np.exp(scores - scores.max())
            gradient = row - p @ offered / p.sum()
            self._squares += gradient**2
            self.weights = self.weights + _RATE * gradient / np.sqrt(self._squares)
        for task, is_chosen in zip(tasks, chosen, strict=True):
            self._started.add(task.tags, float(is_chosen))

    def see_start(self, task: Task) -> None:
        """A task was started, chosen from others or not."""
        self._recent.append(task)

    def _rows(self, tasks: Sequence[Task], ts_us: int) -> Floats:
        noted = [task.noted_us for task in tasks]
        age_days = np.array([(ts_us - moment) / _DAY_US for moment in noted])
        sizes = np.array([_size(task) for task in tasks])
        recent = [_size(task) for task in self._recent]
        usual = np.nanmean(recent) if any(map(math.isfinite, recent)) else 0.0
        last_us = self._recent[-1].noted_us if self._recent else None
        near = [
            0.0 if last_us is None else math.exp(-abs(moment - last_us) / (7 * _DAY_US))
            for moment in noted
        ]
        columns = [
            _ranks(-age_days),
            np.exp(-age_days / 3),
            np.log1p(age_days) / 4,
            _ranks(-sizes),
            -np.abs(np.nan_to_num(sizes - usual)) / 4,
            _ranks([-math.inf if task.priority is None else -task.priority for task in tasks]),
            [self._affinity(task) for task in tasks],
            [_mean(self._started.of(task.tags)) for task in tasks],
            near,
        ]
        return np.stack([np.asarray(column, float) for column in columns], 1)

    def _affinity(self, task: Task) -> float:
        """Share of the recent starts' tags that this task has too."""
        pairs = [
            tag == other
            for recent in self._recent
            for tag, other in zip(task.tags, recent.tags, strict=False)
        ]
        return sum(pairs) / len(pairs) if pairs else 0.0


def _size(task: Task) -> float:
    return math.nan if task.estimate is None else math.log2(task.estimate)


def _mean(values: Iterable[float]) -> float:
    found = [value for value in values if not math.isnan(value)]
    return sum(found) / len(found) if found else 0.0


def _ranks(values: Sequence[float] | Floats) -> Floats:
    """(n,) in [0, 1]: the share of the others that are smaller, ties half; missing is a tie."""
    given = np.nan_to_num(np.asarray(values, float), nan=np.nanmean([*values, 0.0]))
    if len(given) == 1:
        return np.full(1, 0.5)
    ordered = np.sort(given)
    below = np.searchsorted(ordered, given, "left")
    through = np.searchsorted(ordered, given, "right") - 1
    return np.asarray((below + through) / (2 * (len(given) - 1)))
