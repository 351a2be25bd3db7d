"""Symmetric trees against what they should find."""

import numpy as np

from selflow.plan.boosting import fit_probability, fit_quantile, probability


def test_quantiles_follow_a_feature_and_cover_their_share() -> None:
    rng = np.random.default_rng(3)
    rows = rng.uniform(size=(2000, 3))
    outcomes = 4.0 * (rows[:, 1] > 0.5) + rng.normal(size=2000)

    high = fit_quantile(rows, outcomes, 0.9)
    said = np.array([high.predict(row) for row in rows])

    assert 0.87 <= (outcomes <= said).mean() <= 0.93
    assert high.predict([0.5, 0.9, 0.5]) - high.predict([0.5, 0.1, 0.5]) > 3.0


def test_a_missing_feature_is_a_value_of_its_own() -> None:
    rng = np.random.default_rng(3)
    rows = rng.uniform(size=(1000, 2))
    rows[::2, 0] = np.nan
    outcomes = np.isnan(rows[:, 0]) * 3.0

    middle = fit_quantile(rows, outcomes, 0.5)

    assert middle.predict([np.nan, 0.5]) > 2.5
    assert middle.predict([0.5, 0.5]) < 0.5


def test_probabilities_follow_a_feature() -> None:
    rng = np.random.default_rng(3)
    rows = rng.uniform(size=(3000, 2))
    came = (rng.uniform(size=3000) < np.where(rows[:, 0] > 0.5, 0.8, 0.2)).astype(float)

    trees = fit_probability(rows, came)
    low, high = (probability(np.float64(trees.predict([x, 0.5]))) for x in (0.2, 0.8))

    assert abs(low - 0.2) < 0.06
    assert abs(high - 0.8) < 0.06


def test_equal_rows_have_the_quantile_of_all() -> None:
    trees = fit_quantile(np.zeros((101, 2)), np.arange(101.0), 0.5)

    assert trees.predict([0.0, 0.0]) == 50.0
