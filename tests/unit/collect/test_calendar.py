"""Calendars: each entry once it has begun, whatever a file holds."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from selflow.collect.calendar_source import CalendarReader
from selflow.collect.confined.exchange import Request
from selflow.collect.confined.runner import read_confined
from selflow.collect.rooted import CalendarAt
from selflow.core.events import Event
from tests.unit.collect.parsing import read_here
from tests.unit.collect.test_browser import Log

BERLIN = ZoneInfo("Europe/Berlin")
CONSENT_US = int(datetime(2026, 3, 23, tzinfo=BERLIN).timestamp()) * 1_000_000
DAY_US = 86_400_000_000


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()) * 1_000_000


def _entry(*lines: str, uid: str = "a", start: str = "TZID=Europe/Berlin:20260323T090000") -> str:
    sign = ";" if "=" in start or ":" in start else ":"
    own = "\r\n".join((f"UID:{uid}", f"DTSTART{sign}{start}", *lines))
    return f"BEGIN:VEVENT\r\n{own}\r\nEND:VEVENT"


def _calendar(folder: Path, *entries: str) -> Path:
    path = folder / "work.ics"
    body = "\r\n".join(entries)
    path.write_text(f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}\r\nEND:VCALENDAR\r\n")
    return path


def _reader(folder: Path, consent_us: int = CONSENT_US, **options: Any) -> CalendarReader:
    section = CalendarAt(
        type="calendar",
        paths=(str(folder),),
        consent_us=consent_us,
        positions=str(folder / "positions"),
        copies=str(folder / "copies"),
        **options,
    )
    return CalendarReader(section, "/home/me", read_here)


def _look(reader: CalendarReader, log: Log, now: str) -> list[int | str]:
    return list(reader.read(log, _us(now), is_last=False))


def _begun(events: Sequence[Event]) -> list[str]:
    return [
        f"{datetime.fromtimestamp(event.ts_us / 1e6, BERLIN):%m-%d %H:%M} {event.subject}"
        for event in events
    ]


@pytest.fixture(autouse=True)
def _in_berlin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selflow.collect.calendar_source.owner_zone", lambda: BERLIN)


def test_an_entry_is_told_once_it_has_begun(tmp_path: Path) -> None:
    _calendar(tmp_path, _entry("SUMMARY:Review", "DURATION:PT45M", "LOCATION:R 2"))
    reader, log = _reader(tmp_path), Log()
    _look(reader, log, "2026-03-23T08:59")
    before = list(log.events)
    _look(reader, log, "2026-03-23T09:00")
    _look(reader, log, "2026-03-23T09:01")

    assert before == []
    assert _begun(log.events) == ["03-23 09:00 Review"]
    assert (log.events[0].duration_s, log.events[0].data) == (2_700, {"location": "R 2"})


def test_a_restart_repeats_no_entry(tmp_path: Path) -> None:
    _calendar(tmp_path, _entry("SUMMARY:Review"))
    log = Log()
    _look(_reader(tmp_path), log, "2026-03-23T10:00")
    _look(_reader(tmp_path), log, "2026-03-24T10:00")

    assert _begun(log.events) == ["03-23 09:00 Review"]


def test_repeated_entries_keep_the_wall_clock_over_summer_time(tmp_path: Path) -> None:
    _calendar(
        tmp_path,
        _entry(
            "SUMMARY:Standup",
            "RRULE:FREQ=DAILY;UNTIL=20260401T000000Z",
            "EXDATE;TZID=Europe/Berlin:20260330T090000",
        ),
        _entry(
            "SUMMARY:Moved",
            "RECURRENCE-ID;TZID=Europe/Berlin:20260328T090000",
            start="TZID=Europe/Berlin:20260328T110000",
        ),
    )
    log = Log()
    _look(_reader(tmp_path), log, "2026-03-29T23:00")
    _look(_reader(tmp_path), log, "2026-04-03T00:00")

    assert _begun(sorted(log.events, key=lambda each: each.ts_us)) == [
        *(f"03-{day} 09:00 Standup" for day in range(23, 28)),
        "03-28 11:00 Moved",
        "03-29 09:00 Standup",
        "03-31 09:00 Standup",
    ]


def test_whole_days_and_times_of_a_calendars_own_zone_are_understood(tmp_path: Path) -> None:
    zone = (
        "BEGIN:VTIMEZONE\r\nTZID:Office\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0500\r\nTZOFFSETTO:+0500\r\nEND:STANDARD\r\nEND:VTIMEZONE"
    )
    _calendar(
        tmp_path,
        zone,
        _entry("SUMMARY:Off", uid="b", start="VALUE=DATE:20260323"),
        _entry("SUMMARY:Call", uid="c", start="TZID=Office:20260323T120000"),
    )
    log = Log()
    _look(_reader(tmp_path), log, "2026-03-23T12:00")

    assert _begun(log.events) == ["03-23 00:00 Off", "03-23 08:00 Call"]
    assert (log.events[0].duration_s, log.events[0].data) == (86_400, {"is_all_day": True})


def test_what_began_before_the_consent_is_not_told(tmp_path: Path) -> None:
    _calendar(tmp_path, _entry("RRULE:FREQ=DAILY", "SUMMARY:Standup"))
    recent, older = Log(), Log()
    _look(_reader(tmp_path, CONSENT_US + DAY_US), recent, "2026-03-24T10:00")
    _look(_reader(tmp_path, CONSENT_US + DAY_US, history_days=1), older, "2026-03-24T10:00")

    assert _begun(recent.events) == ["03-24 09:00 Standup"]
    assert len(older.events) == 2


@pytest.mark.slow
def test_a_calendar_is_read_by_a_child(tmp_path: Path) -> None:
    path = _calendar(tmp_path, _entry("SUMMARY:Review"))
    answer = read_confined(
        path, Request("calendar", after_us=0, until_us=CONSENT_US + DAY_US, zone="Europe/Berlin")
    )

    assert [each["summary"] for each in answer.occurrences] == ["Review"]


def test_cancelled_entries_are_not_told(tmp_path: Path) -> None:
    _calendar(tmp_path, _entry("SUMMARY:Review", "STATUS:CANCELLED"))
    log = Log()
    _look(_reader(tmp_path), log, "2026-03-23T10:00")

    assert log.events == []


BROKEN = {
    "a rule without sense": _entry("RRULE:FREQ=SOMETIMES", uid="x"),
    "a day that never comes": _entry(
        "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30", uid="x", start="10260101T000000"
    ),
    "a thousand years of seconds": _entry("RRULE:FREQ=SECONDLY", uid="x", start="10260101T000000"),
    "no begin": "BEGIN:VEVENT\r\nUID:x\r\nSUMMARY:x\r\nEND:VEVENT",
    "a begin without sense": _entry(uid="x", start="yesterday"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_rule_is_counted_and_harms_no_other_entry(what: str, tmp_path: Path) -> None:
    path = _calendar(tmp_path, BROKEN[what], _entry("SUMMARY:Review"))
    log = Log()
    outcome = _look(_reader(tmp_path), log, "2026-03-23T10:00")

    assert _begun(log.events) == ["03-23 09:00 Review"]
    assert any(f"{path}: 1 entries are broken" in str(each) for each in outcome)


@pytest.mark.slow
def test_a_rule_of_a_thousand_years_is_followed(tmp_path: Path) -> None:
    _calendar(tmp_path, _entry("SUMMARY:Sun", "RRULE:FREQ=DAILY", start="10260101T060000"))
    log = Log()
    _look(_reader(tmp_path), log, "2026-03-23T10:00")

    assert _begun(log.events) == ["03-23 06:00 Sun"]


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 500, b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n"])
def test_what_is_no_calendar_is_refused_by_name_and_disturbs_no_other(
    content: bytes, tmp_path: Path
) -> None:
    _calendar(tmp_path, _entry("SUMMARY:Review"))
    bad = tmp_path / "bad.ics"
    bad.write_bytes(content)
    log = Log()
    outcome = _look(_reader(tmp_path), log, "2026-03-23T10:00")

    assert _begun(log.events) == ["03-23 09:00 Review"]
    assert next(each for each in outcome if isinstance(each, str)).startswith(f"{bad} is ")
