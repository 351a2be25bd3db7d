"""A pattern keeps its name from one cycle to the next."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from selflow.discover.naming import EVERYTHING, Pattern, unique
from selflow.discover.persistence import Labels

SAME = 0.5


def identify(
    current: Sequence[Pattern],
    previous: Sequence[Pattern],
    shared: tuple[Labels, Labels] | None = None,
) -> tuple[Pattern, ...]:
    """The current patterns, each under the name of the previous pattern that it is most like, from
    0.5 on.

    Likeness is half the Jaccard index of steps, half the cosine of words; pairs are chosen together
    (Hungarian method). ``shared`` holds the same steps as the current and as the previous model
    assign them, those with noise are left out; without it the words alone decide. ``everything`` is
    nothing but itself.
    """
    from scipy.optimize import linear_sum_assignment

    likeness = np.array([_likeness(new, old, shared) for new in current for old in previous])
    likeness = likeness.reshape(len(current), len(previous))
    pairs = zip(*linear_sum_assignment(-likeness), strict=True)
    names = {new: previous[old].name for new, old in pairs if likeness[new, old] >= SAME}
    unnamed = [index for index in range(len(current)) if index not in names]
    names |= zip(
        unnamed,
        unique([current[index].name for index in unnamed], set(names.values())),
        strict=True,
    )
    return tuple(replace(pattern, name=names[index]) for index, pattern in enumerate(current))


def _likeness(new: Pattern, old: Pattern, shared: tuple[Labels, Labels] | None) -> float:
    if EVERYTHING in {new.name, old.name}:
        return float(new.name == old.name)
    ours, theirs = dict(new.terms), dict(old.terms)
    norms = float(np.linalg.norm([*ours.values()]) * np.linalg.norm([*theirs.values()]))
    cosine = sum(weight * theirs.get(term, 0) for term, weight in ours.items()) / max(norms, 1e-12)
    if shared is None:
        return cosine
    known = (shared[0] >= 0) & (shared[1] >= 0)
    a, b = shared[0][known] == new.number, shared[1][known] == old.number
    return 0.5 * int((a & b).sum()) / max(1, int((a | b).sum())) + 0.5 * cosine
