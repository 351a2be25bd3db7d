"""Time comes from outside: rules take a Clock, tests turn it by hand (``selflow.testing.ManualClock``)."""

import time
from datetime import UTC, datetime
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


def rfc3339(ts_us: int) -> str:
    """UTC microseconds as ``2026-01-02T03:04:05.678901Z``."""
    text = datetime.fromtimestamp(ts_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{ts_us % 1_000_000:06d}Z"


def parse_ts_us(value: object) -> int:
    """A moment from outside as UTC microseconds: RFC 3339 text, or a number of seconds since 1970.

    A text without a zone is UTC. Raises ValueError for anything else, before 1970 and after 9999.
    """
    if isinstance(value, bool):
        raise ValueError("a moment is RFC 3339 text or seconds since 1970")  # noqa: TRY004
    if isinstance(value, int | float):
        ts_us = round(value * 1_000_000)
    elif isinstance(value, str):
        moment = datetime.fromisoformat(value.strip().replace(" +", "+"))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
        ts_us = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    else:
        raise ValueError("a moment is RFC 3339 text or seconds since 1970")  # noqa: TRY004
    if not 0 <= ts_us < 253_402_300_800_000_000:
        raise ValueError("a moment lies between 1970 and 9999")
    return ts_us
