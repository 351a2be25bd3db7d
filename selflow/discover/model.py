"""A clustering that is kept: later steps are assigned to it and change nothing of it."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from selflow.core.errors import ArtifactError
from selflow.core.steps import Step
from selflow.discover.features import Floats, blocks_of, stacked
from selflow.discover.persistence import Labels
from selflow.discover.windows import WINDOW_EVENTS, events_of, windows_before

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
        events = events_of(steps)
        if not len(self.groups) or not len(events.label):
            return np.full(len(steps), -1, np.int32)
        windows = windows_before(events, len(steps))
        blocks = blocks_of({"kinds": self.kinds, "text": self.text}, events, windows)
        x = (stacked(blocks) - self.mean) @ self.axes
        nearest = ((self.centroids**2).sum(1) - 2 * (x @ self.centroids.T)).argmin(1)
        size = windows.stop - windows.start
        # The mean of few events strays farther
        reach = self.radius[nearest] * np.sqrt(WINDOW_EVENTS / np.maximum(size, 1))
        is_near = np.linalg.norm(x - self.centroids[nearest], axis=1) <= reach
        return np.where(is_near & (size > 0), self.groups[nearest], np.int32(-1))

    def files(self) -> dict[str, bytes]:
        """Name to content; the same model gives the same bytes."""
        return {_FILE: packed(asdict(self))}

    @classmethod
    def load(cls, folder: Path) -> "ClusterModel":
        """From the folder that holds ``files()``; raises ArtifactError if it is missing or not
        whole.
        """
        return cls(**unpacked(folder / _FILE))


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
