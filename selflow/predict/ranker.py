"""The online ranker: a softmax over the candidates of one step, learned by Newton steps from the
first event.

The score is linear in the features and in 24 fixed random tanh units of them. One more outcome,
"outside", stands for everything that is no candidate: it takes its share from the count pool, so
the whole stays a distribution over known labels and NEW. The curvature is kept whole (features
overlap heavily) and forgets slowly. Source: online Newton step (Hazan et al. 2007) on the softmax
loss; random features, Rahimi and Recht 2008.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats, Ids

HIDDEN = 24
"""Random units; part of the shipped prior's schema."""
_FORGET = 0.9995
"""Of the curvature, per step: 1 / (1 - 0.9995) = 2,000 steps."""
_PRECISION = 20.0
_HIDDEN_PRECISION = 50.0
"""Of the Gaussian prior on each weight; the random units are held more firmly."""
_EXACT_STEPS, _HOLD_STEPS = 200, 16
"""The curvature's inverse is exact for so many steps, then held for so many: 16 steps change little
of what is forgotten over 2,000.
"""
_SCALE_STEPS = 500
_CLIP = 4.0
"""Standard deviations at which a feature is clipped before the random units."""
_SEED = 1  # changing this changes what every shipped and saved weight means


class Head(IntEnum):
    """What the columns of the weights fit."""

    MEMBER = 0
    """The probability that a member drawn from the step is this label."""
    ANY = 1
    """The one label to name so that the step holds it."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """One pass over one step's candidates."""

    p: Floats
    """(heads, n + 1), one column per candidate; the last is outside."""
    inputs: Floats
    """(n + 1, width + HIDDEN + 2)"""


def errors(p: Floats, came: Ids, members: int) -> Floats:
    """The slope of each head's log-loss in the scores.

    Args:
        p: (heads, n + 1), of the candidates and of outside.
        came: Indices of the candidates that came.
        members: Labels in the step, at least ``len(came)``.

    Returns:
        (heads, n + 1). Cost: O(n).
    """
    error, named = p.copy(), p[Head.ANY]
    error[Head.MEMBER, came] -= 1.0 / members
    error[Head.MEMBER, -1] -= (members - len(came)) / members
    if len(came):
        error[Head.ANY, came] -= named[came] / max(float(named[came].sum()), 1e-300)
    else:
        error[Head.ANY, -1] -= 1.0
    return error


