"""What is usual, kept from a cycle: later windows are measured by it without scikit-learn."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from selflow.core.steps import Step
from selflow.discover.consensus import micro_clusters
from selflow.discover.features import Floats, blocks_of, fit_axes, fit_encoder, one_thread, stacked
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
"""Quantile of the distances of a cycle's own windows beyond which a later one is unusual."""
LEAST_STEPS = 200


@dataclass(frozen=True, slots=True)
class UsualBehaviour:
    """Where windows of a cycle's events lie by their content, and how far from the nearest middle.

    ``kinds`` (4096, 16) and ``text`` (4096, 16) place a label's hashed features, ``centre`` (16,)
    is taken off the mean place of a window's labels, ``middles`` (m, 16) are those of small groups
    of windows. ``limit``, ``mean`` and ``deviation`` are of the distances: their quantile .99, and
    what drift is measured in.

    Hours and counts have no part in it: in a month that has not been seen before all is far away.
    """

    kinds: Floats
    text: Floats
    centre: Floats
    middles: Floats
    limit: float
    mean: float
    deviation: float

    def distance(self, window: Floats) -> float:
        """From the nearest middle, of the window of the labels at these places (n, 16).

        The mean of few labels strays farther, so the distance is multiplied by sqrt(n / 16). Cost:
        O(m).
        """
        apart = self.middles - (window.mean(0) - self.centre)
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
            *(values[name] for name in ("kinds", "text", "centre", "middles")),
            *(float(values[name]) for name in ("limit", "mean", "deviation")),
        )


@one_thread()
def fit_usual(steps: Sequence[Step], seed: int) -> UsualBehaviour | None:
    """What is usual in the newest 20,000 of these steps, in order of time; None below 200 steps.

    Cost: about that of the windows and micro-clusters of a discovery, without its bootstraps.
    """
    steps = steps[-NEWEST_STEPS:]
    if len(steps) < LEAST_STEPS:
        return None
    events = events_of(steps)
    windows = windows_of(events)
    encoder = fit_encoder(events, seed)
    blocks = _content(blocks_of(encoder, events, windows))
    mean, axes = fit_axes(blocks, np.ones(len(windows.day)))
    middles = micro_clusters((stacked(blocks) - mean) @ axes, seed).centroids
    before = windows_before(events, len(steps))
    x = (stacked(_content(blocks_of(encoder, events, before))) - mean) @ axes
    size = before.stop - before.start
    distances = _nearest(x, middles) * np.sqrt(size / WINDOW_EVENTS)
    distances = distances[size >= LEAST_EVENTS]
    width = blocks["kinds"].shape[1]
    return UsualBehaviour(
        encoder["kinds"] @ axes[:width],
        encoder["text"] @ axes[width:],
        mean @ axes,
        middles,
        float(np.quantile(distances, RARE)),
        float(distances.mean()),
        float(distances.std()),
    )


def _content(blocks: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: blocks[name] for name in ("kinds", "text")}


def _nearest(x: Floats, middles: Floats) -> Floats:
    from scipy.spatial import KDTree

    distances: Floats = KDTree(middles).query(x)[0]
    return distances
