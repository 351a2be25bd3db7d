"""Means of a tag, shrunk towards the mean of all."""

from collections.abc import Sequence

PSEUDO_COUNT = 10.0
"""So many values of everybody a tag's mean starts with."""
DECAY = 0.995
"""What a tag's older values keep of their weight with each newer one."""
SLOTS = 6
"""Kinds of tags that are told apart; later ones are left out."""


class ShrunkMeans:
    """Decayed means by slot and tag."""

    def __init__(self) -> None:
        self._all = [0.0, 0.0]
        self._tags: dict[tuple[int, str], list[float]] = {}

    @property
    def mean(self) -> float:
        """Of all values, decayed; 0 before the first."""
        return self._all[1] / self._all[0] if self._all[0] else 0.0

    def of(self, tags: Sequence[str]) -> list[float]:
        """(SLOTS,): the shrunk mean of the tag in each slot; NaN where there is none."""
        prior, row = self.mean, [float("nan")] * SLOTS
        for slot, tag in enumerate(tags[:SLOTS]):
            if tag:
                weight, total = self._tags.get((slot, tag), (0.0, 0.0))
                row[slot] = (total + PSEUDO_COUNT * prior) / (weight + PSEUDO_COUNT)
        return row

    def add(self, tags: Sequence[str], value: float) -> None:
        """Take in a value of a task with these tags."""
        sums = [self._tags.setdefault(key, [0.0, 0.0]) for key in enumerate(tags[:SLOTS]) if key[1]]
        for pair in [self._all, *sums]:
            pair[0] = DECAY * pair[0] + 1.0
            pair[1] = DECAY * pair[1] + value
