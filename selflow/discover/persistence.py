"""Groups that valleys of the density keep apart: a merge tree, cut where the valleys are deepest."""

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
    on, once it holds ``least`` points.
    """

    edges: Ints
    level: Floats
    birth: Floats
    least: int


def persistent_cuts(graph: MergeGraph, ks: Sequence[int]) -> Labels:
    """The k groups that live longest, for each k.

    Args:
        graph: Connected. Where two groups meet, the one that was born later ends; its persistence
            is how much the level rose since its birth.
        ks: Numbers of groups.

    Returns:
        (len(ks), n), at most k labels in each row, no noise: all merges are made but those that
        would end the k - 1 most persistent groups.

    Cost: O(e log n) for the tree, O(n) for each k.
    Source: Edelsbrunner, Letscher and Zomorodian 2002 (persistence, the elder survives); Chazal et
    al. 2013 (clusters by it).
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    tree, persistence = _flooded(graph)
    order = np.argsort(-persistence, kind="stable")
    n, rows = len(graph.birth), []
    for k in ks:
        parting = order[: k - 1]
        kept = np.ones(len(tree), bool)
        kept[parting[persistence[parting] > 0]] = False
        pairs = tree[kept]
        links = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
        rows.append(connected_components(links, directed=False)[1])
    return np.array(rows, np.int32).reshape(-1, n)


def _flooded(graph: MergeGraph) -> tuple[Ints, Floats]:
    """The edges that joined two groups, and the persistence of the group that each of them ended."""
    n = len(graph.birth)
    parent, size = list(range(n)), [1] * n
    birth = [float(level) if graph.least <= 1 else np.inf for level in graph.birth]

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = parent[point]
        return point

    tree, persistence = [], []
    for (a, b), level in zip(graph.edges.tolist(), graph.level.tolist(), strict=True):
        elder, younger = sorted((root(a), root(b)), key=birth.__getitem__)
        if elder == younger:
            continue
        tree.append((a, b))
        persistence.append(level - birth[younger])
        parent[younger] = elder
        size[elder] += size[younger]
        if birth[elder] == np.inf and size[elder] >= graph.least:
            birth[elder] = level
    return np.array(tree, np.int64).reshape(-1, 2), np.array(persistence)
