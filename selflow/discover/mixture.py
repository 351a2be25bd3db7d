"""Mixtures of normal distributions, several of them fitted at once by expectation maximisation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.features import Floats
from selflow.discover.persistence import Labels
from selflow.discover.windows import Ints

EM_STEPS = 10
"""Of a mixture, at most: it begins at groups that are given and need not go far."""
LEAST_RISE = 0.01
"""Nats per row: what the likelihood rises by at least, or the mixture is done."""
RIDGE = 0.01
"""Of the rows' mean variance, on the diagonal of each covariance."""
_Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Moments:
    """(r, q) rows as 1, their columns, and the products of two columns; so a sum of weighted rows
    holds mass, mean and covariance, and a log density is a product with coefficients.
    """

    rows: _Singles
    width: int

    @classmethod
    def of(cls, rows: Floats) -> "_Moments":
        first, second = np.triu_indices(rows.shape[1])
        parts = [np.ones((len(rows), 1)), rows, rows[:, first] * rows[:, second]]
        return cls(np.hstack(parts).astype(np.float32), rows.shape[1])

    def coefficients(self, sums: Floats, ridge: float) -> _Singles:
        """(c, q): log of weight and density of the components that these sums (c, q) describe."""
        d, (first, second) = self.width, np.triu_indices(self.width)
        mass = sums[:, :1] + 10 * np.finfo(float).eps
        mean, products = sums[:, 1 : d + 1] / mass, sums[:, d + 1 :] / mass
        covariance = np.empty((len(sums), d, d))
        covariance[:, first, second] = products
        covariance[:, second, first] = products
        covariance += ridge * np.eye(d) - mean[:, :, None] * mean[:, None, :]
        precision = np.linalg.inv(covariance)
        slope = np.einsum("cij,cj->ci", precision, mean)
        constant = (
            np.log(mass[:, 0] / len(self.rows))
            - (np.einsum("ci,ci->c", slope, mean) + np.linalg.slogdet(covariance)[1]) / 2
            - d * np.log(2 * np.pi) / 2
        )
        square = -precision[:, first, second]
        square[:, first == second] /= 2
        return np.hstack([constant[:, None], slope, square]).astype(np.float32)


def fit_mixtures(rows: Floats, starts: Labels, points: Floats) -> Labels:
    """The likeliest component of each point, for each of several mixtures.

    Args:
        rows: (r, d), what the mixtures are fitted to.
        starts: (p, r), the group of each row that a mixture begins with; one component per group.
        points: (m, d).

    Returns:
        (p, m), components numbered as the groups of the start, without gaps.

    Cost: O(r C d^2) per step for C components in all, at most 10 steps; all mixtures share two
    products of matrices per step, in single precision.
    Source: Dempster, Laird and Rubin 1977 (EM).
    """
    centre = rows.mean(0)
    moments, ridge = _Moments.of(rows - centre), RIDGE * rows.var(0).mean() + 1e-9
    dense = [np.unique(start, return_inverse=True)[1] for start in starts]
    counts = np.array([start.max() + 1 for start in dense])
    shares = np.zeros((len(rows), counts.sum()), np.float32)
    offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
    for start, offset in zip(dense, offsets, strict=True):
        shares[np.arange(len(rows)), start + offset] = 1
    sums = np.asarray(shares.T @ moments.rows, np.float64)
    fitted = moments.coefficients(sums, ridge)
    _maximise(moments, fitted, counts, ridge)
    scores = _Moments.of(points - centre).rows @ fitted.T
    ends = np.cumsum(counts)
    return np.array(
        [scores[:, end - count : end].argmax(1) for end, count in zip(ends, counts, strict=True)],
        np.int32,
    )


def _maximise(moments: _Moments, fitted: _Singles, counts: Ints, ridge: float) -> None:
    """EM in place on the coefficients (C, q) of all mixtures of so many components each, until the
    likelihood of each rises no more.
    """
    mixture = np.repeat(np.arange(len(counts)), counts)
    is_rising = np.ones(len(counts), bool)
    likelihood = np.full(len(counts), -np.inf)
    for _ in range(EM_STEPS):
        own = is_rising[mixture]
        scores = moments.rows @ fitted[own].T
        starts = np.concatenate([[0], np.cumsum(counts[is_rising])[:-1]])
        most = np.maximum.reduceat(scores, starts, axis=1)
        repeats = counts[is_rising]
        scores -= np.repeat(most, repeats, axis=1)
        np.exp(scores, out=scores)
        total = np.add.reduceat(scores, starts, axis=1)
        scores /= np.repeat(total, repeats, axis=1)
        sums = np.asarray(scores.T @ moments.rows, np.float64)
        fitted[own] = moments.coefficients(sums, ridge)
        now = (most + np.log(total)).mean(0)
        rise = np.abs(now - likelihood[is_rising])
        likelihood[is_rising] = now
        is_rising[is_rising] = rise >= LEAST_RISE
        if not is_rising.any():
            return
