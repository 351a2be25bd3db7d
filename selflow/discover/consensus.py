"""Micro-clusters of windows, what partitions agree on, and the cuts that come of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.discover.features import Floats
from selflow.discover.persistence import Labels
from selflow.discover.windows import Ints

SPARSE_DEVIATIONS = 6
"""Median absolute deviations of the log distance to the tenth neighbour: what lies farther out than
this is noise. A normal distribution in two dimensions has 3% beyond 6.
"""
NEIGHBOUR = 10
REFERENCE = 10_000
"""Windows that neighbours are taken from, drawn where there are more: the distance to the tenth of
them tells the sparse from the rest as well, and not all pairs need be looked at.
"""


@dataclass(frozen=True, slots=True)
class MicroClusters:
    """m small groups of n windows that every family takes as points.

    ``owner`` (n,) is -1 for a window of a group that all families leave out; ``home`` (n,) is the
    nearest group that is not left out; ``distance`` (n,) is that to its centroid, ``thinness`` (n,)
    the log distance to the tenth neighbour.
    """

    centroids: Floats
    owner: Ints
    home: Ints
    distance: Floats
    thinness: Floats


def micro_clusters(x: Floats, seed: int) -> MicroClusters:
    """The small groups without those of which more than half of the windows are sparse among all.

    Args:
        x: (n, d), windows in the projection; n is at least 11.
        seed: Of k-means.

    This looks at the geometry of ``x`` alone, before any family.

    Cost: that of ``small_groups``, and 10,000 n d at most for the neighbours.
    """
    from scipy.spatial import KDTree

    owner, centroids = small_groups(x, seed)
    m, tenth = len(centroids), _tenth(x, seed)
    thinness = np.log(tenth + 0.1 * tenth.mean() + 1e-12)
    is_sparse = thinness > sparse_limit(thinness)
    size = np.bincount(owner, minlength=m)
    is_dense = (size > 0) & (2 * np.bincount(owner, is_sparse, m) <= size)
    index = np.where(is_dense, np.cumsum(is_dense) - 1, -1)
    distance, home = KDTree(centroids[is_dense]).query(x)
    return MicroClusters(centroids[is_dense], index[owner], home, distance, thinness)


def small_groups(x: Floats, seed: int) -> tuple[Ints, Floats]:
    """k-means to about 4 sqrt(n) groups, 200 to 2,000, of at least 3 windows on average.

    Args:
        x: (n, d), windows in the projection.
        seed: Of k-means.

    Returns:
        (n,) the group of each window, and (m, d) the middles.

    Cost: O(n m d) per pass.
    Source: mini-batch k-means, Sculley 2010, as scikit-learn implements it.
    """
    from sklearn.cluster import MiniBatchKMeans

    m = min(max(round(4 * len(x) ** 0.5), 200), len(x) // 3, 2000)
    means = MiniBatchKMeans(m, random_state=seed, n_init=3, batch_size=4096).fit(x)
    return means.labels_, means.cluster_centers_


def _tenth(x: Floats, seed: int) -> Floats:
    """(n,) distance to the tenth neighbour among 10,000 windows, itself left out."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng([seed, 2])
    chosen = np.sort(rng.permutation(len(x))[:REFERENCE])
    apart = NearestNeighbors(n_neighbors=NEIGHBOUR + 1).fit(x[chosen]).kneighbors(x)[0]
    is_chosen = np.isin(np.arange(len(x)), chosen)
    tenth: Floats = np.where(is_chosen, apart[:, NEIGHBOUR], apart[:, NEIGHBOUR - 1])
    return tenth


def sparse_limit(thinness: Floats) -> float:
    """Above it a window is sparse among those that are given; they need not be normal."""
    middle = np.median(thinness)
    deviation = np.median(np.abs(thinness - middle))
    return float(middle + SPARSE_DEVIATIONS * max(deviation, 0.05))


def co_association(labels: Labels) -> Floats:
    """Share of the partitions that keep two points together.

    Args:
        labels: (p, m), one row per partition; -1 is noise and casts no vote.

    Returns:
        (m, m), symmetric, in [0, 1]; 0 where no partition saw both points.

    Cost: O(p m^2) time, about 16 m^2 bytes.
    Source: Fred and Jain 2005, evidence accumulation; our noise has no vote.
    """
    m = labels.shape[1]
    together, seen = np.zeros((2, m, m), np.float32)
    for row in labels:
        votes = row >= 0
        seen += votes[:, None] & votes
        together += (row[:, None] == row) & votes
    return np.asarray(together / np.maximum(seen, 1), np.float64)


def consensus_cuts(together: Floats, ks: Sequence[int]) -> Labels:
    """Average linkage on disagreement, cut at each of ``ks`` clusters.

    Args:
        together: (m, m), from ``co_association``.
        ks: Numbers of clusters.

    Returns:
        (len(ks), m), at most k labels in each row, no noise.

    Cost: O(m^2).
    Source: Fred and Jain 2005.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    tree = linkage(squareform(1 - together, checks=False), "average")
    return np.array([fcluster(tree, k, "maxclust") - 1 for k in ks], np.int32)


def by_mass(groups: Labels, mass: Floats, least: float) -> Labels:
    """Numbered again: 0 is the heaviest; what weighs less than ``least`` becomes noise."""
    number = np.full(int(groups.max(initial=-1)) + 2, -1, np.int32)
    weight = np.bincount(groups + 1, mass, len(number))[1:]
    heavy = np.argsort(-weight, kind="stable")[: int((weight >= least).sum())]
    number[heavy + 1] = np.arange(len(heavy))
    return number[groups + 1]


def contingency(ours: Labels, theirs: Labels, mass: Floats) -> Floats:
    """(k, k') mass in common of each of our clusters with each of theirs; noise of either is left
    out. Cost: O(m).
    """
    used = (ours >= 0) & (theirs >= 0)
    shape = (int(ours.max(initial=0)) + 1, int(theirs.max(initial=0)) + 1)
    index = ours[used].astype(np.int64) * shape[1] + theirs[used]
    table: Floats = np.bincount(index, mass[used], shape[0] * shape[1]).astype(float)
    return table.reshape(shape)


def best_jaccard(table: Floats) -> Floats:
    """(k,) best Jaccard index of each of our clusters with one of theirs; 0 where ours is empty."""
    either = table.sum(1, keepdims=True) + table.sum(0) - table
    best: Floats = (table / np.maximum(either, 1e-12)).max(1)
    return best


def adjusted_rand(table: Floats) -> float:
    """Agreement of two partitions beyond chance; 0 if either is a single cluster.

    Source: Hubert and Arabie 1985.
    """

    def pairs(counts: Floats) -> float:
        return float((counts * (counts - 1)).sum() / 2)

    total = pairs(np.array([table.sum()]))
    ours, theirs = pairs(table.sum(1)), pairs(table.sum(0))
    expected, most = ours * theirs / max(total, 1e-12), (ours + theirs) / 2
    is_trivial = min(np.count_nonzero(table.sum(axis)) for axis in (0, 1)) < 2
    return 0.0 if is_trivial else (pairs(table) - expected) / max(most - expected, 1e-12)
