"""Moments that a person names: a time, or an end as a duration from now, a date or tomorrow."""

import re
from datetime import datetime, time, timedelta, tzinfo

from selflow.core.clock import as_datetime, owner_zone, parse_ts_us
from selflow.core.errors import UsageError

_UNIT_S = {"m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"(\d{1,6})([mhd])")
TOMORROW = "tomorrow"


def end_us(text: str, now_us: int, zone: tzinfo | None = None) -> int:
    """The end that a text such as ``90m``, ``12h``, ``30d``, ``tomorrow`` or a date names.

    ``tomorrow`` is the next midnight of the owner's clock; a day that the clock is set back has 25
    hours.

    Raises:
        UsageError: It names no moment.
    """
    wanted = text.strip()
    if match := _DURATION.fullmatch(wanted):
        return now_us + int(match[1]) * _UNIT_S[match[2]] * 1_000_000
    try:
        return _next_midnight_us(now_us, zone) if wanted == TOMORROW else parse_ts_us(wanted)
    except ValueError as error:
        raise UsageError(
            f"invalid end: {_shown(wanted)}",
            "give a duration such as 90m, 12h or 30d, tomorrow, or a date such as 2027-01-31",
        ) from error


def named_moment_us(
    name: str, text: str | None, default_us: int, *, repeats_value: bool = False
) -> int:
    """The moment of a parameter or an option; ``default_us`` where nothing was given.

    Args:
        name: What the moment is called there.
        text: As ``parse_ts_us`` takes it.
        default_us: Of a text that is None.
        repeats_value: Whether the error may show the text: in a terminal, not in an answer.

    Raises:
        UsageError: It names no moment.
    """
    if text is None:
        return default_us
    try:
        return parse_ts_us(text)
    except ValueError as error:
        value = f": {_shown(text)}" if repeats_value else ""
        raise UsageError(
            f"invalid {name}{value}", "give a time such as 2026-01-31 or 2026-01-31T12:00:00Z"
        ) from error


def pause_text(until: str | None, now_us: int) -> str:
    """``paused until 14:00`` on the owner's clock, with the date if that is another day's.

    Args:
        until: In RFC 3339; None: until the owner resumes.
        now_us: The present.
    """
    if until is None:
        return "paused until you resume"
    at, now = (as_datetime(us).astimezone() for us in (parse_ts_us(until), now_us))
    return f"paused until {at:%H:%M}" if at.date() == now.date() else f"paused until {at:%F %H:%M}"


def _next_midnight_us(now_us: int, zone: tzinfo | None) -> int:
    here = as_datetime(now_us).astimezone(zone or owner_zone())
    midnight = datetime.combine(here.date() + timedelta(days=1), time(), here.tzinfo)
    return round(midnight.timestamp()) * 1_000_000


def _shown(text: str) -> str:
    return text[:60] if text.isprintable() else "(not printable)"
