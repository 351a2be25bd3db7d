"""Fixed share: the mixture of experts that tracks whichever is best now.

p = sum_i w_i p_i; after the step w_i <- (1 - alpha) w_i p_i / Z + alpha / N. The share alpha / N
keeps every expert close enough to come back, at a cost of at most log2(1 / (1 - alpha)) bits per
step (0.0145 at alpha 0.01). Source: Herbster and Warmuth 1998, with the share given to all experts
alike.
"""

from collections.abc import Sequence

import numpy as np

from selflow.core.errors import UsageError
from selflow.predict.packing import Packed, pack_array, unpack_array
from selflow.predict.table import Floats

_FLOOR = 1e-5
"""Added to each probability before it is weighed, so that one miss does not silence an expert for
good.
"""


class FixedSharePool:
    """One weight per expert; the weights sum to 1 at any moment.

    >>> pool = FixedSharePool(["careful", "bold"])
    >>> p = np.array([[0.5], [0.9]])  # (experts, outcomes): what each gave to what came
    >>> pool.mix(p).round(3).tolist()
    [0.7]
    >>> pool.learn(p, counts=np.array([1.0]))
    >>> pool.weights.round(3).tolist()
    [0.359, 0.641]
    """

    def __init__(self, names: Sequence[str], alpha: float = 0.01) -> None:
        self.alpha = alpha
        self.names = tuple(names)
        self.weights: Floats = np.full(len(self.names), 1.0 / max(1, len(self.names)))

    def add(self, name: str) -> None:
        """A new expert starts with alpha / N of all weight, N counting itself; the others keep
        their proportions. Raises UsageError if the name is in use.
        """
        if name in self.names:
            raise UsageError(f"expert name already in use: {name!r}", "choose another name")
        share = self.alpha / (len(self.names) + 1) if self.names else 1.0
        self.names = (*self.names, name)
        self.weights = np.append(self.weights * (1.0 - share), share)

    def archive(self, name: str) -> None:
        """An expert leaves; its weight goes back to the others in proportion to theirs. Raises
        UsageError if there is none of that name.
        """
        if name not in self.names:
            raise UsageError(f"unknown expert: {name!r}", "`expert_names` lists those of the pool")
        row = self.names.index(name)
        self.names = self.names[:row] + self.names[row + 1 :]
        left = np.delete(self.weights, row)
        total = float(left.sum())
        self.weights = left / total if total > 0 else np.full(len(left), 1.0 / max(1, len(left)))

    def mix(self, p: Floats) -> Floats:
        """The mixture of the experts' probabilities.

        Args:
            p: (n, m), one row per expert.

        Returns:
            (m,). Cost: O(n m).
        """
        mixed: Floats = self.weights @ p
        return mixed

    def learn(self, p: Floats, counts: Floats) -> None:
        """Weigh the experts by the step that came.

        Args:
            p: (n, m), each expert's probability of each outcome of the step (its labels, and NEW).
            counts: (m,), how many members of the step each outcome stands for, at least one in
                sum. A set step counts as one observation: the geometric mean over its members.

        Cost: O(n m).
        """
        log_p = np.log(p + _FLOOR) @ counts / counts.sum()
        posterior = self.weights * np.exp(log_p - log_p.max())
        posterior /= posterior.sum()
        shared = (1.0 - self.alpha) * posterior + self.alpha / len(self.names)
        self.weights = shared / shared.sum()

    def state(self) -> Packed:
        return [self.alpha, self.names, pack_array(self.weights)]

    def load_state(self, packed: Packed) -> None:
        self.alpha, names, weights = packed
        self.names, self.weights = tuple(names), unpack_array(weights)
