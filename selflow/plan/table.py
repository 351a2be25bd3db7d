"""Cells of a table as tasks."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from selflow.core.clock import parse_ts_us
from selflow.core.events import Json
from selflow.plan.task import Task

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAY = re.compile(r"(\d{1,2})[- ]([A-Za-z]{3})[a-z]*[- ](\d{4}|\d{2})")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_SEPARATORS = re.compile(r"\s*[,;|]\s*")
_LEVELS = {"highest": 1, "high": 1, "h": 1, "medium": 5, "m": 5, "low": 9, "l": 9, "lowest": 9}
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})


@dataclass(frozen=True, slots=True)
class TaskColumns:
    """Which column holds what."""

    time: str
    id: str | None = None
    estimate: str | None = None
    actual: str | None = None
    tags: tuple[str, ...] = ()
    priority: str | None = None
    created: str | None = None
    started: str | None = None
    completed: str | None = None
    user: str | None = None

    @property
    def names(self) -> list[str]:
        """All that are named."""
        single = (self.time, self.id, self.estimate, self.actual, self.priority, self.user)
        moments = (self.created, self.started, self.completed)
        return [name for name in (*single, *moments, *self.tags) if name is not None]

    def with_priority(self, there: Sequence[str]) -> "TaskColumns":
        """With the column that is named priority, if there is one and none was given."""
        named = next((name for name in there if name.lower() == "priority"), None)
        return self if self.priority is not None else replace(self, priority=named)


@dataclass(slots=True)
class Unusable:
    """Cells that hold something, but nothing that can be used; they count as missing."""

    moments: int = 0
    durations: int = 0


def task_from(values: Mapping[str, Json], columns: TaskColumns, unusable: Unusable) -> Task:
    """A row as a task; an empty cell is missing.

    Raises:
        ValueError: Its time is missing or none.
    """

    def cell(name: str | None) -> Json:
        return values.get(name) if name is not None else None

    def moment(name: str | None) -> int | None:
        value = cell(name)
        if _is_missing(value):
            return None
        try:
            return task_moment_us(value)
        except (ValueError, OverflowError):
            unusable.moments += 1
            return None

    def duration(name: str | None) -> float | None:
        value = cell(name)
        if _is_missing(value):
            return None
        number = _number(value)
        if 0 < number < math.inf:
            return number
        unusable.durations += 1
        return None

    ts_us, completed_us = task_moment_us(cell(columns.time)), moment(columns.completed)
    return Task(
        ts_us=ts_us,
        estimate=duration(columns.estimate),
        actual=duration(columns.actual),
        tags=_tags([cell(name) for name in columns.tags]),
        priority=_priority(cell(columns.priority)),
        created_us=moment(columns.created),
        started_us=moment(columns.started),
        completed_us=completed_us,
        known_us=completed_us if columns.completed else ts_us,
        user=_text(cell(columns.user)),
        id=_text(cell(columns.id)),
    )


def task_moment_us(value: Json) -> int:
    """UTC microseconds of RFC 3339, a day such as 2004-02-26, 2004/02/26 or 26-Feb-04 (from 70 on
    of the last century), or a number of seconds, milliseconds or microseconds since 1970.

    Raises:
        ValueError: It is none.
    """
    if isinstance(value, str):
        value = value.strip()
        if day := _DAY.fullmatch(value):
            return _day_us(*day.groups())
        value = value.replace("/", "-") if re.match(r"\d{4}/", value) else value
        if _NUMBER.fullmatch(value):
            value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 250e9:
        value = value / 1e3 if value < 250e12 else value / 1e6
    return parse_ts_us(value)


def _day_us(day: str, month: str, year: str) -> int:
    if month.lower() not in _MONTHS:
        raise ValueError("a month must have its English name")
    full = int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 70 else 2000)
    moment = datetime(full, _MONTHS.index(month.lower()) + 1, int(day), tzinfo=UTC)
    return parse_ts_us(moment.timestamp())


def _tags(cells: Sequence[Json]) -> tuple[str, ...]:
    """One tag per column; of a single column one per tag in it."""
    if len(cells) != 1:
        return tuple(_text(value) for value in cells)
    value = cells[0]
    parts = [_text(part) for part in value] if isinstance(value, list) else _split(_text(value))
    return tuple(part for part in parts if part)


def _split(text: str) -> list[str]:
    if text.startswith("#"):
        return text.replace("#", " ").split()
    return _SEPARATORS.split(text)


def _priority(value: Json) -> float | None:
    """1 comes first; H, M and L are 1, 5 and 9, as in iCalendar."""
    if _is_missing(value):
        return None
    number = float(_LEVELS.get(_text(value).lower(), math.nan))
    number = _number(value) if math.isnan(number) else number
    return number if math.isfinite(number) else None


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan


def _is_missing(value: Json) -> bool:
    return value is None or (isinstance(value, str) and value.strip().lower() in _MISSING)


def _text(value: Json) -> str:
    return "" if _is_missing(value) else str(value).strip()
