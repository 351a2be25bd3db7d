"""Quantiles of what was seen under the most special key that has enough of it."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Hashable, Sequence

WINDOW = 300
"""Values kept of each key: the newest."""
LEAST = 20
"""Fewer values name no quantile: the next key is asked."""


class WindowQuantiles:
    """The newest values in order. Cost: O(window) per value, O(1) per quantile."""

    def __init__(self, window: int = WINDOW) -> None:
        self._newest: deque[float] = deque(maxlen=window)
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._sorted)

    def add(self, value: float) -> None:
        """Take in a value; the oldest leaves a full window."""
        if len(self._newest) == self._newest.maxlen:
            del self._sorted[bisect_left(self._sorted, self._newest[0])]
        self._newest.append(value)
        insort(self._sorted, value)

    def quantile(self, fraction: float) -> float:
        """By linear interpolation, as numpy's default; there must be a value."""
        position = fraction * (len(self._sorted) - 1)
        low = int(position)
        high = min(low + 1, len(self._sorted) - 1)
        return self._sorted[low] + (position - low) * (self._sorted[high] - self._sorted[low])


class BackoffQuantiles:
    """Windows under keys that go from the special to the general."""

    def __init__(self) -> None:
        self._windows: dict[Hashable, WindowQuantiles] = {}

    def add(self, keys: Sequence[Hashable], value: float) -> None:
        """Take in a value under each of its keys."""
        for key in keys:
            self._windows.setdefault(key, WindowQuantiles()).add(value)

    def find(self, keys: Sequence[Hashable]) -> WindowQuantiles | None:
        """The window of the first key with ``LEAST`` values, else the last key's; None if empty."""
        for key in keys:
            window = self._windows.get(key)
            if window is not None and len(window) >= LEAST:
                return window
        return self._windows.get(keys[-1])