class Rankers:
    """Two heads (``Head``) over the same inputs, and one curvature.

    The log-loss of ``MEMBER`` is that of the pool. On steps of one label both heads agree.
    """

    def __init__(self, width: int) -> None:
        inputs = width + HIDDEN + 2
        start: Floats = np.zeros((inputs, len(Head)))
        # It starts as the count pool itself: weight 1 on the pool's log-probability (the first
        # feature).
        start[0] = start[width + HIDDEN] = 1.0
        self._weights = start
        self._precision: Floats = np.full(inputs, _PRECISION)
        self._precision[width : width + HIDDEN] = _HIDDEN_PRECISION
        self._curvature: Floats = np.diag(self._precision)
        self._inverse = self._curvature
        self._steps = 0

    def rank(self, inputs: Floats) -> Ranking:
        """Probabilities of the candidates and of outside, by each head.

        Args:
            inputs: (n + 1, width + HIDDEN + 2), from ``Inputs.of``.

        Cost: O(n width).
        """
        scores = inputs @ self._weights
        grown = np.exp(scores - scores.max(axis=0))
        return Ranking((grown / grown.sum(axis=0)).T, inputs)

    def learn(self, ranking: Ranking, came: Ids, members: int, weight: float = 1.0) -> None:
        """One Newton step.

        Args:
            ranking: Of the step, from the weights as they are.
            came: Indices of the candidates that came.
            members: Labels in the step, at least ``len(came)``.
            weight: How much the step counts.

        The curvature forgets over 2,000 steps; so after the first 200 its inverse is held for 16.
        Cost: O(n width^2 + width^3 / 16), about 150 us for 60 candidates.
        """
        member = ranking.p[Head.MEMBER]
        error = errors(ranking.p, came, members).T
        centred = (ranking.inputs - member @ ranking.inputs) * np.sqrt(weight * member)[:, None]
        self._curvature *= _FORGET
        self._curvature += centred.T @ centred
        self._curvature.reshape(-1)[:: len(self._precision) + 1] += (
            1.0 - _FORGET
        ) * self._precision
        self._steps += 1
        if self._steps < _EXACT_STEPS or self._steps % _HOLD_STEPS == 0:
            self._inverse = np.asarray(np.linalg.inv(self._curvature), dtype=np.float64)
        self._weights = self._weights - self._inverse @ (ranking.inputs.T @ error) * weight

    def warm(self) -> Packed:
        """What a new owner's rankers may start from: weights, no labels."""
        return pack_array(self._weights)

    def start_from(self, weights: Packed, firmness: float) -> None:
        """Start from shipped weights, held ``firmness`` times as firmly as the plain start."""
        self._weights = unpack_array(weights)
        self._curvature = np.diag(self._precision * firmness)

    def state(self) -> Packed:
        return [pack_array(x) for x in (self._weights, self._curvature, self._inverse)] + [
            self._steps
        ]

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave."""
        *arrays, self._steps = packed
        self._weights, self._curvature, self._inverse = map(unpack_array, arrays)


class Inputs:
    """Features to inputs: the features as they are, and random tanh units of them at mean 0 and
    spread 1.

    Mean and spread are followed over about 500 steps; after those, every eighth step is enough.
    """

    def __init__(self, width: int) -> None:
        self._mean: Floats = np.zeros(width)
        self._variance: Floats = np.ones(width)
        self._steps = 0
        rng = np.random.default_rng(_SEED)
        self._into: Floats = rng.normal(size=(width, HIDDEN)) * 1.5 / width**0.5
        self._bias: Floats = rng.normal(size=HIDDEN) * 0.5

    def of(self, features: Floats, outside_p: float) -> Floats:
        """The ranker's inputs.

        Args:
            features: (n, width); the first is the log of the count pool's probability.
            outside_p: What the count pool gives to everything that is no candidate, above 0.

        Returns:
            (n + 1, width + HIDDEN + 2): features, random units, then the log of ``outside_p`` and 1
            for outside alone, the last row. Cost: O(n width HIDDEN).
        """
        scaled = (features - self._mean) * (1.0 / np.sqrt(self._variance + 1e-3))
        np.minimum(np.maximum(scaled, -_CLIP, out=scaled), _CLIP, out=scaled)
        n, width = features.shape
        inputs = np.zeros((n + 1, width + HIDDEN + 2))
        inputs[:n, :width] = features
        inputs[:n, width : width + HIDDEN] = np.tanh(scaled @ self._into + self._bias)
        inputs[n, -2:] = np.log(outside_p), 1.0
        return inputs

    def learn(self, features: Floats) -> None:
        """Follow the features (n, width) of one step. Cost: O(n width)."""
        self._steps += 1
        if len(features) < 2 or (self._steps > _SCALE_STEPS and self._steps % 8):
            return
        pace = 1.0 / min(self._steps, _SCALE_STEPS)
        self._mean = self._mean + pace * (features.mean(axis=0) - self._mean)
        spread = ((features - self._mean) ** 2).mean(axis=0)
        self._variance = self._variance + pace * (spread - self._variance)

    def state(self) -> Packed:
        return [pack_array(self._mean), pack_array(self._variance), self._steps]

    def load_state(self, packed: Packed) -> None:
        """Take over what ``state`` gave."""
        mean, variance, self._steps = packed
        self._mean, self._variance = unpack_array(mean), unpack_array(variance)
