"""Which events teach a line of text, and which texts may be shown as one."""

import re
from dataclasses import dataclass

from selflow.core.events import COMMIT_MESSAGE, SHELL_COMMAND, Event, Stored
from selflow.core.surfaces import LineSurface
from selflow.text.lines import MAX_LINE_BYTES

SHELL: LineSurface = "shell"
COMMIT: LineSurface = "commit"
FEEDBACK_WEIGHT = 2.0
"""What an adapter learns from a line counts so much where the owner took a suggestion for it, as it
was or corrected: this is the line that should have been shown.
"""
_SLOT = re.compile(r"<[A-Z]{3,6}>")
"""The slots of redaction, and whatever looks like one."""


def is_presentable(text: str) -> bool:
    """Whether a text may be shown as a line: no control, format or bidirectional characters, no
    slot of a secret.
    """
    return text.isprintable() and _SLOT.search(text) is None


def example_of(event: Event) -> tuple[LineSurface, bytes, bytes] | None:
    """What an event teaches: surface, line and context; None if it teaches none.

    Left out are lines that may not be suggested, those of more than ``MAX_LINE_BYTES``, and those
    that begin with a space, by which a shell's user says that they are not to be remembered.
    """
    line = event.subject.encode()
    if not line or len(line) > MAX_LINE_BYTES or event.subject[0].isspace():
        return None
    if not is_presentable(event.subject):
        return None
    if event.kind == SHELL_COMMAND:
        folder = event.data.get("folder")
        return SHELL, line, folder.encode() if isinstance(folder, str) else b""
    if event.kind == COMMIT_MESSAGE:
        paths = event.data.get("paths")
        named = paths if isinstance(paths, list) else []
        return COMMIT, line, "\n".join(str(path) for path in named).encode()
    return None


@dataclass(frozen=True, slots=True)
class OwnLine:
    """A line that the owner wrote: its place in the log, when, what, and where."""

    seq: int
    ts_us: int
    text: bytes
    context: bytes
    weight: float = 1.0
    """How much it counts where an adapter learns it."""


def own_line(stored: Stored) -> tuple[LineSurface, OwnLine] | None:
    """The surface and the line that an event of the log teaches."""
    example = example_of(stored.event)
    if example is None:
        return None
    surface, text, context = example
    said = stored.event.data.get("suggestion")
    outcome = str(said.get("outcome")) if isinstance(said, dict) else ""
    weight = FEEDBACK_WEIGHT if outcome in {"accepted", "edited"} else 1.0
    return surface, OwnLine(stored.seq, stored.event.ts_us, text, context, weight)
