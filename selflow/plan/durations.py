"""How long a task takes: quantiles, with and without its owner's estimate."""

import math
from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from selflow.plan.backoff import BackoffQuantiles, WindowQuantiles
from selflow.plan.boosting import SymmetricTrees, fit_quantile
from selflow.plan.shrunk import ShrunkMeans
from selflow.plan.task import Task

LOW, HALF, HIGH = 0.1, 0.5, 0.9
LEAST_ROWS = 200
"""Tasks with an outcome before the first trees; until then the windows answer alone."""
GROWTH = 1.4
"""New trees each time that there are so many times more outcomes than at the last."""
NEWEST_ROWS = 6_000
"""Trees see so many of the newest outcomes, so that 20,000 tasks stay under three minutes."""
_RECENT = 20
_SCORES = 300
_LEAST_SCORES = 50
_LOSS_DECAY = 0.997
_SHARPNESS = 1.0
_EXACT = 0.05
"""In log2: an outcome so near to the estimate is neither longer nor shorter."""


@dataclass(frozen=True, slots=True)
class DurationForecast:
    """Three quantiles in the unit of the table."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class Said:
    """What was said of a task, in log2 of the base, and what it was said from."""

    task: Task
    row: Sequence[float]
    answers: tuple[float, float, float]
    raw: tuple[float, float]
    forecast: DurationForecast


@dataclass(slots=True)
class _Conformal:
    """How much too narrow intervals were, by size of the task."""

    sizes: dict[Hashable, deque[float]] = field(default_factory=dict)

    def margin(self, size: Hashable) -> float:
        """What to widen by so that 80% of the newest intervals of this size had held.

        Source: conformalized quantile regression, Romano et al. 2019, Mondrian by size; here over
        a window of the past.
        """
        scores = self.sizes.get(size, ())
        if len(scores) < _LEAST_SCORES:
            scores = self.sizes.get("all", ())
        if len(scores) < _LEAST_SCORES:
            return 0.0
        rank = min(math.ceil(0.8 * (len(scores) + 1)), len(scores)) - 1
        return sorted(scores)[rank]

    def add(self, size: Hashable, score: float) -> None:
        for key in (size, "all"):
            self.sizes.setdefault(key, deque(maxlen=_SCORES)).append(score)


class DurationModel:
    """Learns log2(actual / base): the base is the estimate, or 1 for a model without estimates."""

    def __init__(self, *, uses_estimate: bool) -> None:
        self._uses_estimate = uses_estimate
        self._backoff = BackoffQuantiles()
        self._tags = ShrunkMeans()
        self._spreads = ShrunkMeans()
        self._shorter = ShrunkMeans()
        self._longer = ShrunkMeans()
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._rows: deque[Sequence[float]] = deque(maxlen=NEWEST_ROWS)
        self._outcomes: deque[float] = deque(maxlen=NEWEST_ROWS)
        self._n = 0
        self._due = float(LEAST_ROWS)
        self._trees: tuple[SymmetricTrees, ...] = ()
        self._losses = [0.0] * 3
        self._conformal = _Conformal()

    def backoff(self, task: Task) -> WindowQuantiles | None:
        """What tasks like this one took; None before the first outcome."""
        return self._backoff.find(self._keys(task))

    def say(self, task: Task) -> Said:
        """Forecast from the outcomes that were learned; the model stays as it is."""
        window = self.backoff(task)
        low, half, high = (
            (window.quantile(LOW), window.quantile(HALF), window.quantile(HIGH))
            if window
            else (-1.0, 0.0, 1.0)
        )
        row = self._row(task, (low, half, high))
        by_window = half
        if self._trees:
            low, half, high = sorted(trees.predict(row) for trees in self._trees)
        # Of the estimate itself, of the window and of the trees, which begin as the window.
        answers = (0.0, by_window, half)
        middle = self._blend(answers)
        margin = self._conformal.margin(self._size(task))
        base = self._base(task)
        forecast = DurationForecast(
            base * 2 ** min(low - margin, middle),
            base * 2**middle,
            base * 2 ** max(high + margin, middle),
        )
        return Said(task, row, answers, (low, high), forecast)

    def learn(self, said: Said) -> None:
        """Learn the outcome of a task that something was said of."""
        task = said.task
        if task.actual is None:
            return
        outcome = math.log2(task.actual / self._base(task))
        low, high = said.raw
        self._conformal.add(self._size(task), max(low - outcome, outcome - high))
        for number, answer in enumerate(said.answers):
            loss = abs(answer - outcome)
            self._losses[number] = _LOSS_DECAY * self._losses[number] + loss
        self._backoff.add(self._keys(task), outcome)
        self._spreads.add(task.tags, abs(outcome - self._tags.mean))
        self._tags.add(task.tags, outcome)
        self._shorter.add(task.tags, float(outcome < -_EXACT))
        self._longer.add(task.tags, float(outcome > _EXACT))
        self._recent.append(outcome)
        self._rows.append(said.row)
        self._outcomes.append(outcome)
        self._n += 1
        if self._n >= self._due:
            self._due *= GROWTH
            self._fit()

    def _fit(self) -> None:
        rows, outcomes = np.array(self._rows), np.array(self._outcomes)
        self._trees = tuple(fit_quantile(rows, outcomes, q) for q in (LOW, HALF, HIGH))

    def _blend(self, answers: Sequence[float]) -> float:
        """The median of the answers, weighted by what each lost lately.

        Source: exponential weights (Vovk 1990) with decayed losses; a median, because a third of
        all estimates is met to the minute, and a mean of answers would never say so.
        """
        first = 0 if self._uses_estimate else 1
        ranked = sorted(zip(answers[first:], self._losses[first:], strict=True))
        least = min(loss for _, loss in ranked)
        weights = [math.exp(-_SHARPNESS * (loss - least)) for _, loss in ranked]
        half = 0.5 * sum(weights)
        below = accumulate(weights)
        return next(answer for (answer, _), sum_ in zip(ranked, below, strict=True) if sum_ >= half)

    def _base(self, task: Task) -> float:
        return task.estimate if self._uses_estimate and task.estimate is not None else 1.0

    def _size(self, task: Task) -> Hashable:
        return round(math.log2(self._base(task)))

    def _keys(self, task: Task) -> list[Hashable]:
        """From the special to the general."""
        first = task.tags[:1]
        if not self._uses_estimate:
            return [task.tags, ("first", *first), ()]
        return [
            (task.tags, task.estimate),
            ("first", *first, task.estimate),
            ("estimate", task.estimate),
            (),
        ]

    def _row(self, task: Task, window: tuple[float, float, float]) -> list[float]:
        """(8 + 4 SLOTS,): the features that trees see."""
        recent = sum(self._recent) / len(self._recent) if self._recent else 0.0
        size = math.log2(self._base(task)) if self._uses_estimate else math.nan
        return [
            size,
            math.nan if task.priority is None else task.priority,
            *window,
            recent,
            self._shorter.mean,
            self._longer.mean,
            *self._tags.of(task.tags),
            *self._spreads.of(task.tags),
            *self._shorter.of(task.tags),
            *self._longer.of(task.tags),
        ]
