"""Times of the day, week and year, written as for cron: minute, hour, day, month, weekday."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

_NAMED = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0"}
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_FIELDS = ("minute", "hour", "day", "month", "weekday")
_HORIZON_DAYS = 366 * 8 + 2
"""29 February comes at least every eight years; what does not come in that time never comes."""


@dataclass(frozen=True, slots=True)
class CronTimes:
    """The minutes that a cron line names, in the owner's time zone.

    As in cron, a day counts if its day of the month or its weekday is named, where both are
    restricted. A minute that summer time skips does not come; one that comes twice comes once.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    is_either_day: bool
    """Whether both kinds of days are restricted."""

    @classmethod
    def parse(cls, line: str) -> "CronTimes":
        """The times of a line: ``*``, numbers, ``a-b``, ``*/n``, ``a-b/n`` and lists of them.

        Raises:
            ValueError: The line is not valid, or names a day that never comes.
        """
        fields = _NAMED.get(line.strip(), line).split()
        if len(fields) != len(_FIELDS):
            raise ValueError("a cron line has five fields: minute hour day month weekday")
        minutes, hours, days, months, weekdays = (
            _numbers(text, bounds, name)
            for text, bounds, name in zip(fields, _BOUNDS, _FIELDS, strict=True)
        )
        times = cls(
            tuple(sorted(minutes)),
            tuple(sorted(hours)),
            frozenset(days),
            frozenset(months),
            frozenset(day % 7 for day in weekdays),
            is_either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        )
        if next(times._moments(datetime(2024, 1, 1), UTC), None) is None:  # noqa: DTZ001  (any day)
            raise ValueError("this cron line names a day that never comes")
        return times

    def next_us(self, now_us: int, zone: tzinfo) -> int:
        """The first of these minutes after a moment, both in UTC microseconds."""
        now = datetime.fromtimestamp(now_us // 1_000_000, UTC)
        start = now.astimezone(zone).replace(tzinfo=None, hour=0, minute=0, second=0)
        for moment in self._moments(start, zone):
            if moment > now:
                return int(moment.timestamp()) * 1_000_000
        raise ValueError("this cron line names a day that never comes")

    def _moments(self, start: datetime, zone: tzinfo) -> Iterator[datetime]:
        for offset in range(_HORIZON_DAYS):
            day = start + timedelta(days=offset)
            if not self._is_named(day):
                continue
            for hour in self.hours:
                for minute in self.minutes:
                    local = day.replace(hour=hour, minute=minute)
                    moment = local.replace(tzinfo=zone).astimezone(UTC)
                    if moment.astimezone(zone).replace(tzinfo=None) == local:
                        yield moment

    def _is_named(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_week if self.is_either_day else by_date and by_week


def _numbers(text: str, bounds: tuple[int, int], name: str) -> set[int]:
    numbers: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            first, last = str(bounds[0]), str(bounds[1])
        elif not dash:
            last = str(bounds[1]) if step else first
        if not all(number.isdecimal() for number in (first, last, step or "1")):
            raise ValueError(f"invalid {name} in the cron line: {part!r}")
        low, high, by = int(first), int(last), int(step or "1")
        if not bounds[0] <= low <= high <= bounds[1] or by < 1:
            raise ValueError(f"{name} in the cron line is not in {bounds[0]}-{bounds[1]}: {part!r}")
        numbers |= set(range(low, high + 1, by))
    return numbers
