"""Time expressions of a question as periods: "yesterday", "last March", "since Monday", "between 3
and 5 May", "in the last two weeks", dates.

The shape of a period is a small grammar; single dates in words are read by dateparser, which is
imported only when there is one, with English alone, so that no text is guessed to be another
language. A date without a year is the newest that has begun. Numbers are day/month/year.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from selflow.core.clock import as_datetime, parse_ts_us
from selflow.search.records import Period

BEGIN_US = 0
END_US = 253_402_300_800_000_000
"""The first moment of the year 10000: a period without an end."""
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_NUMBERS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "few": 3,
}
_WEEKDAY = "|".join(_DAYS)
_MONTH = "|".join([*_MONTHS, *(f"{name[:3]}\\b" for name in _MONTHS), r"sept\b"])
_DAY = r"\d{1,2}(?:st|nd|rd|th)?"
_YEAR = r"(?:19|2\d)\d\d"
_UNIT = r"(?:minute|hour|day|week|month|year)s?"
_COUNT = rf"(?:\d{{1,4}}|{'|'.join(_NUMBERS)})"
_DATE = "|".join(
    [
        r"\d{4}-\d\d?-\d\d?",
        r"\d{1,2}[./]\d{1,2}[./](?:\d{4}|\d\d)\b",
        rf"{_DAY}(?: of)? (?:{_MONTH})(?:,? {_YEAR})?",
        rf"(?:{_MONTH}) {_DAY}(?!\d)(?:,? {_YEAR})?",
        rf"(?:{_MONTH})(?:,? {_YEAR})",
        r"\d{4}-\d\d(?!\d)",
        r"today|this (?:morning|afternoon|evening)|tonight",
        r"the day before yesterday|yesterday",
        rf"(?:last|this|the last|the past|past) (?:week|month|year|{_WEEKDAY}|{_MONTH})",
        rf"{_COUNT} {_UNIT} ago",
        _WEEKDAY,
    ]
)
_LOOSE = rf"{_DATE}|{_MONTH}|{_YEAR}"
"""After a preposition a bare month or year is a date too; elsewhere ``may`` is a verb."""
_SHAPES = re.compile(
    rf"\b(?:between|from) (?P<low>{_LOOSE}|{_DAY}) (?:and|to|until|till) (?P<high>{_LOOSE})(?!\w)"
    rf"|\b(?P<edge>since|after|before|until|till) (?P<edged>{_LOOSE})(?!\w)"
    rf"|\b(?:in |during |over |within )?(?:the )?(?:last|past) "
    rf"(?P<number>{_COUNT}) (?P<unit>{_UNIT})\b"
    rf"|\b(?:on|in|during|of|from|at|for) (?:the month of |the year )?(?P<loose>{_LOOSE})(?!\w)"
    rf"|(?<![\w/.-])(?P<date>{_DATE})(?![\w/-])",
    re.IGNORECASE,
)
_MONTHS_A_YEAR = 12

Day = datetime
"""A local moment without a zone."""


@dataclass(frozen=True, slots=True)
class _Calendar:
    """The owner's now and zone."""

    now: Day
    zone: tzinfo

    def us(self, moment: Day) -> int:
        aware = moment.replace(tzinfo=self.zone).astimezone(UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    @property
    def today(self) -> Day:
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)


def find_period(text: str, now_us: int, zone: tzinfo) -> tuple[Period | None, str]:
    """The period that a question names, and the question without the words for it.

    Several expressions must all hold. Pure: the same text, moment and zone give the same period.

    Cost: some 0.1 ms; 0.2 s for the first date in words, when dateparser is loaded.
    """
    calendar = _Calendar(as_datetime(now_us).astimezone(zone).replace(tzinfo=None), zone)
    period: Period | None = None
    rest, position = [], 0
    for match in _SHAPES.finditer(text):
        bounds = _bounds(match, calendar)
        if bounds is None:
            continue
        low_us, high_us = bounds
        said = match.group().strip().lower()
        if period:
            low_us, high_us = max(low_us, period.since_us), min(high_us, period.until_us)
            said = f"{period.text}, {said}"
        period = Period(low_us, high_us, said)
        rest.append(text[position : match.start()])
        position = match.end()
    rest.append(text[position:])
    return period, " ".join(rest)


def moment_us(text: str, now_us: int, zone: tzinfo) -> int | None:
    """When a date in figures or words begins, or an RFC 3339 moment; None if it is neither."""
    if "T" in text:
        try:
            return parse_ts_us(text)
        except ValueError:
            return None
    period, rest = find_period(f"since {text}", now_us, zone)
    return period.since_us if period and not rest.strip() else None


def _bounds(match: re.Match[str], calendar: _Calendar) -> tuple[int, int] | None:
    group = {name: (said or "").lower() for name, said in match.groupdict().items()}
    if group["number"]:
        count = _number(group["number"])
        low = _back(calendar.now, count, group["unit"].rstrip("s"))
        return calendar.us(low), calendar.us(calendar.now) + 1
    if group["high"]:
        return _between(group["low"], group["high"], calendar)
    if group["edge"]:
        span = _date(group["edged"], calendar, is_edge=True)
        return span and _edge(group["edge"], span, calendar)
    span = _date(group["loose"] or group["date"], calendar)
    return span and (calendar.us(span[0]), calendar.us(span[1]))


