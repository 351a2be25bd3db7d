"""Time comes from outside: rules take a Clock, tests turn it by hand
(``selflow.testing.ManualClock``).
"""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Event as Flag
from typing import Protocol


class Clock(Protocol):
    """What a rule may know of time."""

    def now_us(self) -> int:
        """UTC microseconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        """Wait until ``flag`` is set or ``timeout_s`` have passed; True if it is set."""
        ...

    def sleep(self, duration_s: float) -> None:
        """Let ``duration_s`` pass: between two looks at something that cannot be waited on."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """UTC microseconds since 1970."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Seconds that never run backwards."""
        return time.monotonic()

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        """Wait on the flag."""
        return flag.wait(timeout_s)

    def sleep(self, duration_s: float) -> None:
        """Block this thread."""
        time.sleep(duration_s)  # noqa: TID251  (the one place: everybody else asks a Clock)


def owner_zone() -> tzinfo:
    """The machine's time zone with its rules for summer time; ``TZ`` counts. UTC if it has none."""
    import tzlocal

    return tzlocal.get_localzone()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_US = 253_402_300_800_000_000
"""The first moment of the year 10000."""


def as_datetime(ts_us: int) -> datetime:
    """UTC microseconds as an aware datetime, exact over the whole range (a float of seconds is
    not).
    """
    return _EPOCH + timedelta(microseconds=ts_us)


def rfc3339(ts_us: int) -> str:
    """UTC microseconds as ``2026-01-02T03:04:05.678901Z``."""
    return as_datetime(ts_us).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse_ts_us(value: object) -> int:
    """A moment from outside as UTC microseconds: RFC 3339 text, or a number of seconds since 1970.

    A text without a zone is UTC. Raises ValueError for anything else, before 1970 and after 9999.
    """
    if isinstance(value, bool):
        raise ValueError("a time must be RFC 3339 text or seconds since 1970")  # noqa: TRY004
    if isinstance(value, int | float):
        if not 0 <= value < _END_US / 1_000_000:  # infinity and NaN too
            raise ValueError("a time must lie between 1970 and 9999")
        ts_us = round(value * 1_000_000)
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip().replace(" +", "+"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ts_us = (moment - _EPOCH) // timedelta(microseconds=1)
    else:
        raise ValueError("a time must be RFC 3339 text or seconds since 1970")  # noqa: TRY004
    if not 0 <= ts_us < _END_US:
        raise ValueError("a time must lie between 1970 and 9999")
    return ts_us
