"""What a calendar file (RFC 5545) says of a stretch of time. Runs in the child."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from selflow.collect.confined.exchange import Answer, RefusedFileError, Request

MAX_FILE_BYTES = 20_000_000
_MAX_OCCURRENCES = 5_000
_ENTRY_CPU_S = 2.0
"""A rule that names no day, or a thousand years of seconds, is left alone after this."""


class _RuleError(Exception):
    """A rule that is not followed."""


def read_calendar(file: BinaryIO, request: Request) -> Answer:
    """The events that begin in the stretch, repeated ones included, cancelled ones not.

    Raises:
        RefusedFileError: The file is too large, or no calendar.
    """
    content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise RefusedFileError(f"is larger than {MAX_FILE_BYTES // 1_000_000} MB")
    entries, broken = _entries(content)
    zone = ZoneInfo(request.zone)
    moved = {_moved_key(entry, zone) for entry in entries if entry.get("RECURRENCE-ID")}
    answer = Answer(broken=broken)
    for entry in entries:
        try:
            with _time_limit():
                answer.occurrences += _occurrences(entry, moved, request, zone)
        except Exception:  # noqa: BLE001  (one broken entry is counted, and harms no other)
            answer.broken += 1
        if len(answer.occurrences) > _MAX_OCCURRENCES:
            raise RefusedFileError(f"has more than {_MAX_OCCURRENCES:,} entries in a week")
    return answer


def _entries(content: bytes) -> tuple[list[Any], int]:
    from icalendar import Calendar

    try:
        calendars = Calendar.from_ical(content, multiple=True)
    except ValueError as error:
        raise RefusedFileError("is no calendar, or damaged") from error
    if not calendars:
        raise RefusedFileError("is no calendar")
    entries = [entry for calendar in calendars for entry in calendar.walk("VEVENT")]
    whole = [entry for entry in entries if entry.get("DTSTART") is not None]
    return whole, len(entries) - len(whole)


def _occurrences(
    entry: Any,  # noqa: ANN401  (the library has no types here)
    moved: set[tuple[str, int]],
    request: Request,
    zone: tzinfo,
) -> list[dict[str, str | int]]:
    if str(entry.get("STATUS", "")).upper() == "CANCELLED":
        return []
    start = entry["DTSTART"].dt
    duration_s = _duration(entry, start).total_seconds()
    uid, is_single = str(entry.get("UID", "")), bool(entry.get("RECURRENCE-ID"))
    after, until = _moment(request.after_us), _moment(request.until_us)
    begins: list[dict[str, str | int]] = []
    for begin in [start] if is_single else _starts(entry, start, after, until, zone):
        moment_us = _us(begin, zone)
        if not request.after_us < moment_us <= request.until_us:
            continue
        if not is_single and (uid, moment_us) in moved:
            continue
        begins.append(
            {
                "uid": uid,
                "start_us": moment_us,
                "duration_s": int(duration_s),
                "summary": str(entry.get("SUMMARY", ""))[:300],
                "location": str(entry.get("LOCATION", ""))[:200],
                "is_all_day": int(not isinstance(start, datetime)),
            }
        )
    return begins


def _starts(entry: Any, start: Any, after: datetime, until: datetime, zone: tzinfo) -> list[Any]:  # noqa: ANN401
    """Every begin between two moments, by the wall clock of the entry's own zone."""
    from dateutil.rrule import rruleset, rrulestr

    own = (start.tzinfo or zone) if isinstance(start, datetime) else zone
    times = rruleset()
    times.rdate(_wall(start, own))
    for rule in _listed(entry.get("RRULE")):
        if not set(rule.get("FREQ", [])) <= {"YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"}:
            raise _RuleError
        ends = rule.pop("UNTIL", [])
        text = rule.to_ical().decode()
        if ends:
            last = ends[0] if isinstance(ends[0], datetime) else _end_of_day(ends[0])
            text += f";UNTIL={_wall(last, own):%Y%m%dT%H%M%S}"
        times.rrule(rrulestr(text, dtstart=_wall(start, own)))
    for name, add in (("RDATE", times.rdate), ("EXDATE", times.exdate)):
        for listed in _listed(entry.get(name)):
            for value in listed.dts:
                add(_wall(value.dt, own))
    begins = times.between(_wall(after, own), _wall(until, own), inc=True)
    return [value.replace(tzinfo=own) for value in begins]


def _listed(value: Any) -> list[Any]:  # noqa: ANN401  (the library has no types here)
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _duration(entry: Any, start: Any) -> timedelta:  # noqa: ANN401
    length: timedelta
    if entry.get("DTEND") is not None:
        length = entry["DTEND"].dt - start
    elif entry.get("DURATION") is not None:
        length = entry["DURATION"].dt
    else:
        length = timedelta(0 if isinstance(start, datetime) else 1)
    return max(timedelta(0), min(length, timedelta(days=366)))


def _moved_key(entry: Any, zone: tzinfo) -> tuple[str, int]:  # noqa: ANN401
    return str(entry.get("UID", "")), _us(entry["RECURRENCE-ID"].dt, zone)


def _wall(moment: Any, zone: tzinfo) -> datetime:  # noqa: ANN401
    if not isinstance(moment, datetime):
        return datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001  (wall clock)
    return (moment.astimezone(zone) if moment.tzinfo else moment).replace(tzinfo=None)


def _end_of_day(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 23, 59, 59)  # noqa: DTZ001  (wall clock)


def _us(moment: Any, zone: tzinfo) -> int:  # noqa: ANN401
    if not isinstance(moment, datetime):
        moment = _wall(moment, zone)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return int(aware.timestamp()) * 1_000_000


def _moment(ts_us: int) -> datetime:
    return datetime.fromtimestamp(ts_us // 1_000_000, UTC)


@contextmanager
def _time_limit() -> Iterator[None]:
    def stop(_number: int, _frame: object) -> None:
        raise _RuleError

    signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _ENTRY_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
