"""Groups that are parted by valleys of the density deeper than chance makes them."""

import numpy as np

from selflow.discover.families import Sample, hdbscan, reachability
from selflow.discover.features import Floats
from selflow.discover.persistence import Labels, depths

TAIL = 5
"""Valleys that follow a valley, by which its depth is measured."""
LEAST_TAIL = 0.05
"""Log distance: what valleys of chance differ by at least."""
RARE = 0.02
"""A valley counts if chance makes one so deep in fewer of the data sets."""
LEAST_DEPTH = 0.5
"""Log distance: shallower ones do not count, however smooth the rest is."""


def deep_valleys(sample: Sample) -> Labels | None:
    """(m,): the groups of HDBSCAN's tree that are parted by valleys deeper than chance makes them;
    None if there is no such valley.

    Cost: O(r^2) at most.
    """
    k = 1 + beyond_chance(depths(reachability(sample.rows)))
    return hdbscan(sample, [k], 0)[0] if k > 1 else None


def beyond_chance(depth: Floats) -> int:
    """How many of the deepest valleys chance does not make.

    Args:
        depth: (v,), falling, in log distance.

    Returns:
        The rank of the last one that lies farther above the next one than the deepest of valleys
        like the five below it would in 98 of 100 data sets.

    Chance's valleys are those of the same data, so a stroke, in which gaps are deep, is measured by
    strokes. Source: Renyi 1953: i times the distance from the i-th to the next is exponential, all
    with the same mean, if the tail of what is ordered is.
    """
    padded = np.append(depth, np.zeros(TAIL + 1))
    ranks = np.arange(1, TAIL + 1)
    last = 0
    for rank in range(len(depth)):
        below = padded[rank + 1 : rank + TAIL + 2]
        mean = max(float((ranks * (below[:-1] - below[1:])).mean()), LEAST_TAIL)
        is_rare = np.exp(-(padded[rank] - below[0]) / mean) < RARE
        if padded[rank] >= LEAST_DEPTH and is_rare:
            last = rank + 1
    return last
