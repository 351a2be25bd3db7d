"""A file of events that is carried away or brought back, and the schema file that lies beside it.

``selflow events export`` writes both, ``selflow import events`` reads both: what the two must agree
on stands here.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from selflow.core.errors import UsageError

EventFileFormat = Literal["csv", "json", "jsonl", "parquet"]
FORMATS: tuple[EventFileFormat, ...] = get_args(EventFileFormat)
SHAPE = "selflow.events/1"


@dataclass(frozen=True, slots=True)
class EventField:
    """One column, with its unit where it has one."""

    name: str
    type: str
    meaning: str


FIELDS = (
    EventField("seq", "integer", "number in the log that it came from"),
    EventField("ts", "timestamp", "UTC, microseconds; RFC 3339 where the format has only text"),
    EventField("source", "text", "who reported it"),
    EventField("kind", "text", "what happened"),
    EventField("subject", "text", "to what"),
    EventField("app", "text", "by which program; empty: unknown"),
    EventField("duration_s", "number", "seconds"),
    EventField("data", "map", "the rest; JSON text in CSV and Parquet"),
)


@dataclass(frozen=True, slots=True)
class EventFileSchema:
    """What ``FILE.schema.json`` says of FILE; ``first`` and ``last`` bound the events' moments."""

    shape: str
    format: EventFileFormat
    rows: int
    size_bytes: int
    sha256: str
    first: str | None
    last: str | None
    exported_at: str
    is_redacted: bool = True
    """Always: secrets are replaced before anything is stored."""

    def text(self) -> str:
        """The schema file's content, with the fields."""
        document = asdict(self) | {"fields": [asdict(field) for field in FIELDS]}
        return json.dumps(document, indent=2) + "\n"


def schema_path(path: Path) -> Path:
    """Where the schema file of an event file lies."""
    return path.with_name(f"{path.name}.schema.json")


def format_of(path: Path) -> EventFileFormat:
    """The format by the file's ending, before ``.gz``.

    Raises:
        UsageError: It is none of ``FORMATS``.
    """
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    if ending not in FORMATS:
        raise UsageError(
            f"{path} does not end as a file of events", f"one of: {', '.join(FORMATS)}"
        )
    return ending


def check_event_file(path: Path) -> EventFileSchema | None:
    """Compare a file with its schema file. None: there is no schema file. Cost: one read.

    Raises:
        UsageError: The schema file is not one of ours, or the file is not the one it describes.
    """
    beside = schema_path(path)
    if not beside.exists():
        return None
    try:
        document = json.loads(beside.read_text(encoding="utf-8"))
        names = [field.name for field in fields(EventFileSchema)]
        schema = EventFileSchema(**{name: document[name] for name in names})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{beside} is not a schema file of SelFlow",
            "remove it to import the file without a check",
        ) from error
    if schema.shape != SHAPE:
        raise UsageError(
            f"{beside} describes a file of another shape", f"this program reads {SHAPE}"
        )
    if sha256_of(path) != schema.sha256:
        raise UsageError(
            f"{path} is not the file that {beside.name} describes: its hash differs",
            "export it again, or remove the schema file if you changed it on purpose",
        )
    return schema


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal.

    Raises:
        UsageError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "check the path and your access to it"
        ) from error
