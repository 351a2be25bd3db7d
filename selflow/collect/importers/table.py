"""Events from a table: a column map says which column is what."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selflow.collect.progress import Progress
from selflow.collect.tables import Row, read_rows
from selflow.core.clock import parse_ts_us
from selflow.core.codec import encode_record
from selflow.core.errors import UsageError
from selflow.core.events import Event, Json

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MAX_SECONDS, _MAX_MILLISECONDS = 2.5e11, 2.5e14


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Which column of a table is what; None: there is none. ``rest``: the other columns go into
    ``data``.
    """

    ts: str
    kind: str | None = None
    subject: str | None = None
    app: str | None = None
    step: str | None = None
    duration_s: str | None = None
    rest: bool = False

    @classmethod
    def parse(cls, pairs: Sequence[str], *, rest: bool = False) -> "ColumnMap":
        """A map from texts such as ``ts=when`` and ``subject=path``.

        Raises:
            UsageError: If a pair is not ``NAME=COLUMN``, a name is unknown or given twice, or
            ``ts`` is missing.
        """
        named: dict[str, str] = {}
        for pair in pairs:
            name, _, column = pair.partition("=")
            if name not in _NAMES or not column or name in named:
                raise UsageError(
                    f"invalid column map: {pair}",
                    f"give each name once, as NAME=COLUMN: {', '.join(_NAMES)}",
                )
            named[name] = column
        if "ts" not in named:
            raise UsageError("the column map has no ts", "add ts=COLUMN")
        return cls(**named, rest=rest)

    @property
    def columns(self) -> list[str]:
        """The columns that must be there."""
        return [column for column in (getattr(self, name) for name in _NAMES) if column is not None]


_NAMES = ("ts", "kind", "subject", "app", "step", "duration_s")


def import_table(
    path: Path, columns: ColumnMap, source: str, progress: Progress
) -> Iterator[Event]:
    """One event per row, in the order of the file.

    A moment is RFC 3339 text or a number since 1970: of seconds, or of milliseconds or microseconds
    where the number is too large for seconds (beyond the year 9892). Without a ``kind`` column
    events are ``table.row``. A row without a usable moment or duration, or with something no record
    can hold (an integer of more than 64 bits, a lone surrogate), is counted in ``progress`` and
    passed by.

    Args:
        path: A ``.csv`` or ``.jsonl`` file, or one with ``.gz``.
        columns: What is where.
        source: The source of the events.
        progress: Filled while reading.

    Raises:
        UsageError: As ``tables.read_rows``.
    """
    rows = read_rows(path, columns.columns, progress)
    return _events(rows, columns, source, progress)


def _events(
    rows: Iterator[Row], columns: ColumnMap, source: str, progress: Progress
) -> Iterator[Event]:
    for row in rows:
        try:
            event = _event(row, columns, source)
            encode_record(event)
        except (ValueError, OverflowError):
            progress.skip(row.line)
        else:
            yield event


def _event(row: Row, columns: ColumnMap, source: str) -> Event:
    """Raises ValueError for a moment or a duration that is none."""
    values = row.values
    data: dict[str, Json] = {}
    if columns.rest:
        mapped = set(columns.columns)
        data = {name: value for name, value in values.items() if name not in mapped}
    if step := _text(values.get(columns.step or "")):
        data["step"] = step
    return Event(
        ts_us=moment_us(values.get(columns.ts)),
        source=source,
        kind=_text(values.get(columns.kind or "")) or "table.row",
        subject=_text(values.get(columns.subject or "")),
        app=_text(values.get(columns.app or "")),
        duration_s=_duration_s(values.get(columns.duration_s or "")),
        data=data,
    )


def moment_us(value: Json) -> int:
    """A moment from a table as UTC microseconds. Raises ValueError if it is none."""
    if isinstance(value, str):
        text = value.strip()
        value = (float(text) if "." in text else int(text)) if _NUMBER.fullmatch(text) else text
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= _MAX_SECONDS:
        value = value / 1e3 if value < _MAX_MILLISECONDS else value / 1e6
    return parse_ts_us(value)


def _duration_s(value: Json) -> float:
    if value is None or value == "":
        return 0.0
    if isinstance(value, bool | list | dict):
        raise ValueError("a duration must be a number")  # noqa: TRY004  (one kind of error for a bad row)
    duration_s = float(value)
    if not 0 <= duration_s < 1e9:
        raise ValueError("a duration must be 0 or more seconds")
    return duration_s


def _text(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else str(value)
