"""What an owner sees of a clustering: a map of its windows, and how far the families agree."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from selflow.discover.consensus import co_association, consensus_cuts, contingency
from selflow.discover.cut import Votes
from selflow.discover.features import Floats
from selflow.discover.persistence import Labels
from selflow.discover.windows import Ints

CONSENSUS = "consensus"
METHOD = "the first two main directions of the windows' features (multiple factor analysis)"
MAX_POINTS = 20_000
"""Of a map; of more windows a sample is drawn, cluster by cluster."""
COMPARED_WINDOWS = 10_000
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("label", "<i2")])
"""10 bytes; the page reads it so, and the table of the file's routes says it."""
DOCUMENT_FILE = "map.json"


@dataclass(frozen=True, slots=True)
class Views:
    """The clusters as each family alone sees them.

    ``names`` (f,) are the families, ``groups`` (f, m) their own clusters of the micro-clusters,
    numbered like that cluster of the consensus with which they share most; -1 where a family has
    none. ``home`` (n,) is the micro-cluster of each window. ``together`` (k, k) is the share of all
    partitions that keep two windows of these clusters together, on average. ``ami`` (f + 1, f + 1)
    compares the families, and the consensus as the last.
    """

    names: tuple[str, ...]
    groups: Labels
    home: Ints
    together: Floats
    ami: Floats


def views_of(votes: Votes, index: int, groups: Labels, home: Ints) -> Views:
    """The views of a consensus.

    Args:
        votes: All fits.
        index: Which number of clusters of the votes the consensus was compared at.
        groups: (m,), the consensus; -1 is noise.
        home: (n,), the micro-cluster of each window.

    Cost: O(f m^2): an average linkage per family, 0.2 s each for m = 2,000 (an estimate).
    Source: Fred and Jain 2005, within a family; AMI: Vinh, Epps and Bailey 2010.
    """
    names = tuple(dict.fromkeys(votes.family))
    k = int(groups.max(initial=-1)) + 1
    own = [
        _of_family(
            votes.labels[[family == name for family in votes.family], index], groups, votes.mass
        )
        for name in names
    ]
    rows = np.array(own, np.int32).reshape(len(names), len(groups))
    partitions = votes.labels[:, index]
    return Views(
        names,
        rows,
        home,
        _between_clusters(co_association(partitions), groups, votes.mass, k),
        _agreement([*rows, groups], home),
    )


def map_files(
    x: Floats, labels: Labels, views: Views, names: Mapping[int, str], parts: Mapping[int, str]
) -> dict[str, bytes]:
    """The map and what is said beside it, by file name.

    Args:
        x: (n, 2) at least, windows in the projection.
        labels: (n,), the cluster of each window as its owner has it; -1 is noise.
        views: Of the same windows.
        names: Of the patterns, by number.
        parts: The same before their owner merged any.
    """
    chosen = sample(labels, MAX_POINTS)
    of_view = {
        CONSENSUS: labels,
        **{
            name: groups[views.home] for name, groups in zip(views.names, views.groups, strict=True)
        },
    }
    document: dict[str, Any] = {
        "method": METHOD,
        "windows": len(labels),
        "points": len(chosen),
        "names": {str(number): name for number, name in sorted(names.items())},
        "views": [{"name": name, "k": len(np.unique(of[of >= 0]))} for name, of in of_view.items()],
        "together": {
            "names": [parts.get(number, "") for number in range(len(views.together))],
            "values": views.together.round(4).tolist(),
        },
        "agreement": {"names": [*views.names, CONSENSUS], "values": views.ami.round(4).tolist()},
    }
    files = {f"map-{name}.bin": _packed(x[chosen], of[chosen]) for name, of in of_view.items()}
    return {**files, DOCUMENT_FILE: json.dumps(document, sort_keys=True).encode()}


def sample(labels: Labels, limit: int) -> Ints:
    """Indices of at most ``limit`` windows, evenly spaced in time within each cluster and within
    the noise, each with its share; all if they are no more.
    """
    n = len(labels)
    if n <= limit:
        return np.arange(n)
    chosen = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        count = max(1, len(own) * limit // n)
        chosen.append(own[np.linspace(0, len(own) - 1, count).astype(np.int64)])
    return np.sort(np.concatenate(chosen))[:limit]


def _packed(x: Floats, labels: Labels) -> bytes:
    points = np.empty(len(labels), POINT)
    points["x"], points["y"], points["label"] = x[:, 0], x[:, 1], labels
    return points.tobytes()


def _of_family(fits: Labels, consensus: Labels, mass: Floats) -> Labels:
    """(m,): what a family's fits agree on at the consensus's number of clusters, numbered after it;
    -1 everywhere if all fits failed.
    """
    from scipy.optimize import linear_sum_assignment

    done = fits[fits.max(axis=1, initial=-1) >= 0]
    k = int(consensus.max(initial=-1)) + 1
    if not len(done) or k < 1:
        return np.full_like(consensus, -1)
    (own,) = consensus_cuts(co_association(done), [k])
    table = contingency(own, consensus, mass)
    number = np.arange(len(table)) + table.shape[1]
    ours, theirs = linear_sum_assignment(-table)
    number[ours] = theirs
    numbered: Labels = number[own].astype(np.int32)
    return numbered


def _between_clusters(together: Floats, groups: Labels, mass: Floats, k: int) -> Floats:
    """(k, k): means over pairs of windows, by the mass of their micro-clusters."""
    member = np.zeros((k, len(groups)))
    used = groups >= 0
    member[groups[used], np.flatnonzero(used)] = mass[used]
    weight = member.sum(1)
    means: Floats = member @ together @ member.T / np.maximum(np.outer(weight, weight), 1e-12)
    return means


def _agreement(partitions: list[Labels], home: Ints) -> Floats:
    """Adjusted mutual information of each pair, on at most 10,000 windows that are in a cluster of
    both; 0 where there is none.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    n = len(home)
    some = home[np.linspace(0, n - 1, min(n, COMPARED_WINDOWS)).astype(np.int64)]
    rows = [labels[some] for labels in partitions]
    ami = np.zeros((len(rows), len(rows)))
    for first, ours in enumerate(rows):
        for second, theirs in enumerate(rows[: first + 1]):
            used = (ours >= 0) & (theirs >= 0)
            if used.any():
                score = float(adjusted_mutual_info_score(ours[used], theirs[used]))
                ami[first, second] = ami[second, first] = score
    return ami
