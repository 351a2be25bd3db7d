"""Figures of what was said of tasks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.plan.boosting import Floats
from selflow.plan.durations import DurationForecast

Figures = dict[str, float | int | None]
_BINS = 10


@dataclass(frozen=True, slots=True)
class DurationGrade:
    """One forecast; ``is_covered`` is None for one without an interval."""

    ts_us: int
    error: float
    error_log2: float
    is_covered: bool | None


def grade_duration(ts_us: int, said: DurationForecast | float, actual: float) -> DurationGrade:
    """Judge a forecast, or a single number."""
    if isinstance(said, DurationForecast):
        middle, is_covered = said.p50, said.p10 <= actual <= said.p90
    else:
        middle, is_covered = said, None
    error_log2 = abs(math.log2(middle / actual))
    return DurationGrade(ts_us, abs(middle - actual), error_log2, is_covered)


def duration_figures(grades: Sequence[DurationGrade]) -> Figures:
    """``n``, mean absolute error in the unit of the table and in log2, the share within a factor of
    two, and the share of outcomes in the interval of 80%; None without any.
    """
    logs = [grade.error_log2 for grade in grades]
    return {
        "n": len(grades),
        "mae": _mean([grade.error for grade in grades]),
        "mae_log2": _mean(logs),
        "within2": _mean([log <= 1.0 for log in logs]),
        "coverage80": _mean([grade.is_covered for grade in grades if grade.is_covered is not None]),
    }


@dataclass(frozen=True, slots=True)
class NextGrade:
    """One moment: where each start stood among what stayed open, and the share of the k starts
    among the first k.
    """

    ts_us: int
    percentiles: tuple[float, ...]
    precision: float


def grade_next(ts_us: int, scores: Sequence[float], chosen: Sequence[bool]) -> NextGrade:
    """Judge an order, the highest score first; equal scores stand in every order alike."""
    ranked, started = np.asarray(scores, float), np.array(chosen)
    rejected = np.sort(ranked[~started])
    below = np.searchsorted(rejected, ranked[started], "left")
    through = np.searchsorted(rejected, ranked[started], "right")
    k = int(started.sum())
    last = np.sort(ranked)[-k]
    is_first, is_tied = ranked > last, ranked == last
    hits = started[is_first].sum() + started[is_tied].mean() * (k - is_first.sum())
    percentiles = tuple(((below + through) / (2 * len(rejected))).tolist())
    return NextGrade(ts_us, percentiles, float(hits / k))


def next_figures(grades: Sequence[NextGrade]) -> Figures:
    """``n`` starts, the mean share of what stayed open that stood behind a start, and the mean over
    moments of the precision at k.
    """
    percentiles = [each for grade in grades for each in grade.percentiles]
    return {
        "n": len(percentiles),
        "mean_percentile": _mean(percentiles),
        "precision_at_k": _mean([grade.precision for grade in grades]),
    }


@dataclass(frozen=True, slots=True)
class ChanceGrade:
    """What was said of an event, and whether it came."""

    ts_us: int
    p: float
    is_true: bool


def chance_figures(grades: Sequence[ChanceGrade]) -> Figures:
    """``n``, the Brier score, the area under the ROC curve and the expected calibration error over
    ten bins of equally many.
    """
    p = np.array([grade.p for grade in grades])
    came = np.array([grade.is_true for grade in grades], float)
    if not len(p):
        return {"n": 0, "brier": None, "auc": None, "ece": None}
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, _BINS)
    gaps = [len(part) * abs(p[part].mean() - came[part].mean()) for part in parts if len(part)]
    return {
        "n": len(p),
        "brier": float(((p - came) ** 2).mean()),
        "auc": _area(p, came),
        "ece": float(sum(gaps) / len(p)),
    }


def _area(p: Floats, came: Floats) -> float | None:
    positive, negative = p[came > 0], np.sort(p[came == 0])
    if not len(positive) or not len(negative):
        return None
    below = np.searchsorted(negative, positive, "left")
    through = np.searchsorted(negative, positive, "right")
    return float((below + through).mean() / (2 * len(negative)))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
