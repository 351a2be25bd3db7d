"""What an agent is grown from, as one file. Without torch: whoever only writes it must not load
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgpack
import numpy as np

from selflow.core.errors import ArtifactError
from selflow.core.steps import Step

DATA_SCHEMA = "selflow.lm.data/1"
ANCHORS_FRACTION = 0.15
"""Of an agent's data: steps of other patterns, so that it does not forget them
(docs/learning.md#agents).
"""
LEAST_TUNE_STEPS = 50
"""A pattern with fewer steps in the tune part is tuned on all of it."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AgentData:
    """A stream, and which of its steps (ascending) an agent learns to predict and its settings are
    chosen by.
    """

    steps: Sequence[Step]
    train: Sequence[int]
    tune: Sequence[int]

    def save(self, path: Path) -> None:
        """Write one msgpack file."""
        rows = [[step.ts_us, list(step.labels), step.user] for step in self.steps]
        path.write_bytes(msgpack.packb([DATA_SCHEMA, rows, list(self.train), list(self.tune)]))

    @classmethod
    def load(cls, path: Path) -> "AgentData":
        """Read it.

        Raises:
            ArtifactError: It is no such file.
        """
        try:
            schema, rows, train, tune = msgpack.unpackb(path.read_bytes())
            if schema != DATA_SCHEMA:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the file)
            return cls(
                [Step(ts_us, tuple(labels), user) for ts_us, labels, user in rows], train, tune
            )
        except (OSError, ValueError, TypeError, msgpack.UnpackException) as error:
            raise ArtifactError(
                f"{path.name} is not the data of an agent ({DATA_SCHEMA})", "start the search again"
            ) from error


def select_targets(
    is_own: Sequence[bool], train: Span, tune: Span, seed: int
) -> tuple[list[int], list[int]]:
    """The steps that an agent learns to predict, and those that its settings are chosen by.

    Args:
        is_own: Whether each step belongs to the agent's pattern.
        train: First and last + 1 step that may be learned from.
        tune: The same of those that settings are chosen by.
        seed: Draws the anchors.

    Returns:
        Indices of steps, both ascending: own steps and anchors of the train part, own steps of the
        tune part.
    """
    own = [i for i in range(*train) if is_own[i]]
    others = [i for i in range(*train) if not is_own[i]]
    wanted = min(len(others), round(len(own) * ANCHORS_FRACTION / (1 - ANCHORS_FRACTION)))
    anchors = (
        np.random.default_rng(seed).choice(len(others), wanted, replace=False).tolist()
        if wanted
        else []
    )
    tuned_on = [i for i in range(*tune) if is_own[i]]
    if len(tuned_on) < LEAST_TUNE_STEPS:
        tuned_on = list(range(*tune))
    return sorted([*own, *(others[i] for i in anchors)]), tuned_on
