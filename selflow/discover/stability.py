"""Agreement that cannot be faked: five families must find a cluster again on days that they did not
see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from selflow.discover.consensus import (
    K_MAX,
    K_MIN,
    MicroClusters,
    co_association,
    consensus,
    micro_clusters,
)
from selflow.discover.families import Families, Labels, Sample
from selflow.discover.features import Blocks, Floats, columns_of, fit_axes, one_thread, stacked
from selflow.discover.windows import Ints

COLUMNS_FRACTION = 0.7
"""Of each block, in one draw."""
ROWS = 1000
"""Windows that a family sees in one draw: its cost grows with their square."""
MOST_NOISE = 0.3
"""Of the mass: a partition that calls more of it noise finds nothing."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Measured:
    """A clustering of n windows: cluster of each micro-cluster (groups) and window (labels), and
    what is agreed on.

    ``agreement`` (k,) is J: the mean over families and bootstraps of a cluster's Jaccard index on
    days not seen; ``coverage`` the share of all windows that are in a cluster, ``s`` the sum over
    clusters of that share times J. ``families`` holds k, AMI and ARI with the consensus by family,
    and the type of the error by which a fit failed.
    """

    mean: Floats
    axes: Floats
    micro: MicroClusters
    groups: Labels
    labels: Labels
    agreement: Floats
    s: float
    coverage: float
    families: dict[str, dict[str, float | str]]


@dataclass(frozen=True, slots=True)
class _Draw:
    """One family's bootstrap: ``inside`` are the micro-clusters on its days, ``points`` (m, 16) all
    in its columns.
    """

    name: str
    seed: int
    sample: Sample
    inside: Ints
    points: Floats
    is_out: NDArray[np.bool_]