def _edge(edge: str, span: tuple[Day, Day], calendar: _Calendar) -> tuple[int, int]:
    low_us, high_us = map(calendar.us, span)
    if edge == "since":
        return low_us, END_US
    if edge == "after":
        return high_us, END_US
    return BEGIN_US, low_us if edge == "before" else high_us


def _between(low_text: str, high_text: str, calendar: _Calendar) -> tuple[int, int] | None:
    """Both ends belong to it; what the first leaves out (month, year) is the second's."""
    high = _date(high_text, calendar)
    if high is None:
        return None
    tail = re.search(rf"(?:(?:{_MONTH}).*|{_YEAR})$", high_text)
    if re.fullmatch(_DAY, low_text) and tail:
        low_text = f"{low_text} {tail.group()}"
    elif tail and not re.search(_YEAR, low_text) and (year := re.search(_YEAR, high_text)):
        low_text = f"{low_text} {year.group()}"
    low = _date(low_text, calendar)
    if low is None:
        return None
    if low[0] > high[0] and not re.search(_YEAR, low_text):
        low = _date(f"{low_text} {high[0].year - 1}", calendar) or low
    return calendar.us(low[0]), calendar.us(high[1])


def _date(text: str, calendar: _Calendar, *, is_edge: bool = False) -> tuple[Day, Day] | None:
    """One date as the span that it names; ``is_edge``: a weekday may be today."""
    today, day = calendar.today, timedelta(days=1)
    text = re.sub(r"^the (?=last|past)", "", text).strip()
    head, _, tail = text.partition(" ")
    if text in {"today", "tonight"} or (head == "this" and tail.endswith(("ing", "noon"))):
        return today, today + day
    if text.endswith("yesterday"):
        low = today - day * (2 if text != "yesterday" else 1)
        return low, low + day
    name = tail if head in {"last", "this", "past"} else text
    if name in _DAYS:
        back = (today.weekday() - _DAYS.index(name)) % 7
        low = today - day * (back or (0 if is_edge or head == "this" else 7))
        return low, low + day
    if name in {"week", "month", "year"}:
        return _calendar_unit(name, today, is_last=head != "this")
    if text.endswith(" ago"):
        count, unit = text.split()[:2]
        return _ago(_number(count), unit.rstrip("s"), calendar)
    return _written(name, calendar)


def _ago(count: int, unit: str, calendar: _Calendar) -> tuple[Day, Day]:
    moment = _back(calendar.now, count, unit)
    if unit in {"minute", "hour"}:
        return moment, calendar.now
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return _unit_around(unit, day)


def _calendar_unit(unit: str, today: Day, *, is_last: bool) -> tuple[Day, Day]:
    low, high = _unit_around(unit, today)
    return _unit_around(unit, low - timedelta(days=1)) if is_last else (low, high)


def _unit_around(unit: str, day: Day) -> tuple[Day, Day]:
    """The calendar day, week (from Monday), month or year that a day lies in."""
    if unit == "week":
        low = day - timedelta(days=day.weekday())
        return low, low + timedelta(days=7)
    if unit == "month":
        low = day.replace(day=1)
        return low, _months_later(low, 1)
    if unit == "year":
        return day.replace(month=1, day=1), day.replace(year=day.year + 1, month=1, day=1)
    return day, day + timedelta(days=1)


def _back(moment: Day, count: int, unit: str) -> Day:
    """As far back as that, at most to 1970."""
    if unit in {"month", "year"}:
        months = count * (_MONTHS_A_YEAR if unit == "year" else 1)
        return max(_months_later(moment, -months), datetime(1970, 1, 2))  # noqa: DTZ001
    step: Callable[..., timedelta] = timedelta
    return max(moment - step(**{f"{unit}s": count}), datetime(1970, 1, 2))  # noqa: DTZ001


def _months_later(moment: Day, months: int) -> Day:
    index = moment.year * _MONTHS_A_YEAR + moment.month - 1 + months
    year, month = max(1970, index // _MONTHS_A_YEAR), index % _MONTHS_A_YEAR + 1
    last = (datetime(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)).day  # noqa: DTZ001
    return moment.replace(year=year, month=month, day=min(moment.day, last))


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBERS[text]


def _written(text: str, calendar: _Calendar) -> tuple[Day, Day] | None:
    """A date in figures or words, to the day, month or year that it names."""
    if re.fullmatch(_YEAR, text):
        return _unit_around("year", datetime(int(text), 1, 1))  # noqa: DTZ001
    if match := re.fullmatch(r"(\d{4})-(\d\d)", text):
        text = f"{_MONTHS[min(max(int(match[2]), 1), 12) - 1]} {match[1]}"
    from dateparser.date import DateDataParser

    parser = DateDataParser(
        languages=["en"],
        settings={
            "RELATIVE_BASE": calendar.now,
            "PREFER_DATES_FROM": "past",
            "PREFER_DAY_OF_MONTH": "first",
            "DATE_ORDER": "YMD" if re.match(r"\d{4}-", text) else "DMY",
        },
    )
    data = parser.get_date_data(text.replace(" of ", " "))
    if data.date_obj is None:
        return None
    day = data.date_obj.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    unit = data.period if data.period in {"month", "year"} else "day"
    return _unit_around(unit, day)
