"""Five ways to cluster, each after its own idea of what a cluster is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.discover.features import Floats
from selflow.discover.mixture import fit_mixtures
from selflow.discover.persistence import Labels, MergeGraph, filled, persistent_cuts
from selflow.discover.windows import Ints

NEIGHBOURS = 15
"""Of a micro-cluster, in the graphs of ``spectral`` and ``density``."""
MIN_SAMPLES = 5
"""HDBSCAN's neighbourhood of a core point."""
MIN_GROUP = 0.02
"""Of the windows: a group of HDBSCAN's tree that holds fewer is not yet one."""
NEAR_FRACTION = 0.02
"""Of the windows: the nearest ones by which ``density`` measures."""


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


Family = Callable[[Sample, Sequence[int], int], Labels]
"""(sample, ks, seed) to (len(ks), m): labels for each number of clusters that is asked for; each is
at most m / 2. Same arguments, same answer.
"""
Families = Mapping[str, Family]
BY_VALLEYS = frozenset({"hdbscan", "density"})
"""Families by which a cluster is what valleys of the density part from the rest."""
BY_LINKS = BY_VALLEYS | {"spectral"}
"""Families by which a cluster is what hangs together, whatever its shape."""


def hdbscan(sample: Sample, ks: Sequence[int], _seed: int) -> Labels:
    """The k groups of HDBSCAN's tree of the windows that are most persistent.

    Returns:
        (len(ks), m), at most k labels and no noise: a window outside of their cores goes to the
        nearest; a micro-cluster takes the label that most of its windows have, or its nearest
        window if it has none.

    Cost: O(r^2) at most.
    Source: Campello, Moulavi and Sander 2013 (the tree of mutual reachability); cut at k by
    persistence, where they choose by excess of mass and leave the rest out as noise.
    """
    cores = persistent_cuts(reachability(sample.rows), ks)
    return np.array([_by_majority(sample, filled(core, sample.rows)) for core in cores], np.int32)


