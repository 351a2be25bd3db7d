"""Rows of CSV, JSON and Parquet files: lazily, with checked column names."""

import csv
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import BinaryIO

from selflow.collect.progress import Progress
from selflow.core.errors import UsageError
from selflow.core.events import Json

_HEAD_ROWS = 100
"""Objects of a JSON-lines file that are looked at for the names of its columns."""
MAX_UNPACKED_BYTES = 1_000_000_000
"""A gzip file may unpack to this much; one of 1 MB can unpack to 1 GB and more."""
MAX_JSON_CHARS = 200_000_000
"""A JSON list is parsed whole: five times as much memory for a moment."""
MAX_LINE_CHARS = 1_000_000
"""A longer line is a bad row; no event is that large."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row. CSV values are texts; JSON values are what they are. ``line`` counts from 1."""

    line: int
    values: Mapping[str, Json]


def read_rows(path: Path, columns: Sequence[str], progress: Progress) -> Iterator[Row]:
    """The rows of a ``.csv``, ``.jsonl`` or ``.json`` file (a list of objects), each also with
    ``.gz``, or of a ``.parquet`` file.

    The file is opened and its columns are checked at once; rows are read as they are asked for, but
    a ``.json`` file, which is parsed whole. A CSV row with too few or too many fields and what is
    not a JSON object are counted in ``progress`` and passed by. In Parquet a moment becomes RFC
    3339 text, a decimal a number; binary columns are not read.

    Args:
        path: The file.
        columns: Names that must be there.
        progress: Filled with bytes, rows and bad lines.

    Raises:
        UsageError: If the file cannot be read, is of another format, is damaged or unpacks
            to more than ``MAX_UNPACKED_BYTES`` (both also later, while reading), or lacks a
            column; the message names the column, the hint those that are there.
    """
    read = _reader(path)
    rows = _counted(read(path, columns, progress), progress)
    try:
        first = next(rows)
    except StopIteration:
        return iter(())
    return chain([first], rows)


_Read = Callable[[Path, Sequence[str], Progress], Iterator[Row]]
_Parse = Callable[[Iterator[str], Path, Sequence[str], Progress], Iterator[Row]]


def _reader(path: Path) -> _Read:
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending == ".parquet" and path.suffix != ".gz":
        return _parquet_rows
    parsers: dict[str, _Parse] = {
        ".csv": _csv_rows,
        ".jsonl": _json_line_rows,
        ".ndjson": _json_line_rows,
        ".json": _json_list_rows,
    }
    if ending not in parsers:
        raise UsageError(
            f"{path} is neither CSV nor JSON nor Parquet",
            "give a .csv, .jsonl or .json file, or one with .gz, or a .parquet file",
        )
    return partial(_text_rows, parsers[ending])


def _text_rows(
    parse: _Parse, path: Path, columns: Sequence[str], progress: Progress
) -> Iterator[Row]:
    with open_lines(path, progress) as lines:
        yield from parse(lines, path, columns, progress)


def _counted(rows: Iterator[Row], progress: Progress) -> Iterator[Row]:
    for row in rows:
        progress.rows += 1
        yield row


@contextmanager
def open_lines(path: Path, progress: Progress) -> Iterator[Iterator[str]]:
    """The lines of a text file, plain or gzipped, with their ends; bytes that are not UTF-8 become
    U+FFFD.

    Raises:
        UsageError: If the file cannot be opened or, while reading, turns out to be damaged or to
            unpack to more than ``MAX_UNPACKED_BYTES``.
    """
    try:
        with path.open("rb") as raw:
            progress.total = os.fstat(raw.fileno()).st_size
            unpacked = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
            with io.TextIOWrapper(
                unpacked, encoding="utf-8-sig", errors="replace", newline=""
            ) as text:
                yield _bounded_lines(text, path, unpacked, raw, progress)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UsageError(
            f"{path} is damaged after row {progress.rows:,}", "unpack it by hand to see the cause"
        ) from error
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else "it is not a readable file"
        raise UsageError(
            f"cannot read {path}: {why}", "check the path and your access to it"
        ) from error


