"""What queries do with lists of events. None changes the events that it was given."""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from selflow.collect.activitywatch.shapes import canonical, moment_text
from selflow.core.events import Json

PULSE_US = 5_000_000
_COUNT = re.compile(r"^\([0-9]+\)\s*")
_MARK = re.compile(r"^(?:●|\*)\s*")
_FRAMES = re.compile(r"FPS:\s+[0-9.]+")


@dataclass(slots=True)
class QueryEvent:
    """An event in a query."""

    ts_us: int
    duration_us: int
    data: dict[str, Any] = field(default_factory=dict)
    id: int | None = None

    @property
    def end_us(self) -> int:
        """The moment at which it ends."""
        return self.ts_us + self.duration_us

    def between(self, first_us: int, last_us: int) -> "QueryEvent":
        """The same from one moment to another."""
        return replace(self, ts_us=first_us, duration_us=last_us - first_us, data={**self.data})

    def with_data(self, **more: Json) -> "QueryEvent":
        """The same with more data."""
        return replace(self, data={**self.data, **more})

    def document(self) -> dict[str, Json]:
        """As JSON, without its data."""
        return {
            "id": self.id,
            "timestamp": moment_text(self.ts_us),
            "duration": self.duration_us / 1e6,
        }


Events = Sequence[QueryEvent]


def by_time(events: Iterable[QueryEvent]) -> list[QueryEvent]:
    """Earliest first."""
    return sorted(events, key=lambda event: (event.ts_us, event.duration_us))


def flood(events: Events) -> list[QueryEvent]:
    """Fill gaps of up to 5 s from the longer neighbour, join equal neighbours, drop empty ones."""
    filled: list[QueryEvent] = []
    for event in by_time(events):
        last = filled[-1] if filled else None
        gap_us = event.ts_us - last.end_us if last else PULSE_US + 1
        if last is None or gap_us > PULSE_US:
            filled.append(event.between(event.ts_us, event.end_us))
        elif last.data == event.data:
            filled[-1] = last.between(last.ts_us, max(last.end_us, event.end_us))
        elif gap_us > 0 and last.duration_us >= event.duration_us:
            filled[-1] = last.between(last.ts_us, event.ts_us)
            filled.append(event.between(event.ts_us, event.end_us))
        else:
            first_us = last.end_us if gap_us > 0 else event.ts_us
            filled.append(event.between(first_us, event.end_us))
    return [event for event in filled if event.duration_us > 0]


def periods(events: Iterable[QueryEvent]) -> list[QueryEvent]:
    """The time that the events cover, in pieces that do not touch, without data."""
    merged: list[QueryEvent] = []
    for event in by_time(events):
        if merged and event.ts_us <= merged[-1].end_us:
            last = merged[-1]
            merged[-1] = last.between(last.ts_us, max(last.end_us, event.end_us))
        else:
            merged.append(QueryEvent(event.ts_us, event.duration_us))
    return merged


def inside(events: Events, others: Events) -> list[QueryEvent]:
    """The pieces of events that lie within the time of others."""
    covered = periods(others)
    ends = [one.end_us for one in covered]
    pieces: list[QueryEvent] = []
    for event in by_time(events):
        for period in covered[bisect_right(ends, event.ts_us) :]:
            first_us, last_us = max(event.ts_us, period.ts_us), min(event.end_us, period.end_us)
            if period.ts_us >= event.end_us:
                break
            if first_us < last_us:
                pieces.append(event.between(first_us, last_us))
    return pieces


def fill_gaps(events: Events, others: Events) -> list[QueryEvent]:
    """All events, and of the others what lies beside them."""
    covered = periods(events)
    ends = [one.end_us for one in covered]
    pieces = [*events]
    for event in by_time(others):
        first_us = event.ts_us
        for period in covered[bisect_right(ends, event.ts_us) :]:
            if period.ts_us >= event.end_us:
                break
            if first_us < period.ts_us:
                pieces.append(event.between(first_us, period.ts_us))
            first_us = max(first_us, period.end_us)
        if first_us < event.end_us or event.duration_us == 0 == first_us - event.ts_us:
            pieces.append(event.between(first_us, event.end_us))
    return by_time(pieces)


def merge_by_keys(events: Events, keys: Sequence[str]) -> list[QueryEvent]:
    """One event for each combination of values, with the sum of the durations."""
    if not keys:
        return [*events]
    merged: dict[str, QueryEvent] = {}
    for event in events:
        data = {key: event.data[key] for key in keys if key in event.data}
        name = canonical(data)
        if name in merged:
            merged[name].duration_us += event.duration_us
        else:
            merged[name] = QueryEvent(event.ts_us, event.duration_us, data)
    return [*merged.values()]


def chunk_by_key(events: Events, key: str) -> list[QueryEvent]:
    """Neighbours of an equal value within 5 s as one event, up to the first without the key."""
    chunks: list[QueryEvent] = []
    last: QueryEvent | None = None
    for event in events:
        if key not in event.data:
            break
        gap_us = max(event.ts_us - last.end_us, last.ts_us - event.end_us) if last else None
        if gap_us is not None and gap_us < PULSE_US and chunks[-1].data[key] == event.data[key]:
            chunk = chunks[-1]
            chunk.ts_us = min(chunk.ts_us, event.ts_us)
            chunk.duration_us += event.duration_us
            chunk.data["subevents"].append(event)
        else:
            data = {key: event.data[key], "subevents": [event]}
            chunks.append(QueryEvent(event.ts_us, event.duration_us, data))
        last = event
    return chunks


def split_url(event: QueryEvent) -> QueryEvent:
    """With the parts of its URL; a URL without a host has its scheme as domain."""
    try:
        parts = urlsplit(str(event.data["url"]))
    except ValueError:  # a bracket that is no address
        return event
    path, _, params = parts.path.rpartition(";") if ";" in parts.path else (parts.path, "", "")
    shown: dict[str, Json] = {
        "$protocol": parts.scheme,
        "$domain": parts.netloc.removeprefix("www.") or parts.scheme,
        "$path": path,
        "$params": params,
        "$options": parts.query,
        "$identifier": parts.fragment,
    }
    return replace(event, data={**event.data, **shown})


def simplify(event: QueryEvent, key: str) -> QueryEvent:
    """Without counts, marks and frame rates that change all the time."""
    text = event.data.get(key)
    if not isinstance(text, str):
        return event
    text = _COUNT.sub("", text)
    if key == "title" and "app" in event.data:
        text = _MARK.sub("", _FRAMES.sub("FPS: ...", text))
    return event.with_data(**{key: text})


def categorize(event: QueryEvent, matches: Callable[[QueryEvent], list[Any]]) -> QueryEvent:
    """With the deepest class that matches; of equally deep ones the last."""
    best: Any = ["Uncategorized"]
    depth = 0
    for name in matches(event):
        if len(name) >= depth:
            best, depth = name, len(name)
    return replace(event, data={**event.data, "$category": best})