def spectral(sample: Sample, ks: Sequence[int], seed: int) -> Labels:
    """Connected regions of the 15-nearest-neighbour graph of the micro-clusters.

    Returns:
        (len(ks), m), k labels and no noise.

    Cost: O(m^3).
    Source: Ng, Jordan and Weiss 2001, with the local scales of Zelnik-Manor and Perona 2004.
    """
    from scipy.linalg import eigh
    from sklearn.cluster import KMeans

    squared, near = _neighbours(sample.points)
    m, edge = len(near), (np.arange(len(near))[:, None], near[:, 1:])
    scale = np.sqrt(squared[edge][:, near.shape[1] // 2 - 1]) + 1e-12
    graph = np.zeros_like(squared)
    graph[edge] = np.exp(-squared[edge] / np.outer(scale, scale)[edge])
    graph = np.maximum(graph, graph.T)
    root = 1 / np.sqrt(graph.sum(1) + 1e-12)
    vectors = eigh(graph * np.outer(root, root), subset_by_index=[m - max(ks), m - 1])[1][:, ::-1]
    rows = []
    for k in ks:
        own = vectors[:, :k] / (np.linalg.norm(vectors[:, :k], axis=1, keepdims=True) + 1e-12)
        means = KMeans(k, n_init=2, random_state=seed)
        rows.append(means.fit_predict(own, sample_weight=sample.mass))
    return np.array(rows, np.int32)


def gmm(sample: Sample, ks: Sequence[int], seed: int) -> Labels:
    """A mixture of normal distributions, fitted to the windows from Ward's groups on.

    Returns:
        (len(ks), m), the likeliest of at most k components for each micro-cluster; no noise.

    Cost: that of ``fit_mixtures``. Source: Dempster, Laird and Rubin 1977 (EM); the start by a tree
    is that of Fraley 1998.
    """
    starts = ward(sample, ks, seed)[:, sample.owner]
    return fit_mixtures(sample.rows, starts, sample.points)


def density(sample: Sample, ks: Sequence[int], _seed: int) -> Labels:
    """The k peaks of the windows' density over the micro-clusters that the deepest valleys part.

    Returns:
        (len(ks), m), at most k labels and no noise: what is outside of their cores goes to the
        nearest.

    The density is measured at each micro-cluster and half-way between neighbours, so that empty
    space between two groups shows however few micro-clusters lie along it.

    Cost: O(m r) at most.
    Source: Rodriguez and Laio 2014 (peaks), Chazal et al. 2013 (which of them count: those that
    persist); the valley half-way is ours.
    """
    points, edges = sample.points, _connected(sample.points)
    height = _thinness(sample.rows, points)
    between = _thinness(sample.rows, (points[edges[:, 0]] + points[edges[:, 1]]) / 2)
    level = np.maximum(between, height[edges].max(1))
    order = np.argsort(level, kind="stable")
    cores = persistent_cuts(MergeGraph(edges[order], level[order], height, 1), ks)
    return np.array([filled(core, points) for core in cores], np.int32)


def ward(sample: Sample, ks: Sequence[int], _seed: int) -> Labels:
    """Merge what adds least to the squares within, until k are left.

    Returns:
        (len(ks), m), at most k labels and no noise.

    Cost: O(m^2 d). Source: Ward 1963.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(sample.points, "ward")
    return np.array([fcluster(tree, k, "maxclust") - 1 for k in ks], np.int32)


FAMILIES: Families = {family.__name__: family for family in (hdbscan, spectral, gmm, density, ward)}


def reachability(rows: Floats) -> MergeGraph:
    """HDBSCAN's tree of windows (r, d), by log distance of mutual reachability.

    Cost: O(r^2) at most.
    """
    from hdbscan import HDBSCAN

    least = max(MIN_SAMPLES, round(MIN_GROUP * len(rows)))
    fit = HDBSCAN(
        least,
        min_samples=min(MIN_SAMPLES, len(rows) - 1),
        gen_min_span_tree=True,
        core_dist_n_jobs=1,
    ).fit(rows)
    tree = fit.minimum_spanning_tree_.to_numpy()
    tree = tree[np.argsort(tree[:, 2], kind="stable")]
    level = np.log(tree[:, 2] + 1e-12)
    return MergeGraph(tree[:, :2].astype(np.int64), level, np.zeros(len(rows)), least)


def _by_majority(sample: Sample, of_rows: Labels) -> Labels:
    """(m,) from (r,): the label most of a micro-cluster's windows have, else its nearest one's."""
    from scipy.spatial import KDTree

    votes = np.zeros((len(sample.points), of_rows.max() + 1), np.int32)
    np.add.at(votes, (sample.owner, of_rows), 1)
    labels: Labels = votes.argmax(1).astype(np.int32)
    silent = np.flatnonzero(votes.sum(1) == 0)
    if len(silent):
        labels[silent] = of_rows[KDTree(sample.rows).query(sample.points[silent])[1]]
    return labels


def _neighbours(points: Floats) -> tuple[Floats, Ints]:
    """(m, m) squared distances, and (m, 16) indices of each point's nearest, itself first."""
    norms = (points**2).sum(1)
    squared = np.maximum(norms[:, None] + norms - 2 * points @ points.T, 0)
    np.fill_diagonal(squared, -1)
    near = np.argsort(squared, axis=1, kind="stable")[:, : NEIGHBOURS + 1]
    np.fill_diagonal(squared, 0)
    return squared, near


def _thinness(rows: Floats, points: Floats) -> Floats:
    """(q,) log of the root mean square distance to the nearest fiftieth of the windows."""
    from sklearn.neighbors import NearestNeighbors

    count = min(max(round(NEAR_FRACTION * len(rows)), 8), len(rows))
    # A tree in a few dimensions, all pairs in 16: there a tree takes twice as long
    distance, _ = NearestNeighbors(n_neighbors=count).fit(rows).kneighbors(points)
    squared: Floats = (distance**2).mean(1)
    return np.log(squared + 1e-24) / 2


def _connected(points: Floats) -> Ints:
    """(e, 2): each point with its nearest neighbours, and what connects all: the minimum spanning
    tree.
    """
    from scipy.sparse.csgraph import minimum_spanning_tree

    squared, near = _neighbours(points)
    apart = np.sqrt(squared) + 1e-12
    np.fill_diagonal(apart, 0)
    spanning = minimum_spanning_tree(apart).nonzero()
    pairs = np.column_stack([np.repeat(near[:, 0], near.shape[1] - 1), near[:, 1:].ravel()])
    return np.unique(np.sort(np.vstack([pairs, np.transpose(spanning)]), axis=1), axis=0)
