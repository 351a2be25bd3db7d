"""The online ranker: a softmax over the candidates of one step, learned by Adagrad from the first event.

The score is linear in the features plus a small hidden layer of them (12 tanh units). One more outcome, "outside",
stands for everything that is no candidate: it takes its share from the count pool, so the whole stays a
distribution over known labels and NEW.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats, Ids

HIDDEN = 12
_RATE = 0.03
_FIRST_CURVATURE = 0.1
_SCALE_STEPS = 500
_CLIP = 4.0

Objective = Literal["member", "any"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """One pass over one step's candidates."""

    p: Floats
    """(n,), one per candidate."""
    outside: float
    features: Floats
    scaled: Floats
    hidden: Floats
    log_outside: float


class Ranker:
    """Learns which of the candidates comes.

    ``objective`` "member" fits the chance that a member drawn from the step is this label (its log-loss is that of
    the pool); "any" fits which one label to name so that the step holds it. On steps of one label they agree.
    """

    def __init__(self, width: int, objective: Objective, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._objective = objective
        self._weights: list[Floats] = [
            np.zeros(width + 2),
            rng.normal(size=(width, HIDDEN)) * 0.5 / width**0.5,
            np.zeros(HIDDEN),
            rng.normal(size=HIDDEN) * 0.1,
        ]
        # It starts as the count pool itself: weight 1 on the pool's log-probability (the first feature).
        self._weights[0][0] = self._weights[0][width] = 1.0
        self._curvature = [np.full_like(w, _FIRST_CURVATURE) for w in self._weights]

    def rank(self, features: Floats, scaled: Floats, outside_p: float) -> Ranking:
        """Probabilities of the candidates.

        Args:
            features: (n, width); the first is the log of the count pool's probability.
            scaled: The same, each with mean 0 and spread 1 (``Scale``).
            outside_p: What the count pool gives to everything that is no candidate.

        Cost: O(n * width * HIDDEN), 60 us for 60 candidates.
        """
        linear, into, bias, out = self._weights
        width = features.shape[1]
        hidden = np.tanh(scaled @ into + bias)
        scores = features @ linear[:width] + hidden @ out
        log_outside = float(np.log(outside_p))
        scores = np.append(scores, linear[width] * log_outside + linear[width + 1])
        grown = np.exp(scores - scores.max())
        p = grown / grown.sum()
        return Ranking(p[:-1], float(p[-1]), features, scaled, hidden, log_outside)

    def learn(self, ranking: Ranking, came: Ids, members: int) -> None:
        """One Adagrad step. ``came``: places of the candidates that came, of ``members`` labels in the step."""
        n = len(ranking.p)
        error = np.append(ranking.p, ranking.outside)
        if self._objective == "any":
            if len(came):
                error[came] -= ranking.p[came] / max(float(ranking.p[came].sum()), 1e-300)
            else:
                error[n] -= 1.0
        else:
            error[came] -= 1.0 / members
            error[n] -= (members - len(came)) / members
        self._descend(ranking, error)

    def _descend(self, ranking: Ranking, error: Floats) -> None:
        inside = error[:-1]
        linear = np.concatenate([ranking.features.T @ inside, error[-1] * np.array([ranking.log_outside, 1.0])])
        back = np.outer(inside, self._weights[3]) * (1.0 - ranking.hidden**2)
        slopes = [linear, ranking.scaled.T @ back, back.sum(axis=0), ranking.hidden.T @ inside]
        for i, slope in enumerate(slopes):
            self._curvature[i] = self._curvature[i] + slope * slope
            self._weights[i] = self._weights[i] - _RATE * slope / np.sqrt(self._curvature[i])

    def warm(self) -> Packed:
        """What a new owner's ranker may start from: weights, no labels."""
        return [pack_array(w) for w in self._weights]

    def start_from(self, weights: Packed, curvature: float) -> None:
        """Start from shipped weights; ``curvature`` says how firmly they are held against the owner's first events."""
        self._weights = [unpack_array(w) for w in weights]
        self._curvature = [np.full_like(w, curvature) for w in self._weights]

    def dump(self) -> Packed:
        return [self.warm(), [pack_array(c) for c in self._curvature]]

    def restore(self, packed: Packed) -> None:
        """Take over a dumped ranker."""
        weights, curvature = packed
        self._weights = [unpack_array(w) for w in weights]
        self._curvature = [unpack_array(c) for c in curvature]


class Scale:
    """Mean and spread of each feature, followed over about 500 steps; after those, every eighth step is enough."""

    def __init__(self, width: int) -> None:
        self._mean: Floats = np.zeros(width)
        self._variance: Floats = np.ones(width)
        self._steps = 0

    def apply(self, features: Floats) -> Floats:
        """The features with mean 0 and spread 1, clipped at 4."""
        scaled = (features - self._mean) * (1.0 / np.sqrt(self._variance + 1e-3))
        return np.minimum(np.maximum(scaled, -_CLIP, out=scaled), _CLIP, out=scaled)

    def learn(self, features: Floats) -> None:
        """Follow the features of one step."""
        self._steps += 1
        if len(features) < 2 or (self._steps > _SCALE_STEPS and self._steps % 8):
            return
        pace = 1.0 / min(self._steps, _SCALE_STEPS)
        self._mean = self._mean + pace * (features.mean(axis=0) - self._mean)
        spread = ((features - self._mean) ** 2).mean(axis=0)
        self._variance = self._variance + pace * (spread - self._variance)

    def dump(self) -> Packed:
        return [pack_array(self._mean), pack_array(self._variance), self._steps]

    def restore(self, packed: Packed) -> None:
        """Take over a dumped scale."""
        mean, variance, self._steps = packed
        self._mean, self._variance = unpack_array(mean), unpack_array(variance)
