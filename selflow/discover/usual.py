"""What is usual, kept from a cycle: later windows are measured by it without scikit-learn."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from selflow.core.steps import Step
from selflow.discover.consensus import small_groups
from selflow.discover.features import (
    Floats,
    content_of,
    fit_axes,
    fit_encoder,
    one_thread,
    stacked,
)
from selflow.discover.hashing import HashedLabel, project
from selflow.discover.model import packed, unpacked
from selflow.discover.windows import (
    LEAST_EVENTS,
    WINDOW_EVENTS,
    events_of,
    windows_before,
    windows_of,
)

FILE = "usual.npz"
NEWEST_STEPS = 20_000
"""Of what a cycle knows: enough for what is usual, and the cost of it stays the same."""
RARE = 0.99
"""Quantile of the distances of a cycle's own windows beyond which a later one is unusual ..."""
FAR_DEVIATIONS = 5
"""... if it lies farther than the mean and so many deviations, too: what middles are made from lies
nearer to them than what comes later.
"""
LEAST_STEPS = 200


@dataclass(frozen=True, slots=True)
class UsualBehaviour:
    """Where windows of a cycle's events lie by their content, and how far from the nearest middle.

    ``kinds`` (4096, 32) and ``text`` (4096, 24) place a window's hashed features,
    of which ``mean`` (56,) is taken off and ``axes`` (56, 16) make its place; ``middles`` (m, 16)
    are those of small groups of windows. ``average`` and ``deviation`` are of the distances;
    beyond ``limit`` one is unusual.

    Hours and counts have no part in it: in a month that has not been seen before all is far away.
    """

    kinds: Floats
    text: Floats
    mean: Floats
    axes: Floats
    middles: Floats
    limit: float
    average: float
    deviation: float

    def distance(self, window: Sequence[HashedLabel]) -> float:
        """From the nearest middle, of the window of these labels.

        Few labels stray farther, so the distance is multiplied by sqrt(n / 16). Cost: O(m).
        """
        kinds = project([label.kinds for label in window], self.kinds)
        text = project([label.text for label in window], self.text)
        apart = self.middles - (np.concatenate([kinds, text]) - self.mean) @ self.axes
        return float(np.sqrt((apart**2).sum(1).min() * len(window) / WINDOW_EVENTS))

    def files(self) -> dict[str, bytes]:
        """Name to content; the same behaviour gives the same bytes."""
        return {FILE: packed(asdict(self))}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From the folder that holds ``files()``; raises ArtifactError if it is missing or not
        whole.
        """
        values = unpacked(folder / FILE)
        return cls(
            *(values[name] for name in ("kinds", "text", "mean", "axes", "middles")),
            *(float(values[name]) for name in ("limit", "average", "deviation")),
        )


@one_thread()
def fit_usual(steps: Sequence[Step], seed: int) -> UsualBehaviour | None:
    """What is usual in the newest 20,000 of these steps, in order of time; None below 200 steps.

    Cost: about that of the windows and small groups of a discovery, without its bootstraps.
    """
    steps = steps[-NEWEST_STEPS:]
    if len(steps) < LEAST_STEPS:
        return None
    events = events_of(steps)
    windows = windows_of(events)
    encoder = fit_encoder(events, windows, seed)
    blocks = content_of(encoder, events, windows)
    mean, axes = fit_axes(blocks, np.ones(len(windows.day)))
    # Of sparse groups too: what was done seldom was done, and is not new
    _, middles = small_groups((stacked(blocks) - mean) @ axes, seed)
    before = windows_before(events, len(steps))
    x = (stacked(content_of(encoder, events, before)) - mean) @ axes
    size = before.stop - before.start
    distances = _nearest(x, middles) * np.sqrt(size / WINDOW_EVENTS)
    distances = distances[size >= LEAST_EVENTS]
    average, deviation = float(distances.mean()), float(distances.std())
    far = average + FAR_DEVIATIONS * deviation
    return UsualBehaviour(
        encoder["kinds"],
        encoder["text"],
        mean,
        axes,
        middles,
        max(float(np.quantile(distances, RARE)), far),
        average,
        deviation,
    )


def _nearest(x: Floats, middles: Floats) -> Floats:
    from scipy.spatial import KDTree

    distances: Floats = KDTree(middles).query(x)[0]
    return distances
