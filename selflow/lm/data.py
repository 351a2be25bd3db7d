"""What an agent is grown from, as one file. Without torch: whoever only writes it must not load
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgpack

from selflow.core.errors import ArtifactError
from selflow.core.steps import Step

DATA_SCHEMA = "selflow.lm.data/1"


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
                f"{path.name} is no data of an agent ({DATA_SCHEMA})", "begin the search anew"
            ) from error
