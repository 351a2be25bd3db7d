"""What became of each pattern of the last cycle, and under which name each of this one goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from selflow.discover.features import Floats
from selflow.discover.naming import EVERYTHING, Pattern, Terms, unique
from selflow.discover.persistence import Labels

SAME = 0.5
"""Likeness from which on two patterns are one, and the share of its steps with which a pattern
lives on. Source of the share: Spiliopoulou et al. 2006 (MONIC).
"""
HEIR = 0.25
"""Share of a split pattern's steps that each heir has at least. Source: the same."""
Change = Literal["survived", "split", "absorbed", "disappeared", "emerged", "returned"]


@dataclass(frozen=True, slots=True)
class Past:
    """What a cycle's patterns are compared with.

    ``patterns`` are those of the last cycle, ``shared`` (n,) and (n,) the same steps as the current
    and as the last model assign them, -1 for noise; None where that is not known, and words alone
    decide. ``absent`` are the words of each pattern that an earlier cycle found and the last one
    did not.
    """

    patterns: Sequence[Pattern] = ()
    shared: tuple[Labels, Labels] | None = None
    absent: Mapping[str, Terms] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no cycle has ever found a cluster."""
        return not self.absent and all(pattern.name == EVERYTHING for pattern in self.patterns)


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of ``pattern``, which the last cycle found, or how it came if that did not.

    ``into`` are the patterns of this cycle in which it lives on, ``likeness`` is its largest with
    one of the other cycle, whether or not that was enough.
    """

    pattern: str
    change: Change
    into: tuple[str, ...]
    likeness: float


@dataclass(frozen=True, slots=True)
class Identified:
    """Patterns under the names that they keep, and what became of all: those of the last cycle
    first.
    """

    patterns: tuple[Pattern, ...]
    transitions: tuple[Transition, ...]


def identify(current: Sequence[Pattern], past: Past) -> Identified:
    """The current patterns, each under the name of the earlier one that it is most like, from .5
    on, and with the number of cycles in a row that have found it; and what became of the earlier.

    Likeness is half the Jaccard index of steps, half the cosine of words; pairs are chosen together
    (Hungarian method). What is like none of the last cycle may be one of the absent, by its words.
    ``everything`` is nothing but itself, and has no transition.

    A pattern is split if several have a quarter of its steps each and half of them together; else
    it survived if one has its name; else it is absorbed if one has half of its steps; else it
    disappeared. Unlike in MONIC a split is told also where one heir keeps the name: what else came
    of the pattern did not emerge from nothing.

    Source: Spiliopoulou et al. 2006 (MONIC). Cost: O(patterns of both cycles x shared steps).
    """
    likeness = np.array([[_likeness(new, old, past) for old in past.patterns] for new in current])
    likeness = likeness.reshape(len(current), len(past.patterns))
    matches = _pairs(likeness)
    unlike = [i for i in range(len(current)) if i not in matches and current[i].name != EVERYTHING]
    absent = [*past.absent]
    by_words = np.zeros((len(current), len(absent)))
    for new in unlike:
        by_words[new] = [_cosine(current[new].terms, past.absent[name]) for name in absent]
    names = {new: past.patterns[old].name for new, old in matches.items()}
    names |= {new: absent[column] for new, column in _pairs(by_words).items()}
    taken = {*absent, *(pattern.name for pattern in past.patterns)} - {EVERYTHING}
    unnamed = [index for index in range(len(current)) if index not in names]
    names |= zip(unnamed, unique([current[index].name for index in unnamed], taken), strict=True)
    before = {pattern.name: pattern.alive_cycles or 0 for pattern in past.patterns}
    patterns = tuple(
        replace(pattern, name=names[new], alive_cycles=before.get(names[new], 0) + 1)
        for new, pattern in enumerate(current)
    )
    left = _departures(patterns, likeness, past)
    heirs = {name for transition in left for name in transition.into}
    came = (
        Transition(
            names[new],
            "returned" if names[new] in past.absent else "emerged",
            (names[new],),
            float(max([*likeness[new], *by_words[new]], default=0.0)),
        )
        for new in range(len(current))
        if names[new] != EVERYTHING and names[new] not in heirs
    )
    return Identified(patterns, (*left, *came))


def _departures(
    patterns: Sequence[Pattern], likeness: Floats, past: Past
) -> tuple[Transition, ...]:
    """What became of each pattern of the last cycle, but ``everything``."""
    return tuple(
        _departure(old, _shares(old, patterns, past.shared), patterns, likeness[:, index])
        for index, old in enumerate(past.patterns)
        if old.name != EVERYTHING
    )


def _departure(
    old: Pattern, shares: Mapping[str, float], patterns: Sequence[Pattern], likeness: Floats
) -> Transition:
    """``shares`` are its steps by the pattern that has them now, ``likeness`` is with each."""
    most = float(likeness.max(initial=0.0))
    heirs = tuple(name for name, share in shares.items() if share >= HEIR)
    if len(heirs) > 1 and sum(shares[name] for name in heirs) >= SAME:
        return Transition(old.name, "split", heirs, most)
    if any(pattern.name == old.name for pattern in patterns):
        return Transition(old.name, "survived", (old.name,), most)
    into = tuple(name for name in heirs if shares[name] >= SAME)
    return Transition(old.name, "absorbed" if into else "disappeared", into, most)


def _shares(
    old: Pattern, patterns: Sequence[Pattern], shared: tuple[Labels, Labels] | None
) -> dict[str, float]:
    """The part of an earlier pattern's steps that each current one has."""
    if shared is None:
        return {}
    own = shared[0][shared[1] == old.number]
    return {
        pattern.name: int((own == pattern.number).sum()) / max(1, len(own))
        for pattern in patterns
        if pattern.name != EVERYTHING
    }


def _pairs(likeness: Floats) -> dict[int, int]:
    """Row to column of the pairs that are alike enough, chosen together."""
    from scipy.optimize import linear_sum_assignment

    pairs = zip(*linear_sum_assignment(-likeness), strict=True)
    return {int(row): int(column) for row, column in pairs if likeness[row, column] >= SAME}


def _likeness(new: Pattern, old: Pattern, past: Past) -> float:
    if EVERYTHING in {new.name, old.name}:
        return float(new.name == old.name)
    cosine = _cosine(new.terms, old.terms)
    if past.shared is None:
        return cosine
    known = (past.shared[0] >= 0) & (past.shared[1] >= 0)
    a, b = past.shared[0][known] == new.number, past.shared[1][known] == old.number
    return 0.5 * int((a & b).sum()) / max(1, int((a | b).sum())) + 0.5 * cosine


def _cosine(new: Terms, old: Terms) -> float:
    ours, theirs = dict(new), dict(old)
    norms = float(np.linalg.norm([*ours.values()]) * np.linalg.norm([*theirs.values()]))
    return sum(weight * theirs.get(term, 0) for term, weight in ours.items()) / max(norms, 1e-12)
