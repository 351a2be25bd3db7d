"""Test, then train over a table of tasks: how well every rule would have answered."""

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from selflow.core.errors import UsageError
from selflow.plan.backoff import WINDOW, WindowQuantiles
from selflow.plan.choices import ChoiceModel
from selflow.plan.completion import (
    Chance,
    CompletionModel,
    ShrunkRates,
    ends_of,
    known_by_us,
    stretch_of,
)
from selflow.plan.durations import HALF, HIGH, LOW, DurationForecast, DurationModel, Said
from selflow.plan.grades import (
    ChanceGrade,
    DurationGrade,
    Figures,
    NextGrade,
    chance_figures,
    duration_figures,
    grade_duration,
    grade_next,
    next_figures,
)
from selflow.plan.replay import choices_of
from selflow.plan.task import Pending, Task, by_moment, distinct

Grade = TypeVar("Grade")
Grades = dict[str, list[Grade]]
Progress = Callable[[int, int], None]
DURATION_NAMES = ("model", "model_without_estimate", "own_estimate", "median", "backoff")
NEXT_NAMES = ("model", "newest_first", "priority", "smallest_first")
_ALL = 1_000_000_000


def evaluate_tasks(
    tasks: Iterable[Task], *, with_completion: bool = False, progress: Progress | None = None
) -> dict[str, dict[str, Figures]]:
    """Judge a table of tasks, in the shape of ``selflow eval tasks`` (docs/planner.md#figures).

    Args:
        tasks: In any order. Each user's past is their own; of the rows with one id the first in
            time counts.
        with_completion: Also the chance that a task is completed within 14 days.
        progress: Called with (tasks done, tasks in all) for the durations.

    Returns:
        ``{"duration": {NAME: {"n", "mae", "mae_log2", "within2", "coverage80"}}, "next": {NAME:
        {"n", "mean_percentile", "precision_at_k"}}}``; a part of which the table says nothing is
        empty. A figure without a case is None.

    Raises:
        UsageError: There is no task.

    Cost: about 2 ms per task.
    """
    chosen = distinct(tasks)
    if not chosen:
        raise UsageError("the file holds no tasks", "name a file with at least one row")
    durations = grade_durations(chosen, progress)
    starts = grade_starts(chosen)
    document = {
        "duration": {name: duration_figures(grades) for name, grades in durations.items()},
        "next": {name: next_figures(grades) for name, grades in starts.items()},
    }
    if with_completion:
        chances = grade_completion(chosen)
        document["completion"] = {name: chance_figures(grades) for name, grades in chances.items()}
    return document


def grade_durations(
    tasks: Sequence[Task], progress: Progress | None = None
) -> Grades[DurationGrade]:
    """Every task with an actual duration, by every rule; no name without any such task.

    What a task took is learned by later moments than that at which it became known: its completion,
    where the table names one. A task without that moment is judged and never learned.
    """
    grades: Grades[DurationGrade] = defaultdict(list)
    done, n = 0, len(tasks)
    for own in _by_user(tasks):
        models = _Durations()
        for ts_us, together in by_moment(own):
            models.learn_before(ts_us)
            for task in together:
                for name, grade in models.judge(task).items():
                    grades[name].append(grade)
            done += len(together)
            if progress is not None:
                progress(done, n)
    return {name: grades[name] for name in DURATION_NAMES} if grades else {}


class _Durations:
    """The rules on one user's tasks."""

    def __init__(self) -> None:
        self._with = DurationModel(uses_estimate=True)
        self._without = DurationModel(uses_estimate=False)
        self._actuals = WindowQuantiles(_ALL)
        self._pending: Pending[tuple[Said | None, Said, float]] = Pending()

    def learn_before(self, ts_us: int) -> None:
        for with_estimate, without, actual in self._pending.before(ts_us):
            if with_estimate is not None:
                self._with.learn(with_estimate)
            self._without.learn(without)
            self._actuals.add(math.log2(actual))

    def judge(self, task: Task) -> dict[str, DurationGrade]:
        """Grades by name; none without an actual duration."""
        actual = task.actual
        if actual is None:
            return {}
        without = self._without.say(task)
        said = None if task.estimate is None else self._with.say(task)
        if task.known_us is not None:
            self._pending.add(max(task.known_us, task.ts_us), (said, without, actual))
        answers: dict[str, DurationForecast | float] = {
            "model": (said or without).forecast,
            "model_without_estimate": without.forecast,
            "median": _quantiles(self._actuals, 1.0),
            "backoff": self._backoff(task),
        }
        if task.estimate is not None:
            answers["own_estimate"] = task.estimate
        return {name: grade_duration(task.ts_us, said, actual) for name, said in answers.items()}

    def _backoff(self, task: Task) -> DurationForecast:
        if task.estimate is None:
            return _quantiles(self._without.backoff(task), 1.0)
        return _quantiles(self._with.backoff(task), task.estimate)


