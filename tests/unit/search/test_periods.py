"""Time expressions, on a Wednesday noon in Berlin: 22 July 2026."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from selflow.search.periods import BEGIN_US, END_US, find_period, moment_us
from tests.unit.search.scan import NOW, ZONE

NOW_US = round(NOW.timestamp() * 1e6)


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("today", "2026-07-22", "2026-07-23"),
        ("yesterday", "2026-07-21", "2026-07-22"),
        ("the day before yesterday", "2026-07-20", "2026-07-21"),
        ("last week", "2026-07-13", "2026-07-20"),
        ("this month", "2026-07-01", "2026-08-01"),
        ("last year", "2025-01-01", "2026-01-01"),
        ("last March", "2026-03-01", "2026-04-01"),
        ("in October", "2025-10-01", "2025-11-01"),
        ("on Wednesday", "2026-07-15", "2026-07-16"),
        ("last Monday", "2026-07-20", "2026-07-21"),
        ("in the last two weeks", "2026-07-08 12:00", "2026-07-22 12:00:00.000001"),
        ("past 3 hours", "2026-07-22 09:00", "2026-07-22 12:00:00.000001"),
        ("2 weeks ago", "2026-07-06", "2026-07-13"),
        ("between 3 and 5 May", "2026-05-03", "2026-05-06"),
        ("between 30 April and 2 May 2020", "2020-04-30", "2020-05-03"),
        ("from November to February", "2025-11-01", "2026-03-01"),
        ("from monday to tuesday", "2026-07-20", "2026-07-22"),
        ("on 3 May 2020", "2020-05-03", "2020-05-04"),
        ("May 3rd, 2020", "2020-05-03", "2020-05-04"),
        ("5/3/2020", "2020-03-05", "2020-03-06"),
        ("14.05.2020", "2020-05-14", "2020-05-15"),
        ("2020-05-14", "2020-05-14", "2020-05-15"),
        ("in 2020-05", "2020-05-01", "2020-06-01"),
        ("during 2019", "2019-01-01", "2020-01-01"),
        ("in 2031", "2031-01-01", "2032-01-01"),
    ],
)
def test_a_time_expression_is_a_period_of_the_owners_calendar(
    text: str, low: str, high: str
) -> None:
    period, rest = find_period(f"what {text}?", NOW_US, ZONE)

    assert period is not None
    assert (period.since_us, period.until_us) == (us(low), us(high))
    assert rest.split() in (["what", "?"], ["what", "the", "?"])


@pytest.mark.parametrize(
    ("text", "low_us", "high_us"),
    [
        ("since Monday", us("2026-07-20"), END_US),
        ("since Wednesday", us("2026-07-22"), END_US),
        ("after 2020", us("2021-01-01"), END_US),
        ("before March 2015", BEGIN_US, us("2015-03-01")),
        ("until yesterday", BEGIN_US, us("2026-07-22")),
        ("in 2019 before May 2019", us("2019-01-01"), us("2019-05-01")),
    ],
)
def test_a_period_may_be_open_and_two_must_both_hold(text: str, low_us: int, high_us: int) -> None:
    period, _ = find_period(text, NOW_US, ZONE)

    assert period is not None
    assert (period.since_us, period.until_us) == (low_us, high_us)


@pytest.mark.parametrize(
    "text",
    ["may I march on", "2020-99-99", "between 30 and 40", "port 8080", "a/2020-01-01/b", "İİ 12"],
)
def test_what_is_no_time_stays_in_the_question(text: str) -> None:
    assert find_period(text, NOW_US, ZONE) == (None, text)


def test_a_day_of_summer_time_has_its_own_length() -> None:
    longest, _ = find_period("2025-10-26", NOW_US, ZoneInfo("Europe/Berlin"))
    plain, _ = find_period("2025-10-26", NOW_US, ZoneInfo("UTC"))

    assert longest is not None
    assert plain is not None
    assert longest.until_us - longest.since_us == 25 * 3_600_000_000
    assert plain.until_us - plain.since_us == 24 * 3_600_000_000


def test_a_moment_is_a_date_words_or_rfc_3339() -> None:
    assert moment_us("2026-07-20", NOW_US, ZONE) == us("2026-07-20")
    assert moment_us("monday", NOW_US, ZONE) == us("2026-07-20")
    assert moment_us("2026-07-20T10:00:00+02:00", NOW_US, ZONE) == us("2026-07-20 10:00")
    assert moment_us("soon", NOW_US, ZONE) is None
    assert moment_us("Tomorrow", NOW_US, ZONE) is None
