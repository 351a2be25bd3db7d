"""Which stored events were asked for, newest first, page by page: for the command line and the
console.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selflow.core.events import Event, Stored
    from selflow.store.log import LogReader

END_US = 253_402_300_800_000_000
"""After every moment."""
PAGE_EVENTS = 500


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events: half-open in time, newest first from before ``cursor`` (moment, sequence
    number).
    """

    since_us: int
    until_us: int
    source: str | None = None
    kind: str | None = None
    app: str | None = None
    folder: str | None = None
    project: str | None = None
    cursor: tuple[int, int] | None = None

    def covers(self, stored: "Stored") -> bool:
        """Whether an event is asked for."""
        event = stored.event
        return (
            self.since_us <= event.ts_us < self.until_us
            and self.source in {None, event.source}
            and self.kind in {None, event.kind}
            and self.app in {None, event.app}
            and (self.folder is None or event.subject.startswith(f"{self.folder}/"))
            and (self.project is None or self.project == _project_of(event))
            and (self.cursor is None or (event.ts_us, stored.seq) < self.cursor)
        )


def _project_of(event: "Event") -> str:
    from selflow.search.spans import project_of

    return project_of(event)


def newest(reader: "LogReader", wanted: EventQuery, limit: int) -> list["Stored"]:
    """At most ``limit`` wanted events, newest first. Cost: one page of 500 after the other, until
    there are enough.
    """
    events: list[Stored] = []
    for stored in _backwards(reader, wanted):
        if wanted.covers(stored):
            events.append(stored)
            if len(events) == limit:
                break
    return events


def _backwards(reader: "LogReader", wanted: EventQuery) -> Iterator["Stored"]:
    page_events = PAGE_EVENTS
    until_us = min(wanted.until_us, wanted.cursor[0] + 1) if wanted.cursor else wanted.until_us
    while True:
        page = reader.scan(wanted.since_us, until_us, page_events, newest_first=True)
        if len(page) < page_events:
            yield from page
            return
        edge_us = page[-1].event.ts_us  # more events of this very moment may lie on the next page
        whole = [stored for stored in page if stored.event.ts_us > edge_us]
        yield from whole
        page_events = PAGE_EVENTS if whole else 2 * page_events
        until_us = edge_us + 1


def event_document(stored: "Stored") -> dict[str, object]:
    """An event in the shape of the API."""
    from selflow.core.codec import event_to_json

    return {"seq": stored.seq, **event_to_json(stored.event)}


def next_cursor(page: Sequence["Stored"]) -> str:
    """Where the events behind a page begin; ``parse_cursor`` reads it."""
    return f"{page[-1].event.ts_us}-{page[-1].seq}"


def parse_cursor(text: str) -> tuple[int, int]:
    """The moment and sequence number in a cursor. Raises ValueError if it is not one."""
    moment, _, seq = text.partition("-")
    if not (moment.isdigit() and seq.isdigit()):
        raise ValueError("not a cursor")
    return int(moment), int(seq)
