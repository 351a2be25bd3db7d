"""A step is what happens at once; its labels are what is predicted, clustered and learned."""

import re
from dataclasses import dataclass

_SEPARATOR = "\x1f"
_ESCAPED = re.compile(r"\\([\\x])")


@dataclass(frozen=True, slots=True)
class Step:
    """What happened at once: labels as a set in first-seen order, at ``ts_us`` (UTC
    microseconds).
    """

    ts_us: int
    labels: tuple[str, ...]
    user: str = ""


def event_label(kind: str, subject: str) -> str:
    """Kind and subject as one text; ``label_event`` takes it apart again, whatever the two hold."""
    return kind.replace("\\", "\\\\").replace(_SEPARATOR, "\\x") + _SEPARATOR + subject


def label_event(label: str) -> tuple[str, str]:
    """The kind and subject of a label; a label that is a plain text has the kind ``""``."""
    kind, separator, subject = label.partition(_SEPARATOR)
    if not separator:
        return "", label
    return _ESCAPED.sub(lambda match: "\\" if match[1] == "\\" else _SEPARATOR, kind), subject
