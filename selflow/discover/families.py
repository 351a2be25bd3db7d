"""Five ways to cluster, each after its own idea of what a cluster is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.features import Floats
from selflow.discover.windows import Ints

Labels = NDArray[np.int32]
"""Numbers of clusters; -1 is noise."""
NEIGHBOURS = 15
"""Of a micro-cluster, in the graph of ``spectral`` and the density of ``density``."""
MIN_SAMPLES = 5
"""HDBSCAN's neighbourhood of a core point."""
MIN_SHARES = (0.04, 0.024, 0.014, 0.0084, 0.005)
"""Smallest clusters that HDBSCAN may find, of the windows; each about 0.6 of the one before."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a family sees: m micro-clusters and r windows (rows), in d dimensions."""

    points: Floats
    """(m, d): the micro-clusters' centroids."""
    mass: Floats
    """(m,): windows of each."""
    rows: Floats
    """(r, d): windows."""
    owner: Ints
    """(r,): the micro-cluster of each window."""


Family = Callable[[Sample, int, int], Labels]
"""(sample, k, seed) to (m,) labels. Same arguments, same answer."""
Families = Mapping[str, Family]


def hdbscan(sample: Sample, k: int, _seed: int) -> Labels:
    """Dense regions of the windows; of five smallest sizes the one that finds nearest to ``k`` of
    them.

    Returns:
        (m,); a micro-cluster takes the label most of its windows have, -1 if that is noise.

    Cost: O(r^2) at most, five times. Source: Campello, Moulavi and Sander 2013.
    """
    from hdbscan import HDBSCAN

    sizes = [max(3, round(share * len(sample.rows))) for share in MIN_SHARES]
    fits = [
        HDBSCAN(size, min_samples=MIN_SAMPLES, core_dist_n_jobs=1).fit_predict(sample.rows)
        for size in sizes
    ]
    best = min(fits, key=lambda fit: abs(int(fit.max()) + 1 - k))
    votes = np.zeros((len(sample.points), best.max() + 2), np.int32)
    np.add.at(votes, (sample.owner, best + 1), 1)
    return _labels(votes.argmax(1) - 1)


def spectral(sample: Sample, k: int, seed: int) -> Labels:
    """Connected regions of the 15-nearest-neighbour graph of the micro-clusters.

    Returns:
        (m,), ``k`` labels and no noise.

    Cost: O(m^3).
    Source: Ng, Jordan and Weiss 2001, with the local scales of Zelnik-Manor and Perona 2004.
    """
    from scipy.linalg import eigh
    from sklearn.cluster import KMeans

    squared, near = _neighbours(sample.points)
    edge = (np.arange(len(near))[:, None], near[:, 1:])
    scale = np.sqrt(squared[edge][:, near.shape[1] // 2 - 1]) + 1e-12
    graph = np.zeros_like(squared)
    graph[edge] = np.exp(-squared[edge] / np.outer(scale, scale)[edge])
    graph = np.maximum(graph, graph.T)
    root = 1 / np.sqrt(graph.sum(1) + 1e-12)
    vectors = eigh(graph * np.outer(root, root), subset_by_index=[len(graph) - k, len(graph) - 1])[
        1
    ]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    return _labels(
        KMeans(k, n_init=4, random_state=seed).fit_predict(vectors, sample_weight=sample.mass)
    )


def gmm(sample: Sample, k: int, seed: int) -> Labels:
    """A mixture of normal distributions, fitted to the windows.

    Returns:
        (m,), the likeliest of ``k`` components for each micro-cluster; no noise.

    Cost: O(r k d^2) per iteration. Source: Dempster, Laird and Rubin 1977 (EM), as scikit-learn
    implements it, with a hundredth of the mean variance on the diagonal.
    """
    from sklearn.mixture import GaussianMixture

    ridge = 0.01 * sample.rows.var(0).mean() + 1e-9
    return _labels(
        GaussianMixture(k, reg_covar=ridge, tol=0.01, random_state=seed)
        .fit(sample.rows)
        .predict(sample.points)
    )


def density(sample: Sample, k: int, _seed: int) -> Labels:
    """Each micro-cluster follows its nearest denser one up to one of ``k`` peaks.

    Returns:
        (m,), ``k`` labels and no noise.

    Cost: O(m^2 d).
    Source: Rodriguez and Laio 2014; the density is that of the nearest neighbours by mass.
    """
    squared, near = _neighbours(sample.points)
    spread = np.average(np.take_along_axis(squared, near, 1), 1, sample.mass[near]) + 1e-12
    order = np.argsort(spread, kind="stable")
    parent, height = np.zeros(len(order), np.int64), np.full(len(order), np.inf)
    for rank, point in enumerate(order[1:], 1):
        parent[point] = order[squared[point, order[:rank]].argmin()]
        height[point] = squared[point, parent[point]]
    labels = np.full(len(order), -1, np.int32)
    labels[np.argsort(-height / spread, kind="stable")[:k]] = np.arange(k)
    for point in order:
        labels[point] = labels[point] if labels[point] >= 0 else labels[parent[point]]
    return labels


def ward(sample: Sample, k: int, _seed: int) -> Labels:
    """Merge what adds least to the squares within, until ``k`` are left.

    Returns:
        (m,), at most ``k`` labels and no noise.

    Cost: O(m^2 d). Source: Ward 1963.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    return _labels(fcluster(linkage(sample.points, "ward"), k, "maxclust") - 1)


FAMILIES: Families = {family.__name__: family for family in (hdbscan, spectral, gmm, density, ward)}


def _labels(labels: Ints) -> Labels:
    return np.asarray(labels, np.int32)


def _neighbours(points: Floats) -> tuple[Floats, Ints]:
    """(m, m) squared distances, and (m, 16) indices of each point's nearest, itself first."""
    squared = ((points[:, None] - points) ** 2).sum(2)
    return squared, np.argsort(squared, axis=1, kind="stable")[:, : NEIGHBOURS + 1]
