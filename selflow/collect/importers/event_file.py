"""Events from a file that ``selflow events export`` wrote, each as it was."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from selflow.collect.progress import Progress
from selflow.collect.tables import Row, read_rows
from selflow.core.codec import WireLimits, event_from_json
from selflow.core.errors import WireError
from selflow.core.event_file import FIELDS, check_event_file, format_of
from selflow.core.events import Event, Json

_NAMES = [field.name for field in FIELDS if field.name != "seq"]


def import_event_file(path: Path, now_us: int, progress: Progress) -> Iterator[Event]:
    """One event per row, in the order of the file. A row that is not an event of the schema, or
    lies after ``now_us``, is counted in ``progress`` and passed by.

    Args:
        path: A ``.csv``, ``.json``, ``.jsonl`` or ``.parquet`` file.
        now_us: The owner's clock.
        progress: Filled while reading.

    Raises:
        UsageError: As ``tables.read_rows``; or the file is not the one that the schema file beside
            it describes.
    """
    is_text = format_of(path) in {"csv", "parquet"}
    check_event_file(path)
    columns = _NAMES if is_text else []  # a JSON file without rows names no columns
    return _events(read_rows(path, columns, progress), now_us, progress, is_text=is_text)


def _events(
    rows: Iterator[Row], now_us: int, progress: Progress, *, is_text: bool
) -> Iterator[Event]:
    limits = WireLimits()
    for row in rows:
        try:
            raw = _with_parsed(row.values) if is_text else row.values
            yield event_from_json({name: raw[name] for name in _NAMES}, now_us, limits)
        except (WireError, ValueError, KeyError, TypeError, RecursionError):
            progress.skip(row.line)


def _with_parsed(values: Mapping[str, Json]) -> dict[str, Json]:
    """CSV has only texts, and Parquet holds ``data`` as one."""
    duration_s = values["duration_s"]
    return {
        **values,
        "duration_s": float(duration_s) if isinstance(duration_s, str) else duration_s,
        "data": json.loads(str(values["data"])),
    }
