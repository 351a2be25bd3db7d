"""How far a source has read, kept over restarts, so that nothing is lost and nothing comes twice.

A batch is written down before it is sent, with the number that stands for it for good: after a
crash in between, the same events go out under the same number and are stored once.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Self

from selflow.core.errors import ConfigError
from selflow.core.paths import private_folder, write_private


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a table whose rows have numbers that grow. It holds no content."""

    row_id: int = 0
    """The last row that was read."""
    row_us: int = 0
    """Its time; another time says that the number was given again after a deletion."""
    newest_us: int = 0
    """The newest time of all rows that were read."""
    floor_us: int = 0
    """Older rows are left out."""
    consent_us: int = 0
    """Since when the consent stands under which this was read."""
    pending_id: int = 0
    """The last row of the batch that may be stored already; 0 if there is none."""
    batch_id: int = 0
    """The number of that batch."""

    def announce(self, last_id: int) -> Self:
        """The position while the rows up to ``last_id`` are sent."""
        return replace(self, pending_id=last_id, batch_id=secrets.randbits(64))


class PositionFile:
    """The position of one thing that is followed, in a file of its own.

    Args:
        folder: Where positions lie; made when one is saved.
        followed: What is followed: a path. The file's name does not show it.
    """

    def __init__(self, folder: Path, followed: str) -> None:
        self._path = folder / f"{sha256(followed.encode()).hexdigest()[:24]}.json"

    def load(self) -> Position | None:
        """The position; None before the first save.

        Raises:
            ConfigError: The file is damaged.
        """
        try:
            return Position(**_integers(json.loads(self._path.read_bytes())))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{self._path} is damaged", "remove it; what came since the last read is left out"
            ) from error

    def save(self, position: Position) -> None:
        """Replace the position on the disk."""
        private_folder(self._path.parent)
        write_private(self._path, json.dumps(asdict(position)))


def _integers(values: Mapping[str, object]) -> dict[str, int]:
    numbers = {name: value for name, value in values.items() if isinstance(value, int)}
    if len(numbers) != len(values):
        raise ValueError("a position holds integers")
    return numbers
