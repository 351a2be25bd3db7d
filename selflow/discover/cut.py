"""Which clusters to keep, of all that the families and their consensus propose."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from selflow.discover.consensus import (
    adjusted_rand,
    best_jaccard,
    by_mass,
    co_association,
    consensus_cuts,
    contingency,
)
from selflow.discover.families import BY_LINKS, BY_VALLEYS
from selflow.discover.features import Floats
from selflow.discover.persistence import Labels

K_MAX = 24
"""Clusters of a consensus: a choice of how many patterns an owner can tell apart."""
MIN_SHARE = 0.01
"""Of all windows, for a cluster."""
MAX_SHARE = 0.6
"""Of all windows, for a cluster that is kept for its own sake, whatever lies around it."""
VALID = 0.75
"""Jaccard index from which on a cluster counts as found again. Source: Hennig 2007."""
SURE = 0.85
"""Jaccard index from which on it counts as highly stable. Source: Hennig 2007."""
LEVEL = 0.1
"""A finer cut may be found again by so much less than the best one: the step from .75 to .85 that
Hennig 2007 calls highly stable.
"""


@dataclass(frozen=True, slots=True)
class Votes:
    """p fits of families to draws, each at c numbers of clusters, on m micro-clusters.

    ``family`` (p,) are names, ``labels`` (p, c, m) are -1 where a fit failed, ``unseen`` (p, m) is
    the mass of windows on days that a draw left out, ``mass`` (m,) each one's share of all windows.
    ``deep`` (m,) are groups that valleys of all windows part, deeper than chance makes them; None
    if there are none, or if windows are not independent.
    """

    family: Sequence[str]
    ks: Sequence[int]
    labels: Labels
    unseen: Floats
    mass: Floats
    deep: Labels | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """A partition of the micro-clusters, compared with what each family finds on unseen days.

    ``groups`` (m,), -1 is noise; ``index`` is its number of clusters in the votes; ``jaccard``
    (f, k) and ``rand`` (f,) are by family, in the order of ``families``.
    """

    groups: Labels
    index: int
    families: tuple[str, ...]
    jaccard: Floats
    rand: Floats

    @property
    def agreement(self) -> Floats:
        """(k,) J of each cluster: the mean over the families."""
        agreement: Floats = self.jaccard.mean(0)
        return agreement

    @property
    def sureness(self) -> float:
        """How well the families that look for valleys find the worst of the clusters again."""
        return float(self._found_by(BY_VALLEYS).mean(0).min(initial=1))

    @property
    def linked(self) -> float:
        """How well the better two of the families that look for what hangs together find the worst
        of the clusters again.
        """
        return float(np.sort(self._found_by(BY_LINKS), axis=0)[-2:].mean(0).min(initial=1))

    def _found_by(self, names: Collection[str]) -> Floats:
        rows = [name in names for name in self.families]
        jaccard: Floats = self.jaccard[rows] if any(rows) else self.jaccard
        return jaccard


@dataclass(frozen=True, slots=True)
class Chosen:
    """Clusters of m micro-clusters: ``groups`` (m,), the J of each by family (f, k), the cut that
    most of them are from.
    """

    groups: Labels
    jaccard: Floats
    base: Cut

    @property
    def agreement(self) -> Floats:
        """(k,) J of each cluster: the mean over the families."""
        agreement: Floats = self.jaccard.mean(0)
        return agreement


def compare(groups: Labels, index: int, votes: Votes) -> Cut:
    """A partition beside what each family finds at the same number of clusters.

    Cost: O(p m).
    """
    k = int(groups.max(initial=-1)) + 1
    families = tuple(dict.fromkeys(votes.family))
    jaccard, rand = np.zeros((len(families), k)), np.zeros(len(families))
    count = Counter(votes.family)
    for family, labels, unseen in zip(votes.family, votes.labels, votes.unseen, strict=True):
        row = families.index(family)
        table = contingency(groups, labels[index], unseen)
        jaccard[row, : len(table)] += best_jaccard(table)[:k] / count[family]
        rand[row] += adjusted_rand(table) / count[family]
    return Cut(groups, index, families, jaccard, rand)


def proposals(votes: Votes) -> list[Cut]:
    """The consensus of all fits, cut at each number of clusters, then each family's own consensus
    at that number. A cluster of under 1% of the windows is noise.

    Cost: O(p c m^2).
    """
    every = co_association(votes.labels.reshape(-1, votes.labels.shape[2]))
    cuts = [*enumerate(consensus_cuts(every, votes.ks))]
    for name in dict.fromkeys(votes.family):
        own = votes.labels[[family == name for family in votes.family]]
        for index, k in enumerate(votes.ks):
            cuts.append((index, consensus_cuts(co_association(own[:, index]), [k])[0]))
    return [compare(by_mass(groups, votes.mass, MIN_SHARE), index, votes) for index, groups in cuts]


def choose(votes: Votes, k_min: int) -> Chosen:
    """The finest valid cut that is nearly as sure as the surest one, and of what is not valid in it
    each cluster of another cut that is.

    A cut is as sure as the families that look for valleys find the worst of its clusters again, in
    their mean; it is valid from .75 on. The groups of valleys deeper than chance come before it if
    no cut is highly stable (.85), or if they are more than its own and two of the families that
    look for what hangs together find each of them again nearly as surely.

    If nothing is valid, the cut that most families agree with (median of the adjusted Rand index)
    is taken. Then each of its clusters with J < .75 in all families gives way to disjoint clusters
    of any cut, of at most 60% of the windows, with J >= .75, those first that exceed most what a
    single cluster of everything would score.

    If no cut has ``k_min`` to 24 clusters, everything is noise.

    Source: Hennig 2007 (.75); clusters of several levels instead of one flat cut: Campello et al.
    2013. That the finest one wins is ours: a coarser valid one is the union of its clusters.
    """
    cuts = proposals(votes)
    usable = [cut for cut in cuts if k_min <= cut.jaccard.shape[1] <= K_MAX]
    if not usable:
        return _nothing(votes)
    surest = max(cut.sureness for cut in usable)
    base = _base(usable, surest)
    deep = _deep(votes, k_min)
    if deep is not None and (surest < SURE or _refines(deep, base, surest)):
        return Chosen(deep.groups, deep.jaccard, deep)
    if surest >= VALID:
        return Chosen(base.groups, base.jaccard, base)
    return _with_valid_clusters(base, cuts, votes)


def _base(usable: Sequence[Cut], surest: float) -> Cut:
    if surest < VALID:
        return max(usable, key=lambda cut: float(np.median(cut.rand)))
    near = [cut for cut in usable if cut.sureness >= max(VALID, surest - LEVEL)]
    return max(near, key=lambda cut: (cut.jaccard.shape[1], cut.sureness))


def _deep(votes: Votes, k_min: int) -> Cut | None:
    """Groups of deep valleys as a cut; None if draws have no fits at their number."""
    k = 0 if votes.deep is None else int(votes.deep.max()) + 1
    if votes.deep is None or k not in votes.ks:
        return None
    cut = compare(by_mass(votes.deep, votes.mass, MIN_SHARE), votes.ks.index(k), votes)
    return cut if k_min <= cut.jaccard.shape[1] else None


def _refines(deep: Cut, base: Cut, surest: float) -> bool:
    is_finer = deep.jaccard.shape[1] > base.jaccard.shape[1]
    return is_finer and deep.linked >= max(VALID, surest - LEVEL)


def _with_valid_clusters(base: Cut, cuts: Sequence[Cut], votes: Votes) -> Chosen:
    groups, agreement = base.groups.copy(), base.agreement
    is_free = ~np.isin(groups, np.flatnonzero(agreement >= VALID))
    is_free |= groups < 0
    added: dict[int, Floats] = {}
    for _, cut, number in sorted(_islands(cuts, votes.mass), key=lambda item: -item[0]):
        members = cut.groups == number
        if is_free[members].all():
            is_free &= ~members
            own = int(groups.max()) + 1
            groups[members], added[own] = own, cut.jaccard[:, number]
    if not added:
        return Chosen(groups, base.jaccard, base)
    again = compare(groups, base.index, votes).jaccard
    for own, jaccard in added.items():
        again[:, own] = jaccard
    numbered = by_mass(groups, votes.mass, MIN_SHARE)
    order = [int(groups[numbered == number][0]) for number in range(int(numbered.max()) + 1)]
    return Chosen(numbered, again[:, order], base)


def _nothing(votes: Votes) -> Chosen:
    base = compare(np.full(len(votes.mass), -1, np.int32), 0, votes)
    return Chosen(base.groups, base.jaccard, base)


def _islands(cuts: Sequence[Cut], mass: Floats) -> list[tuple[float, Cut, int]]:
    """Clusters of any cut with J >= .75: by how far they exceed what everything together scores."""
    islands = []
    for cut in cuts:
        agreement = cut.agreement
        for number in np.flatnonzero(agreement >= VALID).tolist():
            share = float(mass[cut.groups == number].sum())
            if share <= MAX_SHARE:
                islands.append(
                    (share * (float(agreement[number]) - share) / (1 - share), cut, number)
                )
    return islands


def by_family(jaccard: Floats, families: Sequence[str]) -> list[Mapping[str, float]]:
    """J of each cluster by the name of the family."""
    return [dict(zip(families, column.tolist(), strict=True)) for column in jaccard.T]
