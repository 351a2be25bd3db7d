"""Times of the day as in cron, in the owner's time zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from selflow.core.cron import CronTimes

BERLIN = ZoneInfo("Europe/Berlin")


def _next(line: str, now: str, zone: ZoneInfo = BERLIN) -> str:
    now_us = int(datetime.fromisoformat(now).replace(tzinfo=UTC).timestamp()) * 1_000_000
    next_us = CronTimes.parse(line).next_us(now_us, zone)
    return datetime.fromtimestamp(next_us // 1_000_000, zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("line", "now", "expected"),
    [
        ("*/15 * * * *", "2026-01-01T10:00:00", "2026-01-01 11:15"),
        ("0 9-17 * * 1-5", "2026-01-02T17:30:00", "2026-01-05 09:00"),
        ("0 0 1 * *", "2026-01-01T00:00:00", "2026-02-01 00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29 00:00"),
        ("0 12 13 * 5", "2026-01-01T12:00:00", "2026-01-02 12:00"),
        ("0 12 * * 7", "2026-01-01T12:00:00", "2026-01-04 12:00"),
        ("5,10-12/2 0 * * *", "2025-12-31T23:06:00", "2026-01-01 00:10"),
        ("@daily", "2026-01-01T12:00:00", "2026-01-02 00:00"),
    ],
)
def test_the_next_time_is_the_first_one_that_the_line_names(
    line: str, now: str, expected: str
) -> None:
    assert _next(line, now) == expected


def test_an_hour_that_summer_time_skips_does_not_come() -> None:
    assert _next("30 2 * * *", "2026-03-28T12:00:00") == "2026-03-30 02:30"


def test_an_hour_that_comes_twice_comes_once() -> None:
    first_us = CronTimes.parse("30 2 * * *").next_us(1_792_879_200_000_000, BERLIN)
    second_us = CronTimes.parse("30 2 * * *").next_us(first_us, BERLIN)

    assert (second_us - first_us) / 3.6e9 == pytest.approx(25, abs=0.1)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("* * * *", "five fields"),
        ("60 * * * *", "minute in the cron line is not in 0-59"),
        ("* 5-3 * * *", "hour"),
        ("*/0 * * * *", "minute"),
        ("* * * JAN *", "invalid month"),
        ("0 0 30 2 *", "never comes"),
    ],
)
def test_a_line_that_cannot_be_followed_is_refused(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        CronTimes.parse(line)
