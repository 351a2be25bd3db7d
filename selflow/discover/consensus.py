"""Micro-clusters of windows, what partitions agree on, and where to cut."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.families import Labels
from selflow.discover.features import Floats
from selflow.discover.windows import Ints

K_MIN, K_MAX = 4, 24
"""Clusters of a consensus: a choice of how many patterns an owner can tell apart."""
MIN_SHARE = 0.01
"""Of all windows, for a cluster."""
LEAST_OWN = 0.5
"""Of the partitions, in which a member lies with its cluster."""
MOST_CUTS = 200
"""Clusters of the finest cut that is tried: bounds the cost."""


@dataclass(frozen=True, slots=True)
class MicroClusters:
    """m small groups of n windows that every family takes as points.

    ``owner`` (n,) is -1 for a window that all families leave out; ``is_near`` (n,) is false in a
    sparse region and farther than ``radius`` from the group's centroid.
    """

    centroids: Floats
    owner: Ints
    is_near: NDArray[np.bool_]
    radius: float


def micro_clusters(x: Floats, seed: int) -> MicroClusters:
    """k-means to about 4 sqrt(n) groups, 200 to 2,000, of at least 3 windows on average.

    Args:
        x: (n, d), windows in the projection; n is at least 11.
        seed: Of k-means.

    Returns:
        The groups, without those of which more than half of the windows are sparse. A window is
        sparse if its 10th neighbour is farther than the median + 4 MAD of all. This looks at the
        geometry of ``x`` alone, before any family.

    Cost: O(n m d) per pass of k-means, O(n^2 d) at most for the neighbours.
    Source: mini-batch k-means, Sculley 2010, as scikit-learn implements it.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.neighbors import NearestNeighbors

    m = min(max(round(4 * len(x) ** 0.5), 200), len(x) // 3, 2000)
    means = MiniBatchKMeans(m, random_state=seed, n_init=3, batch_size=4096).fit(x)
    owner, centroids = means.labels_, means.cluster_centers_
    tenth = NearestNeighbors(n_neighbors=11).fit(x).kneighbors(x)[0][:, -1]
    distance = np.linalg.norm(x - centroids[owner], axis=1)
    is_sparse, radius = tenth > _limit(tenth, 4), _limit(distance, 5)
    size = np.bincount(owner, minlength=m)
    is_dense = (size > 0) & (2 * np.bincount(owner, is_sparse, m) <= size)
    index = np.where(is_dense, np.cumsum(is_dense) - 1, -1)
    return MicroClusters(
        centroids[is_dense],
        index[owner],
        is_dense[owner] & ~is_sparse & (distance <= radius),
        radius,
    )


def _limit(values: Floats, deviations: float) -> float:
    middle = np.median(values)
    return float(middle + deviations * np.median(np.abs(values - middle)))


def co_association(labels: Labels) -> Floats:
    """Share of the partitions that keep two points together.

    Args:
        labels: (p, m), one row per partition; -1 is noise and casts no vote.

    Returns:
        (m, m), symmetric, in [0, 1]; 0 where no partition saw both points.

    Cost: O(p m^2) time, about 16 m^2 bytes.
    Source: Fred and Jain 2005, evidence accumulation; our noise has no vote.
    """
    together, seen = np.zeros((2, labels.shape[1], labels.shape[1]))
    for row in labels:
        votes = row >= 0
        seen += np.outer(votes, votes)
        together += (row[:, None] == row) & votes
    return together / np.maximum(seen, 1)


def consensus(together: Floats, mass: Floats) -> Labels:
    """Average linkage on disagreement, cut at 4 to 24 clusters where lifetime times covered mass is
    largest.

    Args:
        together: (m, m), from ``co_association``.
        mass: (m,), each point's share of *all* windows.

    Returns:
        (m,), the cluster of each point; 0 is the heaviest, -1 noise. A cluster holds at least 1% of
        the mass, and its members lie with it in half of the partitions; all else is noise. If no
        cut has 4 to 24 such clusters, everything is.

    Weighing lifetime by what is covered keeps a cut from being chosen that lives long because it
    calls almost everything noise.

    Cost: O(m^2) for the tree, O(m^2) for each of at most 196 cuts.
    Source: Fred and Jain 2005 (longest lifetime), weighed by mass as said.
    """
    from scipy.cluster.hierarchy import cut_tree, linkage
    from scipy.spatial.distance import squareform

    m = len(together)
    best, most = np.full(m, -1, np.int32), 0.0
    if m <= K_MIN:
        return best
    counts = np.arange(K_MIN, min(m, MOST_CUTS))
    tree = linkage(squareform(1 - together, checks=False), "average")
    heights = np.concatenate([[0.0], tree[:, 2]])
    for count, cut in zip(counts, cut_tree(tree, counts).T, strict=True):
        own = cut[:, None] == cut
        is_sure = (together * own).sum(1) >= LEAST_OWN * own.sum(1)
        weight = np.bincount(cut, mass * is_sure)
        heavy = np.argsort(-weight, kind="stable")[: (weight >= MIN_SHARE).sum()]
        excess = float((heights[m - count + 1] - heights[m - count]) * weight[heavy].sum())
        if K_MIN <= len(heavy) <= K_MAX and excess > most:
            number = np.full(len(weight), -1, np.int32)
            number[heavy] = np.arange(len(heavy))
            best, most = np.where(is_sure, number[cut], -1).astype(np.int32), excess
    return best
