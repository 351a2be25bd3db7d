"""Steps as columns: the form in which they cross from process to process, mapped by readers without
copying.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.core.steps import Step


@dataclass(frozen=True, slots=True)
class StepTable:
    """Steps in time order. About 12 bytes per label and 16 per step, and each different
    label once.
    """

    ts_us: NDArray[np.int64]
    """(n,)"""
    starts: NDArray[np.int64]
    """(n + 1,): where each step's labels begin in ``ids``."""
    ids: NDArray[np.int32]
    labels: tuple[str, ...]

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "StepTable":
        """The columns of these steps."""
        places: dict[str, int] = {}
        ids = [places.setdefault(label, len(places)) for step in steps for label in step.labels]
        starts = np.cumsum([0, *(len(step.labels) for step in steps)])
        return cls(
            np.array([step.ts_us for step in steps], dtype=np.int64),
            starts.astype(np.int64),
            np.array(ids, dtype=np.int32),
            tuple(places),
        )

    def steps(self) -> list[Step]:
        """The steps again."""
        names = [self.labels[i] for i in self.ids.tolist()]
        starts = self.starts.tolist()
        spans = zip(self.ts_us.tolist(), starts, starts[1:], strict=False)
        return [Step(ts_us, tuple(names[a:b])) for ts_us, a, b in spans]
