"""Moments from outside, and how they are written."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.clock import SystemClock, as_datetime, parse_ts_us, rfc3339

LAST_US = 253_402_300_799_999_999


@pytest.mark.parametrize(
    ("given_as", "ts_us"),
    [
        (0, 0),
        (1.5, 1_500_000),
        (1_700_000_000, 1_700_000_000_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T00:00:01", 1_000_000),
        ("1970-01-01T01:00:00.000001+01:00", 1),
        ("1970-01-01 02:00:00 +0200", 0),
        ("1969-12-31 19:00:00 -0500", 0),
        (" 1970-01-02 ", 86_400_000_000),
        ("9999-12-31T23:59:59.999999Z", LAST_US),
    ],
)
def test_each_form_of_a_moment_is_understood(given_as: object, ts_us: int) -> None:
    assert parse_ts_us(given_as) == ts_us


@pytest.mark.parametrize("wrong", [None, True, "", "soon", "2024-13-01", b"2024-01-01", [1], {}])
def test_what_is_no_moment_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"time|isoformat|month"):
        parse_ts_us(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        -1,
        -0.1,
        253_402_300_800,
        10**400,
        float("inf"),
        float("nan"),
        "1969-12-31T23:59:59Z",
        "0001-01-01",
    ],
)
def test_moments_outside_the_calendar_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="between 1970 and 9999"):
        parse_ts_us(wrong)


@given(st.integers(0, LAST_US))
def test_a_written_moment_is_read_back_exactly(ts_us: int) -> None:
    assert parse_ts_us(rfc3339(ts_us)) == ts_us
    assert parse_ts_us(as_datetime(ts_us).isoformat()) == ts_us


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        ts_us = parse_ts_us(text)
    except ValueError:
        return
    assert 0 <= ts_us <= LAST_US


def test_moments_are_written_with_microseconds_and_a_z() -> None:
    assert rfc3339(1_000_000) == "1970-01-01T00:00:01.000000Z"


def test_the_system_clock_tells_utc_and_waits_on_a_flag() -> None:
    clock, flag = SystemClock(), threading.Event()
    before = datetime.now(UTC)
    now = as_datetime(clock.now_us())
    flag.set()

    assert 0 <= (now - before).total_seconds() + 0.001 < 60
    assert clock.monotonic_s() <= clock.monotonic_s()
    assert clock.wait(flag, 60)


def test_the_system_clock_sleeps_at_least_as_long_as_asked() -> None:
    clock = SystemClock()
    began_s = clock.monotonic_s()
    clock.sleep(0.01)

    assert clock.monotonic_s() - began_s >= 0.01
