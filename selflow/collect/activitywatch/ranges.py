"""A range of time that a client asks for, and events cut to it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from selflow.collect.activitywatch.shapes import AwEvent

_MS_US = 1_000


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From ``start_us`` to ``end_us``, both included; None: open."""

    start_us: int | None = None
    end_us: int | None = None

    @classmethod
    def of_client(cls, start_us: int | None, end_us: int | None) -> "TimeRange":
        """The start rounded down to the millisecond and the end up: clients compare those."""
        start = None if start_us is None else start_us // _MS_US * _MS_US
        end = None if end_us is None else -(-end_us // _MS_US) * _MS_US
        return cls(start, end)

    def clip(self, events: Iterable[AwEvent]) -> Iterator[AwEvent]:
        """The part of each event that lies in the range; the others are left out."""
        for event in events:
            first_us, last_us = event.ts_us, event.end_us
            if self.start_us is not None:
                if last_us < self.start_us:
                    continue
                first_us = max(first_us, self.start_us)
            if self.end_us is not None:
                if first_us > self.end_us:
                    continue
                last_us = min(last_us, self.end_us)
            yield replace(event, ts_us=first_us, duration_us=last_us - first_us)
