"""Gradient boosting of symmetric trees, in numpy: of quantiles, and of a probability.

A symmetric tree asks the same question of all rows on a level, so that a row's leaf is a number
whose bits are its answers: fast to fit by histograms, and one row takes microseconds.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_BINS = 32
_MAX_DEPTH, _ROWS_PER_LEAF = 6, 20
"""Of few rows trees are less deep, so that a leaf holds twenty of them on average."""
_TREES = 60
_RATE = 0.1
_RIDGE = 50.0
"""Rows at gradient 0 that every leaf starts with: a split of few rows gains little."""

Gradient = Callable[[Floats], Floats]
LeafValues = Callable[[Ints, Floats], Floats]


@dataclass(frozen=True, slots=True)
class SymmetricTrees:
    """A sum of trees. ``features``, ``thresholds``: (trees, depth); ``leaves``: (trees, 2^6)."""

    start: float
    features: Ints
    thresholds: Floats
    leaves: Floats

    def predict(self, row: Sequence[float]) -> float:
        """The sum for one row; what is missing (NaN) answers no. Cost: about 20 us."""
        says_yes = np.asarray(row, float)[self.features] > self.thresholds
        leaf = says_yes @ (1 << np.arange(self.features.shape[1]))
        return self.start + float(self.leaves[np.arange(len(leaf)), leaf].sum())


def fit_quantile(rows: Floats, outcomes: Floats, quantile: float) -> SymmetricTrees:
    """Trees whose sum is the quantile of the outcome, by the pinball loss.

    Args:
        rows: (n, d); NaN where a feature is missing.
        outcomes: (n,).
        quantile: Between 0 and 1.

    Cost: O(trees depth n d); about 0.3 s for n = 10,000, d = 12.
    Source: Friedman 2001; a leaf moves to the quantile of what is left over in it.
    """

    def gradient(said: Floats) -> Floats:
        return np.where(outcomes > said, quantile, quantile - 1.0)

    def values(leaf: Ints, said: Floats) -> Floats:
        return _leaf_quantiles(leaf, outcomes - said, quantile)

    return _boost(rows, float(np.quantile(outcomes, quantile)), gradient, values)


def fit_probability(rows: Floats, outcomes: Floats) -> SymmetricTrees:
    """Trees whose sum is the log odds that the outcome is 1, by the log loss.

    Args:
        rows: (n, d); NaN where a feature is missing.
        outcomes: (n,), 0 or 1.

    Cost: as ``fit_quantile``. Source: Friedman 2001; a leaf takes one Newton step.
    """

    def gradient(said: Floats) -> Floats:
        return outcomes - probability(said)

    def values(leaf: Ints, said: Floats) -> Floats:
        p = probability(said)
        above = np.bincount(leaf, outcomes - p, 1 << _MAX_DEPTH)
        return above / (np.bincount(leaf, p * (1 - p), 1 << _MAX_DEPTH) + 0.25 * _RIDGE)

    mean = (outcomes.sum() + 1.0) / (len(outcomes) + 2.0)
    return _boost(rows, float(np.log(mean / (1 - mean))), gradient, values)


def probability(log_odds: Floats) -> Floats:
    """The logistic function, of any shape."""
    return 0.5 + 0.5 * np.tanh(0.5 * log_odds)


def _boost(rows: Floats, start: float, gradient: Gradient, values: LeafValues) -> SymmetricTrees:
    used = [number for number, column in enumerate(rows.T) if len(np.unique(column)) > 1] or [0]
    edges = [_edges(rows[:, number]) for number in used]
    columns = np.where(np.isnan(rows), -np.inf, rows)[:, used].T
    binned = np.stack(
        [np.searchsorted(edge, column) for edge, column in zip(edges, columns, strict=True)]
    )
    said = np.full(len(rows), start)
    features, thresholds, leaves = [], [], []
    for _ in range(_TREES):
        splits, leaf = _grow(binned, gradient(said))
        step = _RATE * values(leaf, said)
        said += step[leaf]
        features.append([used[feature] for feature, _ in splits])
        thresholds.append([edges[feature][bin_] for feature, bin_ in splits])
        leaves.append(step)
    return SymmetricTrees(start, np.array(features), np.array(thresholds), np.array(leaves))


def _edges(column: Floats) -> Floats:
    """(_BINS,): thresholds between bins, in ascending order; the last of them only infinity
    exceeds.
    """
    seen = column[np.isfinite(column)]
    inner = np.unique(np.quantile(seen, np.arange(1, _BINS) / _BINS)) if len(seen) else seen
    # A value equal to an edge lies below it: the largest value would split nothing off.
    inner = inner[inner < seen.max()] if len(seen) else inner
    low = np.finfo(float).min  # splits what is missing from all else
    return np.concatenate([[low], inner, np.full(_BINS - 1 - len(inner), np.inf)])


def _grow(binned: Ints, gradient: Floats) -> tuple[list[tuple[int, int]], Ints]:
    """The question of each level (is the bin of this feature above this one?), and each row's
    leaf.
    """
    leaf = np.zeros(binned.shape[1], np.intp)
    splits = []
    depth = max(1, min(_MAX_DEPTH, int(math.log2(max(len(gradient) / _ROWS_PER_LEAF, 2)))))
    for level in range(depth):
        gains = _gains(1 << level, leaf, binned, gradient)
        feature, bin_ = np.unravel_index(int(gains.argmax()), gains.shape)
        splits.append((int(feature), int(bin_)))
        leaf += (binned[feature] > bin_) << level
    return splits, leaf


def _gains(nodes: int, leaf: Ints, binned: Ints, gradient: Floats) -> Floats:
    """(d, _BINS): how much a split after each bin of each feature explains, over all nodes.

    Args:
        nodes: Of the level.
        leaf: (n,), below ``nodes``.
        binned: (d, n), from 0 to ``_BINS``.
        gradient: (n,).
    """
    shape = (len(binned), nodes, _BINS + 1)
    feature = np.arange(len(binned))[:, None] * nodes
    cell = ((feature + leaf) * (_BINS + 1) + binned).ravel()
    weights = np.tile(gradient, len(binned))
    n = np.bincount(cell, minlength=int(np.prod(shape))).reshape(shape).cumsum(2)
    total = np.bincount(cell, weights, int(np.prod(shape))).reshape(shape).cumsum(2)
    below, n_below = total[..., :-1], n[..., :-1]
    above, n_above = total[..., -1:] - below, n[..., -1:] - n_below
    gain = below**2 / (n_below + _RIDGE) + above**2 / (n_above + _RIDGE)
    return np.asarray(gain.sum(1))


def _leaf_quantiles(leaf: Ints, left_over: Floats, quantile: float) -> Floats:
    """(2^6,): of each leaf, shrunk as if ``_RIDGE`` rows more were right; 0 without rows."""
    order = np.lexsort((left_over, leaf))
    n = np.bincount(leaf, minlength=1 << _MAX_DEPTH)
    first = np.cumsum(n) - n
    position = first + np.floor(quantile * np.maximum(n - 1, 0)).astype(np.intp)
    found = left_over[order[np.minimum(position, len(order) - 1)]]
    return np.where(n > 0, found * n / (n + _RIDGE), 0.0)
