"""A whole table in memory, each row in its place: also those that could not be read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selflow.collect.importers.table import moment_us
from selflow.collect.progress import Progress
from selflow.collect.tables import read_rows
from selflow.core.errors import UsageError
from selflow.core.events import Json
from selflow.core.steps import Step, event_label

MAX_BAD_ROWS = 100
"""As many as ``Progress`` names: beyond them a row's place is not known."""
_TIMES = ("ts", "time", "timestamp", "datetime", "date", "when", "created_at")
_USERS = ("user", "user_id", "person", "owner")
_KINDS = ("kind", "type", "event", "action")


@dataclass(frozen=True, slots=True)
class WholeTable:
    """``rows`` in the order of the file; None for one that could not be read."""

    rows: Sequence[Mapping[str, Json] | None]
    columns: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, columns: Sequence[str], max_rows: int) -> "WholeTable":
        """All rows, and the columns that are asked for, else all that the first good row has.

        Raises:
            UsageError: The file cannot be read, lacks a column, or holds too many rows, or too many
            that are invalid.
        """
        reading = Progress()
        lines: list[tuple[int, Mapping[str, Json] | None]] = []
        for row in read_rows(path, columns, reading):
            lines.append((row.line, row.values))
            if len(lines) > max_rows:
                raise UsageError(f"{path} holds more than {max_rows:,} rows", "name a part of it")
        if reading.bad_rows > MAX_BAD_ROWS:
            raise UsageError(
                f"{path} holds {reading.bad_rows:,} invalid rows",
                "write each row with as many fields as the header, or as one JSON object",
            )
        there = tuple(columns) or tuple(lines[0][1] or () if lines else ())
        lines += [(line, None) for line in reading.bad_lines]
        lines.sort(key=lambda item: item[0])
        return cls([values for _, values in lines], there)

    def numbers(self) -> tuple[tuple[str, ...], list[list[float]]]:
        """The columns that hold a number in most rows, and each row's; NaN where there is none."""
        cells = {
            name: [_number(row.get(name)) if row else math.nan for row in self.rows]
            for name in self.columns
        }
        names = tuple(
            name
            for name, values in cells.items()
            if 2 * sum(map(math.isfinite, values)) > len(values)
        )
        return names, [list(row) for row in zip(*(cells[name] for name in names), strict=True)]

    def steps(self) -> list[Step | None]:
        """Each row as an event: when, by whom, of which kind, and its other texts; None without a
        time.

        Columns for time, user and kind are known by their names (``ts``, ``user``, ``kind``, ...),
        the time also by what it holds.

        Raises:
            UsageError: No column holds times.
        """
        time = self._time_column()
        user = next((name for name in self.columns if name.lower() in _USERS), None)
        kind = next((name for name in self.columns if name.lower() in _KINDS), None)
        texts = [name for name in self.columns if name not in {time, user, kind}]
        return [self._step(row, time, user, kind, texts) for row in self.rows]

    @staticmethod
    def _step(
        row: Mapping[str, Json] | None,
        time: str,
        user: str | None,
        kind: str | None,
        texts: Sequence[str],
    ) -> Step | None:
        ts_us = _moment(row.get(time)) if row else None
        if row is None or ts_us is None:
            return None
        words = [str(row[name]) for name in texts if row.get(name) not in {None, ""}]
        label = event_label(str(row.get(kind or "") or ""), " ".join(words))
        return Step(ts_us, (label,), str(row.get(user or "") or ""))

    def _time_column(self) -> str:
        by_name = sorted(self.columns, key=lambda name: name.lower() not in _TIMES)
        for name in by_name:
            values = [row.get(name) for row in self.rows if row]
            is_named = name.lower() in _TIMES
            moments = sum(
                _moment(value) is not None
                for value in values
                if is_named or (isinstance(value, str) and not math.isfinite(_number(value)))
            )
            if 2 * moments > len(values):
                return name
        raise UsageError(
            f"no column holds times; there are: {', '.join(self.columns) or 'none'}",
            "name the column of times ts, in RFC 3339 or seconds since 1970",
        )


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _moment(value: Json) -> int | None:
    try:
        return moment_us(value)
    except (ValueError, OverflowError):
        return None
