"""Mixtures that are fitted at once are those that scikit-learn fits one by one."""

from warnings import catch_warnings

import numpy as np
from numpy.typing import NDArray

from selflow.discover.mixture import EM_STEPS, LEAST_RISE, RIDGE, fit_mixtures


def groups(seed: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Rows of four overlapping groups, and three starts of 3, 5 and 8 components."""
    rng = np.random.default_rng(seed)
    middles = 2 * rng.standard_normal((4, 6))
    rows = middles[rng.integers(4, size=400)] + rng.standard_normal((400, 6))
    starts = [(rows @ rng.standard_normal((6, k))).argmax(1) for k in (3, 5, 8)]
    return rows, np.array(starts, np.int32)


def one_by_one(rows: NDArray[np.float64], start: NDArray[np.int32]) -> NDArray[np.int64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    _, own, size = np.unique(start, return_inverse=True, return_counts=True)
    parts = [rows[own == number] for number in range(len(size))]
    ridge = RIDGE * rows.var(0).mean()
    spread = np.array([np.cov(part.T, bias=True) for part in parts])
    mixture = GaussianMixture(
        len(size),
        reg_covar=ridge,
        tol=LEAST_RISE,
        max_iter=EM_STEPS,
        weights_init=size / len(rows),
        means_init=[part.mean(0) for part in parts],
        precisions_init=np.linalg.inv(spread + ridge * np.eye(rows.shape[1])),
        init_params="random_from_data",
        random_state=0,
    )
    with catch_warnings(action="ignore", category=ConvergenceWarning):
        likeliest: NDArray[np.int64] = mixture.fit(rows).predict(rows)
    return likeliest


def test_mixtures_fitted_at_once_are_those_of_scikit_learn() -> None:
    for seed in (1, 2, 3):
        rows, starts = groups(seed)
        for ours, start in zip(fit_mixtures(rows, starts, rows), starts, strict=True):
            assert (ours != one_by_one(rows, start)).mean() < 0.005


def test_a_mixture_is_the_same_whatever_is_fitted_beside_it() -> None:
    rows, starts = groups(4)

    assert np.array_equal(
        fit_mixtures(rows, starts, rows)[1:2], fit_mixtures(rows, starts[1:2], rows)
    )


def test_a_mixture_does_not_depend_on_where_the_rows_lie() -> None:
    rows, starts = groups(5)
    away = rows + 1e4

    assert np.array_equal(fit_mixtures(away, starts, away), fit_mixtures(rows, starts, rows))
