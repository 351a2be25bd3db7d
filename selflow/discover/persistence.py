"""Groups that valleys of the density keep apart: a merge tree, cut where they are deepest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.features import Floats
from selflow.discover.windows import Ints

Labels = NDArray[np.int32]
"""Numbers of clusters; -1 is noise."""


@dataclass(frozen=True, slots=True)
class MergeGraph:
    """n points, and e edges in the order in which they are flooded, the densest first.

    ``level`` (e,) rises as density falls. A group exists from ``birth`` (n,) of its densest point
    on if ``least`` is 1, else from the level at which it holds ``least`` points.
    """

    edges: Ints
    level: Floats
    birth: Floats
    least: int


@dataclass(frozen=True, slots=True)
class _Tree:
    """The n - 1 edges that joined two groups, their level, and the persistence of the group that
    each of them ended: how much the level rose since its birth.
    """

    edges: Ints
    level: Floats
    persistence: Floats


def persistent_cuts(graph: MergeGraph, ks: Sequence[int]) -> Labels:
    """The cores of the k groups that live longest, for each k.

    Args:
        graph: Connected. Where two groups meet, the one that was born later ends.
        ks: Numbers of groups.

    Returns:
        (len(ks), n), at most k labels in each row; -1 for what was flooded after a group first met
        another of the k: no valley says which of them it belongs to.

    Cost: O(e log n) for the tree, O(n) for each k.
    Source: Edelsbrunner, Letscher and Zomorodian 2002 (persistence, the elder survives); Chazal et
    al. 2013 (clusters by it).
    """
    tree, n = _flooded(graph), len(graph.birth)
    order = np.argsort(-tree.persistence, kind="stable")
    rows = []
    for k in ks:
        is_parting = np.zeros(len(tree.edges), bool)
        is_parting[order[: k - 1]] = tree.persistence[order[: k - 1]] > 0
        basin = _components(tree.edges[~is_parting], n)
        first = np.full(int(basin.max()) + 1, np.inf)
        for side in (0, 1):
            np.minimum.at(first, basin[tree.edges[is_parting, side]], tree.level[is_parting])
        is_inner = ~is_parting & (tree.level <= first[basin[tree.edges[:, 0]]])
        piece = _components(tree.edges[is_inner], n)
        size = np.bincount(piece)
        largest = np.zeros(len(first), np.int64)
        np.maximum.at(largest, basin, size[piece])
        rows.append(np.where(size[piece] == largest[basin], basin, -1))
    return np.array(rows, np.int32).reshape(-1, n)


def depths(graph: MergeGraph) -> Floats:
    """(v,) persistence of each group that ended in an older one, the deepest valley first; a group
    that never was (of fewer than ``least`` points, or born where it met the other) has none.
    """
    persistence = _flooded(graph).persistence
    return -np.sort(-persistence[persistence > 0])


def filled(labels: Labels, points: Floats) -> Labels:
    """Noise takes the label of its nearest labelled neighbour; (n,) and (n, d) to (n,)."""
    from scipy.spatial import KDTree

    has, lacks = np.flatnonzero(labels >= 0), np.flatnonzero(labels < 0)
    whole = labels.copy()
    if len(has) and len(lacks):
        whole[lacks] = labels[has[KDTree(points[has]).query(points[lacks])[1]]]
    return whole


def _components(edges: Ints, n: int) -> Ints:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    links = csr_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n))
    number: Ints = connected_components(links, directed=False)[1].astype(np.int64)
    return number


def _flooded(graph: MergeGraph) -> _Tree:
    n = len(graph.birth)
    parent, size = list(range(n)), [1] * n
    birth = [float(level) if graph.least <= 1 else np.inf for level in graph.birth]

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    edges, levels, persistence = [], [], []
    for (a, b), level in zip(graph.edges.tolist(), graph.level.tolist(), strict=True):
        elder, younger = sorted((root(a), root(b)), key=birth.__getitem__)
        if elder == younger:
            continue
        edges.append((a, b))
        levels.append(level)
        persistence.append(level - birth[younger])
        parent[younger] = elder
        size[elder] += size[younger]
        if birth[elder] == np.inf and size[elder] >= graph.least:
            birth[elder] = level
    return _Tree(np.array(edges, np.int64).reshape(-1, 2), np.array(levels), np.array(persistence))
