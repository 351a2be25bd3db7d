"""Which events teach a line of text, and which texts may be shown as one."""

import re
from dataclasses import dataclass

SHELL, COMMIT = "shell", "commit"
_SLOT = re.compile(r"<[A-Z]{3,6}>")
"""The slots of redaction, and whatever looks like one."""


@dataclass(frozen=True, slots=True)
class OwnLine:
    """A line that the owner wrote: its place in the log, when, what, and where."""

    seq: int
    ts_us: int
    text: bytes
    context: bytes
