"""MicroClusters-clusters of windows, what partitions agree on, and where to cut."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.families import Labels
from selflow.discover.features import Floats
from selflow.discover.windows import Ints

K_MIN, K_MAX = 4, 24
MIN_SHARE = 0.01
LEAST_OWN = 0.5
MOST_CUTS = 200


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
    """k-means to about 4 sqrt(n) groups of at least 3 windows on average.

    A window is sparse if its 10th neighbour is farther than the median + 4 MAD of all; a group with
    more than half of its windows sparse is left out. This looks at the geometry of ``x`` (n, 16)
    alone, before any family.
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
    """(m, m) share of the partitions (p, m) that keep two points together; noise casts no vote, and
    none is 0.

    Cost: O(p m^2) time, about 16 m^2 bytes. Source: Fred and Jain 2005, evidence accumulation; our
    noise has no vote.
    """
    together, seen = np.zeros((2, labels.shape[1], labels.shape[1]))
    for row in labels:
        votes = row >= 0
        seen += np.outer(votes, votes)
        together += (row[:, None] == row) & votes
    return together / np.maximum(seen, 1)


def consensus(together: Floats, mass: Floats) -> Labels:
    """(m,) average linkage on disagreement, cut at 4 to 24 clusters where lifetime times covered
    mass is largest.

    ``together`` is (m, m), ``mass`` (m,) the share of *all* windows. A cluster holds at least 1% of
    it and its members lie with it in half of the partitions; all else is noise. Weighing lifetime
    by what is covered keeps a cut from being chosen that lives long because it calls almost
    everything noise. 0 is the heaviest cluster.
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
