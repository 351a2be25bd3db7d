"""What the ranker sees of each candidate: what the count experts say, and what the label's own past
tells.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from selflow.predict.counts import CountAnswer
from selflow.predict.experts import View
from selflow.predict.memory import Seen, UserMemory
from selflow.predict.table import Evidence, Floats, Ids
from selflow.predict.vocabulary import common_traits

_NAMED_MEMBERS = 6
"""Members of the last step whose names are compared: likeness costs members x candidates."""
_NEVER_STEPS, _NEVER_US = 1000, 100_000_000_000_000
"""The age of a label that this user never used: beyond any real one (three years), yet finite."""
_FLOOR_P = 1e-7
"""A probability of 0 has no logarithm; 1e-7 is 23 bits, rarer than any label that is known."""
_FLOOR_SHARE = 0.01
"""Added to shares before their logarithm, so that never and almost never are close."""
STRUCTURAL = 32
"""How many features besides the log-probabilities; part of the shipped prior's schema."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the features are made from."""

    view: View
    memory: UserMemory
    counts: CountAnswer
    companions: Evidence
    self_shares: Callable[[Sequence[int]], Floats]
    """How often each label followed itself."""


class Ages(NamedTuple):
    """When each of n candidates came last and how often it came; (n,) each."""

    log_steps: Floats
    """Log of one more than the steps since its last use."""
    inverse_steps: Floats
    inverse_rank: Floats
    """One over its place among the recent labels, the last one being at 1."""
    log_rank: Floats
    log_seconds: Floats
    hazard_squared: Floats
    hazard: Floats
    """Log of the age in units of its own mean interval: 0 when it is due."""
    log_times: Floats
    is_never: Floats


class Shares(NamedTuple):
    """Logs of how often each of n candidates came after or with others; (n,) each."""

    best_follower: Floats
    """The largest share in what followed one member of the last step."""
    mean_follower: Floats
    companion: Floats
    """The mean share in what came together with the members of the last step."""
    best_companion: Floats
    of_itself: Floats


class Membership(NamedTuple):
    """Whether each of n candidates was in the last steps; (n,) each, 0 or 1."""

    is_last: Floats
    is_before: Floats


class Names(NamedTuple):
    """What the texts of n candidates have in common with the last step; (n,) each."""

    same_folder: Floats
    same_extension: Floats
    likeness: Floats
    same_kind: Floats


def log_probability_features(pool: Floats, p: Floats) -> Floats:
    """What the count experts say of each candidate, as logarithms.

    Args:
        pool: (n,), the count pool's probability of each candidate.
        p: (experts, n), each expert's.

    Returns:
        (n, 1 + experts): the log of the pool's probability, and how far each expert is from it.
    """
    log_pool = np.log(np.maximum(pool, _FLOOR_P))
    return np.concatenate([log_pool[None], np.log(np.maximum(p, _FLOOR_P)) - log_pool]).T


def structural_features(ids: Ids, candidates: Sequence[int], now: Situation) -> Floats:
    """What the past tells of each candidate, and what the situation makes of it.

    Args:
        ids: (n,), the candidates' label ids; ``candidates`` are the same as Python numbers.
        candidates: (n,).
        now: The moment.

    Returns:
        (n, STRUCTURAL): ages, shares, membership, names, then their products with the gap before
        the step (the log of seconds over ten), the size of the last step and its membership. The
        order is part of the shipped prior's schema: changing it makes the prior unusable.

    Cost: O(n members of the last step).
    """
    if not candidates:
        return np.zeros((0, STRUCTURAL))
    ages, shares = _ages(candidates, now), _shares(ids, candidates, now)
    inside, names = _membership(candidates, now.view), _names(ids, candidates, now.view)
    is_last, companion = inside.is_last, shares.companion
    with_gap = (
        is_last,
        ages.inverse_steps,
        names.likeness,
        names.same_folder,
        ages.log_steps,
        companion,
    )
    with_size = (is_last, ages.inverse_steps, names.likeness)
    with_membership = (companion, shares.of_itself, ages.hazard)
    return np.concatenate(
        [
            np.array(ages),
            np.array(shares),
            np.array(inside),
            np.array(names),
            np.array(with_gap) * now.view.gap,
            np.array(with_size) * math.log1p(now.memory.last_members),
            np.array(with_membership) * is_last,
        ]
    ).T


def _membership(candidates: Sequence[int], view: View) -> Membership:
    return Membership(
        np.array([float(y in view.last) for y in candidates]),
        np.array([float(y in view.before) for y in candidates]),
    )


def _ages(candidates: Sequence[int], now: Situation) -> Ages:
    seen, rank, steps = now.memory.seen, now.view.rank, now.memory.steps
    never = Seen(-_NEVER_STEPS, now.view.now_us - _NEVER_US, 0)
    step, ts_us, times = np.array(
        list(zip(*[seen.get(y, never) for y in candidates], strict=True)), dtype=np.float64
    )
    age = steps - step
    since_s = (now.view.now_us - ts_us) / 1e6
    index = np.array([rank.get(y, len(rank)) for y in candidates], dtype=np.float64)
    hazard = np.log((age + 1.0) * (times + 1.0) / (steps + 1.0))
    # The fifths only bring the columns to like sizes: one step size serves all weights
    return Ages(
        log_steps=np.log1p(age),
        inverse_steps=1.0 / age,
        inverse_rank=1.0 / (1.0 + index),
        log_rank=np.log1p(index),
        log_seconds=np.log1p(np.maximum(0.0, since_s)) / 5.0,
        hazard_squared=hazard * hazard / 5.0,
        hazard=hazard,
        log_times=np.log1p(times) / 5.0,
        is_never=(times == 0.0).astype(np.float64),
    )


def _shares(ids: Ids, candidates: Sequence[int], now: Situation) -> Shares:
    followers = now.counts.evidence["order1"]
    contexts = max(1, len(now.view.last))
    best = followers.best(ids, contexts)
    mean = followers.shares(ids)[:, -1]
    together = now.companions.shares(ids)[:, -1]
    closest = now.companions.best(ids, contexts)
    shares = np.array([best, mean, together, closest, now.self_shares(candidates)])
    return Shares(*np.log(shares + _FLOOR_SHARE))


def _names(ids: Ids, candidates: Sequence[int], view: View) -> Names:
    kind, folder, extension = common_traits(view.vocabulary, ids, view.last)
    return Names(
        same_folder=folder,
        same_extension=extension,
        likeness=view.vocabulary.likeness(candidates, view.last[:_NAMED_MEMBERS]),
        same_kind=kind,
    )
