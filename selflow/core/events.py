"""The event: one thing that happened, and the small records that several rules share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from selflow.core.clock import as_datetime

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
"""What ``data`` may hold: JSON values, nested at most ``codec.MAX_DEPTH`` deep."""

SHELL_COMMAND = "shell.command"
"""The kind of a finished command: the subject is its line, ``data["folder"]`` where it ran."""
COMMIT_MESSAGE = "commit.message"
"""The kind of a commit's message: the subject is its first line, ``data["paths"]`` what it changed.
It is text that is completed, and no label that is predicted.
"""
DOCUMENT_TEXT = "document.text"
"""The kind of a part of a document's text: the subject is the document's path. It was not done at
its time, so that it is no label that is predicted either.
"""
NOT_DONE = frozenset({COMMIT_MESSAGE, DOCUMENT_TEXT})
"""Kinds that are part of no step."""
MAX_COMMIT_PATHS = 60
"""Paths of a commit that its message is completed by, the first ones by name."""

_EMPTY: Mapping[str, Json] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; frozen, and redacted before it is stored.

    ``ts_us`` is UTC microseconds since 1970. ``source`` says who reported it (``files``,
    ``shell``), ``kind`` what happened (``file.modify``, ``shell.command``), ``subject`` to what (a
    path, a command line), ``app`` by which program. ``data`` carries the rest; ``data["step"]``
    names the burst or commit that the event belongs to, if it is known.
    """

    ts_us: int
    source: str
    kind: str
    subject: str = ""
    app: str = ""
    duration_s: float = 0.0
    data: Mapping[str, Json] = field(default_factory=lambda: _EMPTY)

    @property
    def ts(self) -> datetime:
        """The moment as an aware UTC datetime."""
        return as_datetime(self.ts_us)


@dataclass(frozen=True, slots=True)
class Stored:
    """An event with the sequence number that the log gave it for life."""

    seq: int
    event: Event


@dataclass(frozen=True, slots=True)
class Credits:
    """The answer to an append: what was stored and how many more batches may be in flight."""

    first_seq: int
    last_seq: int
    is_repeat: bool
    credits: int


@dataclass(frozen=True, slots=True)
class Fill:
    """How full the log and the buffer are: one figure for ``status``, metrics and the trigger."""

    events: int
    """In the log."""
    size_bytes: int
    """Of the buffer: the events that no finished cycle has learned from."""
    last_seq: int
    budget_bytes: int
    """What ``size_bytes`` is measured against."""
    new_events: int
    """In the buffer."""
    new_gone: int = 0
    """Of the buffer's numbers those whose events were deleted."""
    forgotten: int = 0
    """How many events were ever deleted: it tells what was computed before apart from what is
    computed now.
    """

    @property
    def consumed_seq(self) -> int:
        """Up to here a finished cycle has learned from the log."""
        return self.last_seq - self.new_events - self.new_gone