def _quantiles(window: WindowQuantiles | None, base: float) -> DurationForecast:
    """Of log2 outcomes above a base; the base alone before the first."""
    logs = (window.quantile(q) for q in (LOW, HALF, HIGH)) if window else (0.0, 0.0, 0.0)
    p10, p50, p90 = (base * 2**log for log in logs)
    return DurationForecast(p10, p50, p90)


def grade_starts(tasks: Sequence[Task]) -> Grades[NextGrade]:
    """Every moment at which some of the open tasks were started and others were not; no name
    without any.
    """
    grades: Grades[NextGrade] = defaultdict(list)
    for own in _by_user(tasks):
        model = ChoiceModel()
        for choice in choices_of(own):
            if any(choice.chosen) and not all(choice.chosen):
                ranking = model.rank(choice.open_tasks, choice.ts_us)
                orders = {"model": ranking.scores.tolist(), **_orders(choice.open_tasks)}
                for name, scores in orders.items():
                    grades[name].append(grade_next(choice.ts_us, scores, choice.chosen))
                model.learn(choice.open_tasks, ranking, choice.chosen)
            for task in choice.started:
                model.see_start(task)
    return {name: grades[name] for name in NEXT_NAMES} if grades else {}


def _orders(tasks: Sequence[Task]) -> dict[str, list[float]]:
    """What simple rules would start first; what is not noted comes last."""
    return {
        "newest_first": [float(task.noted_us) for task in tasks],
        "priority": [_first_if_small(task.priority) for task in tasks],
        "smallest_first": [_first_if_small(task.estimate) for task in tasks],
    }


def _first_if_small(value: float | None) -> float:
    return -math.inf if value is None else -value


def grade_completion(tasks: Sequence[Task]) -> Grades[ChanceGrade]:
    """Whether each task was completed within the last stretch; those are left out of which the
    table ends before one can know.
    """
    end_us = max(moment for task in tasks for moment in (task.ts_us, task.completed_us or 0))
    grades: Grades[ChanceGrade] = defaultdict(list)
    for own in _by_user(tasks):
        rules = _Completion()
        for ts_us, together in by_moment(own):
            rules.learn_before(ts_us)
            for task in together:
                said = rules.say(task)
                if known_by_us(task) <= end_us:
                    is_done = stretch_of(task) is not None
                    for name, p in said.items():
                        grades[name].append(ChanceGrade(ts_us, p, is_done))
    return dict(grades)


class _Completion:
    """The rules on one user's tasks."""

    def __init__(self) -> None:
        self._model = CompletionModel()
        self._rates = ShrunkRates()
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._stretches: Pending[tuple[Chance, int, bool]] = Pending()
        self._labels: Pending[Task] = Pending()

    def learn_before(self, ts_us: int) -> None:
        for chance, stretch, is_done in self._stretches.before(ts_us):
            self._model.learn(chance, stretch, is_done=is_done)
        for task in self._labels.before(ts_us):
            is_done = stretch_of(task) is not None
            self._rates.learn(task, is_done=is_done)
            self._recent.append(float(is_done))

    def say(self, task: Task) -> dict[str, float]:
        chance = self._model.say(task)
        for known_us, stretch, is_done in ends_of(task):
            self._stretches.add(known_us, (chance, stretch, is_done))
        self._labels.add(known_by_us(task), task)
        recent = sum(self._recent) / len(self._recent) if self._recent else 0.5
        return {"model": chance.by_horizon, "shrunk": self._rates.say(task), "recent": recent}


def _by_user(tasks: Sequence[Task]) -> Iterable[list[Task]]:
    by_user: dict[str, list[Task]] = defaultdict(list)
    for task in tasks:
        by_user[task.user].append(task)
    return by_user.values()
