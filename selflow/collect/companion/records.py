"""What a hook writes: records of eight fields, each ended by a zero byte
(docs/shell.md#records).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from selflow.core.events import Event, Json

FIELDS = 8
SHELLS = (b"bash", b"zsh", b"fish")
MAX_COMMAND_CHARS = 4_096
"""What programs may send as a subject, too (``core.codec``)."""
_MAX_FOLDER_BYTES = 4_096
_HEAD = (
    re.compile(rb"1"),
    re.compile(rb"[0-9]{13,17}"),
    re.compile(rb"bash|zsh|fish|git"),
    re.compile(rb".*", re.DOTALL),
    re.compile(rb"-?[0-9]{1,6}"),
    re.compile(rb"-?[0-9]{1,15}"),
    re.compile(rb"[\w:.-]{0,200}"),
)
_SUGGESTION = re.compile(r"([A-Za-z0-9_-]{1,64}):(accepted|edited|ignored):([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds."""

    records: tuple[tuple[bytes, ...], ...]
    """The fields of each whole record, in order."""
    damaged: int
    """Places where something stood that is no record."""
    is_whole: bool
    """Whether the last record is; half of one may be on its way."""


def parse(content: bytes) -> Parsed:
    """The whole records of a file.

    What is cut (a shell was killed, the disk was full) runs into the next record: reading goes on
    at the next place that looks like the first seven fields of one.

    Cost: linear.
    """
    *fields, rest = content.split(b"\0") if content else [b""]
    records: list[tuple[bytes, ...]] = []
    damaged, index = 0, 0
    is_lost = False
    while index + FIELDS <= len(fields):
        is_next = _begins(fields, index, fields[index]) or (
            is_lost and _begins(fields, index, fields[index][-1:])
        )
        if is_next and not _is_cut(fields, index):
            records.append(tuple(fields[index : index + FIELDS]))
            index, is_lost = index + FIELDS, False
        elif is_lost:
            index += 1
        else:
            damaged, is_lost = damaged + 1, True
    return Parsed(tuple(records), damaged, index == len(fields) and not rest)


def _is_cut(fields: Sequence[bytes], index: int) -> bool:
    """Whether another record begins within the eight fields of one."""
    inside = range(index + 1, index + FIELDS)
    return any(_begins(fields, later, fields[later][-1:]) for later in inside)


def _begins(fields: Sequence[bytes], index: int, version: bytes) -> bool:
    """Whether a record begins at a field, if what is cut before it ended at ``version``."""
    head = (version, *fields[index + 1 : index + len(_HEAD)])
    return len(head) == len(_HEAD) and all(
        shape.fullmatch(field) for shape, field in zip(_HEAD, head, strict=True)
    )


def events_of(records: Sequence[tuple[bytes, ...]], newest_us: int) -> Iterator[Event | None]:
    """The event of each record; None for one that is not stored: longer than a command is, or dated
    after ``newest_us``.

    A line that begins with a space is nobody's: no hook writes it, and here it is left out too.
    """
    for _, ts, shell, folder, status, duration, suggestion, command in records:
        text = command.decode("utf-8", "replace")
        if not text or text[0].isspace():
            continue
        if shell not in SHELLS:
            continue
        if len(text) > MAX_COMMAND_CHARS or int(ts) > newest_us:
            yield None
            continue
        data: dict[str, Json] = {
            "folder": folder[:_MAX_FOLDER_BYTES].decode("utf-8", "replace"),
            "exit_status": int(status),
        }
        if match := _SUGGESTION.fullmatch(suggestion.decode("ascii", "replace")):
            data["suggestion"] = {
                "decision_id": match[1],
                "outcome": match[2],
                "typed_bytes": int(match[3]),
            }
        # A clock that is set back while a command runs makes it shorter than nothing
        duration_s = max(0, int(duration)) / 1e6
        yield Event(int(ts), "shell", "shell.command", text, shell.decode(), duration_s, data)
