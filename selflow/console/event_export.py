"""Stored events into a file: streamed, whole or not at all, with a schema file beside it."""

import csv
import errno
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from selflow.console.event_listing import PAGE_EVENTS, EventQuery, event_document
from selflow.core.clock import rfc3339
from selflow.core.errors import StoreError, UsageError
from selflow.core.event_file import (
    FIELDS,
    SHAPE,
    EventFileFormat,
    EventFileSchema,
    schema_path,
    sha256_of,
)
from selflow.core.paths import sync_folder, write_private

if TYPE_CHECKING:
    from selflow.core.events import Stored
    from selflow.store.log import LogReader

_COLUMNS = [field.name for field in FIELDS]


def wanted_events(
    reader: "LogReader", wanted: EventQuery, on_read: Callable[[int], None] = lambda _seq: None
) -> Iterator["Stored"]:
    """The wanted events in the order in which they were stored. ``on_read`` hears up to which
    number the log was read. Cost: one pass over the log, 500 events in memory.
    """
    last_seq = 0
    while page := reader.read(last_seq, PAGE_EVENTS):
        last_seq = page[-1].seq
        yield from (stored for stored in page if wanted.covers(stored))
        on_read(last_seq)


def export_events(
    path: Path, file_format: EventFileFormat, events: Iterable["Stored"], now_us: int
) -> EventFileSchema:
    """Write the events and then the schema file; both with mode 0600.

    Raises:
        UsageError: The file is there already, or its folder is not.
        StoreError: ``storage_full`` or another refusal of the disk; nothing is left behind.
    """
    if path.exists():
        raise UsageError(f"{path} is there already", "give another name, or remove it")
    span = _Span()
    with _new_file(path) as (file, temporary):
        writer = _WRITERS[file_format](file)
        for stored in events:
            span.add(stored.event.ts_us)
            writer.add(stored)
        writer.close()
        file.flush()
        os.fsync(file.fileno())
        schema = EventFileSchema(
            shape=SHAPE,
            format=file_format,
            rows=span.rows,
            size_bytes=temporary.stat().st_size,
            sha256=sha256_of(temporary),
            first=None if span.first_us is None else rfc3339(span.first_us),
            last=None if span.last_us is None else rfc3339(span.last_us),
            exported_at=rfc3339(now_us),
        )
        write_private(schema_path(path), schema.text())
        temporary.replace(path)
        sync_folder(path.parent)
    return schema


class _Span:
    """How many rows, and the moments between which they lie."""

    def __init__(self) -> None:
        self.rows = 0
        self.first_us: int | None = None
        self.last_us: int | None = None

    def add(self, ts_us: int) -> None:
        self.rows += 1
        self.first_us = ts_us if self.first_us is None else min(self.first_us, ts_us)
        self.last_us = ts_us if self.last_us is None else max(self.last_us, ts_us)


@contextmanager
def _new_file(path: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """A file that becomes ``path`` when the block has renamed it, and is gone if it did not."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            yield file, temporary
    except OSError as error:
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}", "make it first") from error
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
        raise StoreError(
            f"cannot write {path}: {error.strerror}",
            "free some space, or give another folder",
            "storage_full" if is_full else "store_failed",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


class _Writer(Protocol):
    """Turns events in the shape of the API into a format's bytes."""

    def __init__(self, file: BinaryIO) -> None: ...

    def add(self, stored: "Stored") -> None:
        """Write one event."""
        ...

    def close(self) -> None:
        """Write what stands at the end."""
        ...


class _CsvWriter:
    """RFC 4180, UTF-8, a header line."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        self._rows = csv.writer(self._text)
        self._rows.writerow(_COLUMNS)

    def add(self, stored: "Stored") -> None:
        event = event_document(stored)
        self._rows.writerow([*list(event.values())[:-1], _json(event["data"])])

    def close(self) -> None:
        self._text.detach()


class _LineWriter:
    """One JSON object on each line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, stored: "Stored") -> None:
        self._file.write(f"{_json(event_document(stored))}\n".encode())

    def close(self) -> None:
        """Nothing stands at the end."""


class _ArrayWriter:
    """One JSON array, an event on each line."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._before = "[\n"

    def add(self, stored: "Stored") -> None:
        self._file.write(f"{self._before}{_json(event_document(stored))}".encode())
        self._before = ",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._before.startswith("[") else b"\n]\n")


class _ParquetWriter:
    """Apache Parquet by pyarrow; row groups of 10,000 events."""

    _GROUP_ROWS = 10_000

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        types = {
            "integer": pa.int64(),
            "timestamp": pa.timestamp("us", "UTC"),
            "number": pa.float64(),
        }
        self._schema = pa.schema(
            [(field.name, types.get(field.type, pa.string())) for field in FIELDS]
        )
        self._writer = ParquetWriter(file, self._schema)
        self._table = pa.Table
        self._rows: list[dict[str, object]] = []

    def add(self, stored: "Stored") -> None:
        event = event_document(stored)
        self._rows.append({**event, "ts": stored.event.ts, "data": _json(event["data"])})
        if len(self._rows) == self._GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows.clear()


_WRITERS: dict[EventFileFormat, type[_Writer]] = {
    "csv": _CsvWriter,
    "json": _ArrayWriter,
    "jsonl": _LineWriter,
    "parquet": _ParquetWriter,
}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