class _Fits:
    """Fits families to draws, counts them for ``progress`` and keeps which family raised what."""

    def __init__(self, families: Families, planned: int, progress: Progress | None) -> None:
        self._families = families
        self._planned = planned
        self._progress = progress
        self._done = 0
        self.errors: dict[str, str] = {}

    def labels(self, draw: _Draw, k: int) -> Labels:
        """(m,): each micro-cluster's cluster; -1 outside of the draw and where a fit failed."""
        labels = np.full(len(draw.points), -1, np.int32)
        try:
            labels[draw.inside] = self._families[draw.name](
                draw.sample, min(k, len(draw.inside) // 2), draw.seed
            )
        except Exception as error:  # noqa: BLE001  (a failed fit counts 0 and the report names it)
            self.errors.setdefault(draw.name, type(error).__name__)
        self._done += 1
        if self._progress:
            self._progress(self._done, self._planned)
        return labels


@one_thread()
def measured(
    blocks: Blocks,
    day: Ints,
    bootstraps: int,
    seed: int,
    families: Families,
    progress: Progress | None = None,
) -> Measured:
    """The consensus over draws of days and columns, and its agreement.

    Args:
        blocks: (n, width) each.
        day: (n,), the day on which each window's session began.
        bootstraps: Draws per family.
        seed: All draws depend on it, on the family's name and on the draw's number alone.
        families: By name.
        progress: Called with the fits done and those there are.

    Each draw is fitted twice: with its own number of clusters for the consensus, with the shared
    one for the agreement. A family that raises casts no vote, counts 0 and is named in the report.

    Cost: 2 x bootstraps fits per family. Source: Fred and Jain 2005 (consensus), Hennig 2007 (J);
    here J is out of bag.
    """
    mean, axes = fit_axes(blocks, np.ones(len(day)))
    micro = micro_clusters((stacked(blocks) - mean) @ axes, seed)
    draws = [
        _draw(name, number, blocks, day, micro, seed)
        for name in families
        for number in range(bootstraps)
    ]
    fits = _Fits(families, 2 * len(draws), progress)
    jitter = np.exp(
        np.random.default_rng([seed, 2]).uniform(np.log(K_MIN), np.log(K_MAX + 1), len(draws))
    ).astype(int)
    together = co_association(
        np.array([fits.labels(draw, int(k)) for draw, k in zip(draws, jitter, strict=True)])
    )
    mass = np.bincount(micro.owner + 1, minlength=len(together) + 1)[1:] / len(day)
    groups = consensus(together, mass)
    labels = np.where(micro.is_near, groups[micro.owner], -1).astype(np.int32)
    k = int(groups.max(initial=-1)) + 1
    again = [(draw, _filled(fits.labels(draw, k), draw)[micro.owner]) for draw in draws if k]
    jaccard = [_recovered(labels, theirs, draw.is_out, k) for draw, theirs in again]
    agreement = np.mean(jaccard, axis=0) if k else np.zeros(0)
    share = np.bincount(labels + 1, minlength=k + 1)[1:] / len(day)
    own = {name: [theirs for draw, theirs in again if draw.name == name] for name in families}
    reports = {
        name: {**_likeness(labels, own[name]), "error": fits.errors.get(name, "")}
        for name in families
    }
    s, coverage = float(share @ agreement), float(share.sum())
    return Measured(mean, axes, micro, groups, labels, agreement, s, coverage, reports)


def _draw(
    name: str, number: int, blocks: Blocks, day: Ints, micro: MicroClusters, seed: int
) -> _Draw:
    rng = np.random.default_rng([seed, crc32(name.encode()), number])
    days, day_index = np.unique(day, return_inverse=True)
    times = np.bincount(rng.integers(len(days), size=len(days)), minlength=len(days))[day_index]
    columns = columns_of(blocks)
    keep = np.zeros(sum(map(len, columns)), bool)
    for own in columns:
        keep[rng.permutation(own)[: round(COLUMNS_FRACTION * len(own))]] = True
    mean, axes = fit_axes(blocks, times.astype(float), keep)
    x = (stacked(blocks) - mean) @ axes
    weight = np.where(micro.owner >= 0, times, 0)
    mass = np.asarray(np.bincount(micro.owner + 1, weight, len(micro.centroids) + 1), np.float64)
    # A group without a window on these days is placed by its other windows: it has no vote, but
    # will be compared.
    pull = np.where(mass[micro.owner + 1] > 0, weight, 1)
    sums = [np.bincount(micro.owner + 1, column, len(mass))[1:] for column in (pull, *(pull * x.T))]
    points = np.transpose(sums[1:]) / sums[0][:, None]
    inside = np.flatnonzero(mass[1:])
    # Without replacement: a window that is drawn twice would be a dense region of its own.
    order = np.argsort(rng.exponential(size=len(x)) / np.maximum(weight, 1e-9), kind="stable")
    rows = np.sort(order[: min(ROWS, np.count_nonzero(weight))])
    sample = Sample(
        points[inside], mass[1:][inside], x[rows], np.searchsorted(inside, micro.owner[rows])
    )
    return _Draw(name, int(rng.integers(2**31)), sample, inside, points, times == 0)


def _filled(labels: Labels, draw: _Draw) -> Labels:
    """Noise takes the label of its nearest labelled neighbour; if it is over 30% of the mass, all
    becomes noise.
    """
    has = np.flatnonzero(labels >= 0)
    if draw.sample.mass @ (labels[draw.inside] < 0) > MOST_NOISE * draw.sample.mass.sum():
        return np.full_like(labels, -1)
    apart = ((draw.points[:, None] - draw.points[has]) ** 2).sum(2)
    return np.where(labels < 0, labels[has[apart.argmin(1)]], labels)


def _recovered(labels: Labels, theirs: Labels, is_out: NDArray[np.bool_], k: int) -> Floats:
    """How well one fit recovers each cluster on the days that it was not drawn from.

    Args:
        labels: (n,), the consensus; -1 is noise.
        theirs: (n,), the fit's own labels.
        is_out: (n,), whether a window's day was not drawn.
        k: Clusters of the consensus.

    Returns:
        (k,), the best Jaccard index of each cluster with one of theirs. Cost: O(n + k k').
    """
    used = is_out & (labels >= 0) & (theirs >= 0)
    both = np.zeros((k, theirs.max(initial=0) + 1))
    np.add.at(both, (labels[used], theirs[used]), 1)
    either = both.sum(1, keepdims=True) + both.sum(0) - both
    best: Floats = (both / np.maximum(either, 1)).max(1)
    return best


def _likeness(labels: Labels, theirs: list[Labels]) -> dict[str, float | str]:
    """Mean number of clusters, AMI and ARI with the consensus on windows that are in a cluster; a
    failed fit is 0.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    used = labels >= 0
    fits = [row[used] for row in theirs if row.max(initial=-1) >= 0]
    measures = (lambda _, row: len(np.unique(row)), adjusted_mutual_info_score, adjusted_rand_score)
    means = [
        sum(measure(labels[used], row) for row in fits) / max(1, len(theirs))
        for measure in measures
    ]
    return dict(zip(("k", "ami", "ari"), map(float, means), strict=True))