def _bounded_lines(
    text: io.TextIOWrapper,
    path: Path,
    unpacked: gzip.GzipFile | BinaryIO,
    raw: BinaryIO,
    progress: Progress,
) -> Iterator[str]:
    """Lines of at most ``MAX_LINE_CHARS``; a longer one is counted as bad and read as empty.

    Memory: one line and the buffers, whatever the file unpacks to.
    """
    number = 0
    while line := text.readline(MAX_LINE_CHARS):
        number += 1
        if len(line) == MAX_LINE_CHARS and not line.endswith("\n"):
            progress.skip(number)
            while line and not line.endswith("\n"):
                _check_unpacked(path, unpacked)
                line = text.readline(MAX_LINE_CHARS)
            line = "\n"
        _check_unpacked(path, unpacked)
        progress.done = raw.tell()
        yield line


def _check_unpacked(path: Path, unpacked: gzip.GzipFile | BinaryIO) -> None:
    if isinstance(unpacked, gzip.GzipFile) and unpacked.tell() > MAX_UNPACKED_BYTES:
        raise UsageError(
            f"{path} unpacks to more than {MAX_UNPACKED_BYTES:,} bytes",
            "if you trust it, unpack it by hand and import the plain file",
        )


def _csv_rows(
    lines: Iterator[str], path: Path, columns: Sequence[str], progress: Progress
) -> Iterator[Row]:
    reader = csv.reader((line.replace("\0", "�") for line in lines), strict=False)
    header = next(reader, [])
    _check_columns(path, columns, header)
    while True:
        start = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            progress.skip(start)
            continue
        if len(fields) == len(header):
            yield Row(start, dict(zip(header, fields, strict=True)))
        elif fields:
            progress.skip(start)


def _json_line_rows(
    lines: Iterator[str], path: Path, columns: Sequence[str], progress: Progress
) -> Iterator[Row]:
    return _checked_rows(_json_objects(lines, progress), path, columns)


def _json_list_rows(
    lines: Iterator[str], path: Path, columns: Sequence[str], progress: Progress
) -> Iterator[Row]:
    """``line`` is the place in the list."""
    text: list[str] = []
    chars = 0
    for line in lines:
        text.append(line)
        chars += len(line)
        if chars > MAX_JSON_CHARS:
            raise UsageError(
                f"{path} holds more than {MAX_JSON_CHARS:,} characters, which are parsed at once",
                "turn it into JSON lines, which are read one by one",
            )
    try:
        values = json.loads("".join(text) or "[]")
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path} is not JSON", "if it has one object on each line, name it .jsonl"
        ) from error
    if not isinstance(values, list):
        raise UsageError(f"{path} is not a list of objects", "it begins with [ and ends with ]")
    return _checked_rows(_objects(values, progress), path, columns)


def _checked_rows(rows: Iterator[Row], path: Path, columns: Sequence[str]) -> Iterator[Row]:
    head = list(islice(rows, _HEAD_ROWS))
    _check_columns(path, columns, list(dict.fromkeys(name for row in head for name in row.values)))
    return chain(head, rows)


def _json_objects(lines: Iterator[str], progress: Progress) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            progress.skip(number)


def _objects(values: list[Json], progress: Progress) -> Iterator[Row]:
    for number, value in enumerate(values, start=1):
        if isinstance(value, dict):
            yield Row(number, value)
        else:
            progress.skip(number)


def _parquet_rows(path: Path, columns: Sequence[str], progress: Progress) -> Iterator[Row]:
    """Read in batches of 1,000 rows; ``progress.done`` counts rows."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            names = [
                field.name for field in file.schema_arrow if not pa.types.is_binary(field.type)
            ]
            _check_columns(path, columns, names)
            progress.total = file.metadata.num_rows
            numbers = count(1)
            for batch in file.iter_batches(1_000, columns=names):
                for values in batch.to_pylist():
                    progress.done = next(numbers)
                    yield Row(
                        progress.done, {name: _plain(value) for name, value in values.items()}
                    )
    except (pa.ArrowException, OSError) as error:
        raise UsageError(
            f"cannot read {path} as Parquet ({type(error).__name__})",
            "check the path, your access to it, and that it is whole",
        ) from error


def _plain(value: object) -> Json:
    """A value of Arrow as JSON has it; nested values keep their shape."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value)


def _check_columns(path: Path, columns: Sequence[str], there: Sequence[str]) -> None:
    for column in columns:
        if column not in there:
            raise UsageError(
                f"{path} has no column {column}", f"its columns: {', '.join(there) or 'none'}"
            )
