"""A clustering that is kept: later steps are assigned to it and change nothing of it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from selflow.core.errors import ArtifactError
from selflow.core.steps import Step
from selflow.discover.features import COLUMNS, Floats, blocks_of, stacked
from selflow.discover.persistence import Labels
from selflow.discover.windows import WINDOW_EVENTS, Ints, events_of, windows_before

REACH_DEVIATIONS = 5
"""Median absolute deviations beyond the median: what lies farther is noise."""
_FILE = "clusters.npz"


@dataclass(frozen=True, slots=True)
class ClusterModel:
    """Encoder (kinds, text), projection (mean, axes) and micro-clusters of one cycle; ``groups``
    are their clusters.

    Shapes: ``kinds`` (4096, 32), ``text`` (4096, 24), ``mean`` (d,), ``axes`` (d, 16),
    ``centroids`` (m, 16), ``radius`` (m,), ``groups`` (m,). A window farther from its nearest
    centroid than that one's ``radius`` is noise; without a micro-cluster every one is.
    """

    kinds: Floats
    text: Floats
    mean: Floats
    axes: Floats
    centroids: Floats
    radius: Floats
    groups: Labels

    def assign_before(self, steps: Sequence[Step]) -> Labels:
        """(n,) for each step the cluster of the at most 16 events of its user before it; -1 for
        noise or none.

        Steps of one user stand in order of time. Nothing at or after a step has a part in its
        answer.
        """
        if not len(self.groups) or not any(step.labels for step in steps):
            return np.full(len(steps), -1, np.int32)
        return _within(self, *self._nearest_before(steps))

    def reaching(self, steps: Sequence[Step]) -> "tuple[ClusterModel, Labels]":
        """With radii of at least the median + 5 MAD of the distances at which the windows before
        these steps lie in each cluster; and what it assigns to the steps.

        What a step is told by is a session so far; clusters are found in whole sessions. The
        median is that of the cluster, whatever noise lies around it.
        """
        nearest, distance = self._nearest_before(steps)
        radius, group = self.radius.copy(), self.groups[nearest]
        for number in np.unique(self.groups):
            own = distance[(group == number) & np.isfinite(distance)]
            if len(own):
                middle = np.median(own)
                reach = middle + REACH_DEVIATIONS * np.median(np.abs(own - middle))
                radius[self.groups == number] = np.maximum(radius[self.groups == number], reach)
        model = replace(self, radius=radius)
        return model, _within(model, nearest, distance)

    def _nearest_before(self, steps: Sequence[Step]) -> tuple[Ints, Floats]:
        """(n,) each: the micro-cluster nearest to the window before a step, and the distance; it is
        infinite where there is no window.
        """
        events = events_of(steps)
        windows = windows_before(events, len(steps))
        blocks = blocks_of({"kinds": self.kinds, "text": self.text}, events, windows)
        x = (stacked(blocks) - self.mean) @ self.axes
        nearest = ((self.centroids**2).sum(1) - 2 * (x @ self.centroids.T)).argmin(1)
        size = windows.stop - windows.start
        # The mean of few events strays farther
        distance = np.linalg.norm(x - self.centroids[nearest], axis=1)
        distance *= np.sqrt(size / WINDOW_EVENTS)
        return nearest, np.where(size > 0, distance, np.inf)

    def files(self) -> dict[str, bytes]:
        """Name to content; the same model gives the same bytes."""
        return {_FILE: packed(asdict(self))}

    @classmethod
    def load(cls, folder: Path) -> "ClusterModel":
        """From the folder that holds ``files()``; raises ArtifactError if it is missing, not whole,
        or made for windows of other columns than this version's.
        """
        model = cls(**unpacked(folder / _FILE))
        if len(model.groups) and model.mean.shape != (COLUMNS,):
            raise ArtifactError(
                f"{_FILE} is of windows of {len(model.mean)} columns, not {COLUMNS}",
                "run a new learning cycle",
            )
        return model


def _within(model: ClusterModel, nearest: Ints, distance: Floats) -> Labels:
    return np.where(distance <= model.radius[nearest], model.groups[nearest], np.int32(-1))


def packed(arrays: Mapping[str, Any]) -> bytes:
    """Arrays as npz; no moment is written, so that the same arrays give the same bytes."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def unpacked(path: Path) -> dict[str, Any]:
    """What ``packed`` wrote; raises ArtifactError if it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ArtifactError(f"{path.name} cannot be read", "run a new learning cycle") from error
