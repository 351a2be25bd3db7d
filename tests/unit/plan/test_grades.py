"""Figures by hand."""

import pytest

from selflow.plan.durations import DurationForecast
from selflow.plan.grades import (
    ChanceGrade,
    chance_figures,
    duration_figures,
    grade_duration,
    grade_next,
    next_figures,
)


def test_figures_of_durations() -> None:
    grades = [
        grade_duration(0, DurationForecast(1.0, 2.0, 4.0), 4.0),
        grade_duration(0, DurationForecast(1.0, 2.0, 4.0), 8.0),
    ]

    assert duration_figures(grades) == {
        "n": 2,
        "mae": 4.0,
        "mae_log2": 1.5,
        "within2": 0.5,
        "coverage80": 0.5,
    }


def test_a_number_without_an_interval_covers_nothing() -> None:
    assert duration_figures([grade_duration(0, 2.0, 2.0)])["coverage80"] is None


def test_figures_of_starts() -> None:
    first = grade_next(0, [3.0, 2.0, 1.0, 0.0], [True, False, True, False])

    assert first.percentiles == (1.0, 0.5)
    assert next_figures([first]) == {"n": 2, "mean_percentile": 0.75, "precision_at_k": 0.5}


def test_equal_scores_stand_in_every_order() -> None:
    tied = grade_next(0, [1.0, 1.0, 1.0, 1.0], [True, False, False, False])

    assert tied.percentiles == (0.5,)
    assert tied.precision == 0.25


def test_figures_of_chances() -> None:
    grades = [ChanceGrade(0, p, is_true) for p, is_true in ((0.9, True), (0.2, False), (0.4, True))]

    figures = chance_figures(grades)

    assert figures["brier"] == pytest.approx((0.01 + 0.04 + 0.36) / 3)
    assert figures["auc"] == 1.0
    assert chance_figures([])["brier"] is None
