"""Agreement that cannot be faked: five families must find a cluster again on days that they did not
see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from selflow.discover.consensus import MicroClusters, micro_clusters, sparse_limit
from selflow.discover.cut import K_MAX, Chosen, Votes, by_family, choose
from selflow.discover.families import Families, Sample
from selflow.discover.features import Blocks, Floats, columns_of, fit_axes, one_thread, stacked
from selflow.discover.persistence import Labels, filled
from selflow.discover.valleys import deep_valleys
from selflow.discover.windows import Ints

COLUMNS_FRACTION = 0.7
"""Of each block, in one draw ..."""
MIN_COLUMNS = 8
"""... but none is left out of a table with fewer: each may hold what no other does."""
ROWS = 1000
"""Windows that a family sees in one draw: its cost grows with their square."""
MOST_NOISE = 0.3
"""Of the mass: a partition that calls more of it noise finds nothing."""
LIKENESS_WINDOWS = 10_000
"""By which families are compared with the consensus, evenly chosen: a figure for the report."""
STREAM_KS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 19, K_MAX)
"""Numbers of clusters that are tried on a stream."""
TABLE_KS = (*range(2, 13), 14, 16, 18, 20, 22, K_MAX)
"""The same of a table, whose groups may be two and are more often few than many."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is tried: ``bootstraps`` per family, at each of ``ks`` clusters, of which a cut has
    at least ``k_min``; and what each block counts (``fit_axes``).
    """

    bootstraps: int
    ks: tuple[int, ...] = STREAM_KS
    k_min: int = 4
    balance: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """A clustering of n windows: cluster of each micro-cluster (groups) and window (labels), and
    what is agreed on.

    ``agreement`` (k,) is J: the mean over families and bootstraps of a cluster's Jaccard index on
    days not seen, ``jaccard`` (k) the same by family; ``coverage`` the share of all windows that
    are in a cluster, ``s`` the sum over clusters of that share times J. ``families`` holds k, AMI
    and ARI with the consensus by family, and the type of the error by which a fit failed.
    ``radius`` (m,) is the distance within which a later window belongs to a micro-cluster: that of
    99% of its cluster's windows, at least the median + 5 MAD of all.
    """

    mean: Floats
    axes: Floats
    micro: MicroClusters
    radius: Floats
    groups: Labels
    labels: Labels
    agreement: Floats
    jaccard: tuple[Mapping[str, float], ...]
    s: float
    coverage: float
    families: dict[str, dict[str, float | str]]
    votes: Votes
    """All fits, compared at the ``index``-th number of clusters"""
    index: int


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
    unseen: Floats


class _Fits:
    """Fits families to draws, counts them for ``progress`` and keeps which family raised what."""

    def __init__(self, families: Families, planned: int, progress: Progress | None) -> None:
        self._families = families
        self._planned = planned
        self._progress = progress
        self._done = 0
        self.errors: dict[str, str] = {}

    def labels(self, draw: _Draw, ks: Sequence[int]) -> Labels:
        """(c, m): each micro-cluster's cluster for each number of them; -1 where the fit failed."""
        labels = np.full((len(ks), len(draw.points)), -1, np.int32)
        possible = [min(k, len(draw.inside) // 2) for k in ks]
        try:
            labels[:, draw.inside] = self._families[draw.name](draw.sample, possible, draw.seed)
        except Exception as error:  # noqa: BLE001  (a failed fit counts 0 and the report names it)
            self.errors.setdefault(draw.name, type(error).__name__)
            labels[:] = -1
        self._done += 1
        if self._progress:
            self._progress(self._done, self._planned)
        return np.array([_filled(row, draw) for row in labels])


@one_thread()
def measured(
    blocks: Blocks,
    day: Ints,
    effort: Effort,
    seed: int,
    families: Families,
    progress: Progress | None = None,
) -> Measured:
    """The consensus over draws of days and columns, and its agreement.

    Args:
        blocks: (n, width) each.
        day: (n,), the day on which each window's session began.
        effort: Draws per family, and numbers of clusters.
        seed: All draws depend on it, on the family's name and on the draw's number alone.
        families: By name.
        progress: Called with the fits done and those there are.

    Each draw is fitted once, at all numbers of clusters; what is kept is compared at its own number
    with the fits at that number. A family that raises casts no vote, counts 0 and is named in the
    report.

    Cost: ``bootstraps`` fits per family. Source: Fred and Jain 2005 (consensus), Hennig 2007 (J);
    here J is out of bag.
    """
    mean, axes = fit_axes(blocks, np.ones(len(day)), balance=effort.balance)
    x = (stacked(blocks) - mean) @ axes
    micro = micro_clusters(x, seed)
    draws = [
        _draw(name, number, blocks, day, micro, seed, effort.balance)
        for name in families
        for number in range(effort.bootstraps)
    ]
    fits = _Fits(families, len(draws), progress)
    votes = _votes(draws, fits, effort.ks, micro, _deep(x, day, micro, seed))
    chosen = choose(votes, effort.k_min)
    groups, agreement = chosen.groups, chosen.agreement
    labels = _window_labels(groups, micro)
    share = np.bincount(labels + 1, minlength=len(agreement) + 1)[1:] / len(day)
    likeness = {name: _likeness(chosen, votes, micro, name) for name in families}
    return Measured(
        mean,
        axes,
        micro,
        _radius(groups, labels, micro),
        groups,
        labels,
        agreement,
        tuple(by_family(chosen.jaccard, chosen.base.families)),
        float(share @ agreement),
        float(share.sum()),
        {name: {**likeness[name], "error": fits.errors.get(name, "")} for name in families},
        votes,
        chosen.base.index,
    )


def _votes(
    draws: Sequence[_Draw],
    fits: _Fits,
    ks: Sequence[int],
    micro: MicroClusters,
    deep: Labels | None,
) -> Votes:
    """What all draws say at each number of clusters. Cost: a fit for each draw."""
    return Votes(
        tuple(draw.name for draw in draws),
        ks,
        np.array([fits.labels(draw, ks) for draw in draws]),
        np.array([draw.unseen for draw in draws]),
        np.bincount(micro.home, minlength=len(micro.centroids)) / len(micro.home),
        deep,
    )


def _draw(
    name: str,
    number: int,
    blocks: Blocks,
    day: Ints,
    micro: MicroClusters,
    seed: int,
    balance: Mapping[str, float],
) -> _Draw:
    rng = np.random.default_rng([seed, crc32(name.encode()), number])
    days, day_index = np.unique(day, return_inverse=True)
    times = np.bincount(rng.integers(len(days), size=len(days)), minlength=len(days))[day_index]
    columns = columns_of(blocks)
    keep = np.zeros(sum(map(len, columns)), bool)
    for own in columns:
        width = len(own) if len(keep) < MIN_COLUMNS else round(COLUMNS_FRACTION * len(own))
        keep[rng.permutation(own)[:width]] = True
    mean, axes = fit_axes(blocks, times.astype(float), keep, balance)
    x = (stacked(blocks) - mean) @ axes
    m = len(micro.centroids)
    weight = np.where(micro.owner >= 0, times, 0)
    mass = np.asarray(np.bincount(micro.owner + 1, weight, m + 1), np.float64)
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
    unseen = np.bincount(micro.home[times == 0], minlength=m).astype(float)
    return _Draw(name, int(rng.integers(2**31)), sample, inside, points, unseen)


def _deep(x: Floats, day: Ints, micro: MicroClusters, seed: int) -> Labels | None:
    """Groups that valleys of all windows part; None if several are of one day: they resemble each
    other, and groups of them are no chance.
    """
    if len(np.unique(day)) < len(day):
        return None
    used = np.flatnonzero(micro.owner >= 0)
    rows = np.sort(np.random.default_rng([seed, 4]).permutation(used)[:ROWS])
    mass = np.bincount(micro.owner[used], minlength=len(micro.centroids)).astype(float)
    return deep_valleys(Sample(micro.centroids, mass, x[rows], micro.owner[rows]))


def _filled(labels: Labels, draw: _Draw) -> Labels:
    """Noise takes the label of its nearest labelled neighbour; if it is over 30% of the mass, all
    becomes noise.
    """
    if draw.sample.mass @ (labels[draw.inside] < 0) > MOST_NOISE * draw.sample.mass.sum():
        return np.full_like(labels, -1)
    return filled(labels, draw.points)


def _window_labels(groups: Labels, micro: MicroClusters) -> Labels:
    """(n,): the cluster of the nearest micro-cluster; -1 where a window is sparse among those of
    its cluster.
    """
    labels = groups[micro.home].copy()
    for number in range(int(groups.max(initial=-1)) + 1):
        own = np.flatnonzero(labels == number)
        thinness = micro.thinness[own]
        labels[own[thinness > sparse_limit(thinness)]] = -1
    return labels


def _radius(groups: Labels, labels: Labels, micro: MicroClusters) -> Floats:
    """(m,): within which a later window belongs to the micro-cluster's cluster."""
    middle = np.median(micro.distance)
    usual = middle + 5 * np.median(np.abs(micro.distance - middle))
    radius = np.full(len(groups), usual)
    for number in range(int(groups.max(initial=-1)) + 1):
        own = micro.distance[labels == number]
        wide = np.quantile(own, 0.99) if len(own) else 0.0
        radius[groups == number] = max(usual, wide)
    return radius


def _likeness(
    chosen: Chosen, votes: Votes, micro: MicroClusters, name: str
) -> dict[str, float | str]:
    """Mean number of clusters, AMI and ARI with the consensus on at most 10,000 windows that are in
    a cluster; a failed fit is 0.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    n = len(micro.home)
    home = micro.home[np.linspace(0, n - 1, min(n, LIKENESS_WINDOWS)).astype(np.int64)]
    ours = chosen.groups[home]
    used = ours >= 0
    own = votes.labels[[family == name for family in votes.family], chosen.base.index]
    fits = [row[home][used] for row in own if row.max(initial=-1) >= 0]
    measures = (lambda _, row: len(np.unique(row)), adjusted_mutual_info_score, adjusted_rand_score)
    means = [sum(measure(ours[used], row) for row in fits) / len(own) for measure in measures]
    return dict(zip(("k", "ami", "ari"), map(float, means), strict=True))
