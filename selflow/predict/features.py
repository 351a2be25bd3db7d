"""What the ranker sees of each candidate: what the count experts say, and what the label's own past
tells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from selflow.predict.counts import CountAnswer
from selflow.predict.experts import View
from selflow.predict.memory import Seen, UserMemory
from selflow.predict.table import Evidence, Floats, Ids

_NAMED_MEMBERS = 6
_NEVER_STEPS, _NEVER_US = 1000, 100_000_000_000_000  # three years
_FLOOR_P = 1e-7
STRUCTURAL = 32
"""How many features besides the log-probabilities; part of the shipped prior's schema."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the features are made from."""

    view: View
    memory: UserMemory
    counts: CountAnswer
    companions: Evidence
    self_share: Floats
    """(n,): how often each candidate followed itself."""


def log_probability_features(pool: Floats, p: Floats) -> Floats:
    """(n, 1 + experts): the log of the count pool's probability, and how far each expert is from
    it.
    """
    log_pool = np.log(np.maximum(pool, _FLOOR_P))
    return np.concatenate([log_pool[None], np.log(np.maximum(p, _FLOOR_P)) - log_pool]).T


def structural_features(ids: Ids, candidates: Sequence[int], now: Situation) -> Floats:
    """(n, STRUCTURAL). Ages in steps and seconds, shares from the last step, membership, names, and
    products.
    """
    if not candidates:
        return np.zeros((0, STRUCTURAL))
    last, before = now.view.last, now.view.before
    ages = _ages(candidates, now)
    shares = _shares(ids, now)
    inside = np.array(
        [[float(y in last) for y in candidates], [float(y in before) for y in candidates]]
    )
    names = _names(candidates, now.view, last)
    gap, size = now.view.gap, math.log1p(now.memory.last_members)
    log_age, inverse_age = ages[0], ages[1]
    is_last, likeness, companion = inside[0], names[2], shares[2]
    return np.concatenate(
        [
            ages,
            shares,
            inside,
            names,
            np.array([is_last, inverse_age, likeness, names[0], log_age, companion]) * gap,
            np.array([is_last, inverse_age, likeness]) * size,
            np.array([companion, shares[4], ages[6]]) * is_last,
        ]
    ).T


def _ages(candidates: Sequence[int], now: Situation) -> Floats:
    """(9, n): log age, its inverse, recency rank, its log, seconds, steps per use, its square, the
    times used.
    """
    seen, rank, steps = now.memory.seen, now.view.rank, now.memory.steps
    never = Seen(-_NEVER_STEPS, now.view.now_us - _NEVER_US, 0)
    step, ts_us, times = np.array(
        list(zip(*[seen.get(y, never) for y in candidates], strict=True)), dtype=np.float64
    )
    age = steps - step
    since_s = (now.view.now_us - ts_us) / 1e6
    place = np.array([rank.get(y, len(rank)) for y in candidates], dtype=np.float64)
    hazard = np.log((age + 1.0) * (times + 1.0) / (steps + 1.0))
    return np.array(
        [
            np.log1p(age),
            1.0 / age,
            1.0 / (1.0 + place),
            np.log1p(place),
            np.log1p(np.maximum(0.0, since_s)) / 5.0,
            hazard * hazard / 5.0,
            hazard,
            np.log1p(times) / 5.0,
            times == 0.0,
        ]
    )


def _shares(ids: Ids, now: Situation) -> Floats:
    """(5, n): logs of the best and mean share from the last step, mean and best companionship,
    share of itself.
    """
    followers = now.counts.evidence["order1"]
    contexts = max(1, len(now.view.last))
    best = followers.best(ids, contexts)
    mean = followers.shares(ids)[:, -1]
    together = now.companions.shares(ids)[:, -1]
    closest = now.companions.best(ids, contexts)
    return np.log(np.array([best, mean, together, closest, now.self_share]) + 0.01)


def _names(candidates: Sequence[int], view: View, last: Sequence[int]) -> Floats:
    """(4, n): same folder, same extension, likeness of the name, same kind as a member of the last
    step.
    """
    vocabulary = view.vocabulary
    around = [vocabulary.traits(a) for a in last]
    folders, extensions = {t.folder for t in around}, {t.extension for t in around}
    kinds = {t.kind for t in around}
    own = [vocabulary.traits(y) for y in candidates]
    found = np.empty((4, len(own)))
    found[0] = [t.folder in folders for t in own]
    found[1] = [t.extension in extensions for t in own]
    found[2] = vocabulary.likeness(candidates, last[:_NAMED_MEMBERS])
    found[3] = [t.kind in kinds for t in own]
    return found
