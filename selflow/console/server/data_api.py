"""``/api/events``, ``/api/sources`` and ``/api/activity``: what was collected."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Query

from selflow.console.event_listing import (
    END_US,
    EventQuery,
    event_document,
    newest,
    next_cursor,
    parse_cursor,
)
from selflow.console.server.paging import Cursor, Limit, refuse_cursor
from selflow.console.server.read_model import Model, ReadModel
from selflow.console.server.routes import Routes
from selflow.console.server.wire import Page
from selflow.console.server.wire_data import (
    ActivityAnswer,
    ActivityItem,
    EventItem,
    FolderItem,
    FoldersAnswer,
    SourcesAnswer,
)
from selflow.console.source_listing import sources_document
from selflow.core.clock import rfc3339
from selflow.core.errors import UsageError
from selflow.core.events import Stored
from selflow.core.until import named_moment_us
from selflow.search.rollups import DAY_US, HOUR_US, Group
from selflow.search.spans import project_hours
from selflow.store.log import LogReader

MAX_BINS = 2_000
"""More are no picture: the answer is refused and proposes coarser bins."""
MAX_DAYS = 366
MAX_EXAMINED_EVENTS = 2_000
"""Of those that hold the words of a search, in one answer: about 20 ms."""
_SEARCH_EVENTS = 500
Text = Annotated[str | None, Query(max_length=200)]
Folder = Annotated[str | None, Query(max_length=400)]
_TERM = re.compile(r"\w")
Seqs = Annotated[str | None, Query(pattern=r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17}){0,99}$")]
routes = Routes()


@routes.get("/api/events", "view")
def events(  # noqa: PLR0913  (one for each filter)
    model: Model,
    *,
    source: Text = None,
    kind: Text = None,
    app: Text = None,
    folder: Folder = None,
    project: Folder = None,
    since: Text = None,
    until: Text = None,
    q: Text = None,
    seqs: Seqs = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[EventItem]:
    """Stored events, redacted, newest first.

    ``q`` finds events that hold all of its words, or words that begin so; they come in the order
    in which they arrived, as those in a ``folder`` do. A ``project`` is a lane of
    ``/api/activity/lanes``. ``seqs`` names single events, such as those
    behind a sentence of an answer; of those, all that are still stored come at once.
    """
    wanted = EventQuery(
        named_moment_us("since", since, 0),
        named_moment_us("until", until, END_US),
        source,
        kind,
        app,
        folder,
        project,
    )
    if folder is not None and q is None and _TERM.search(folder):
        q = folder  # its words are in the index

    with model.reading() as log:
        if log is None:
            return Page[EventItem](items=[], next=None)
        if seqs is not None:
            named = _stored(log, sorted({int(seq) for seq in seqs.split(",")}, reverse=True))
            return _page([one for one in named if wanted.covers(one)], None)
        if q is not None:
            return _search(model, log, wanted, q, limit, cursor)
        return _list(model, log, wanted, limit, cursor)


@routes.get("/api/sources", "view")
def sources(model: Model) -> SourcesAnswer:
    """What may be collected, what came, and whether the collector runs."""
    services = model.status()["services"]
    collector = next((s["state"] for s in services if s["name"] == "collector"), "not running")
    return SourcesAnswer(
        **sources_document(model.catalog.consents(), model.index.sources(), collector)
    )


@routes.get("/api/activity", "view")
def activity(
    model: Model,
    since: Text = None,
    until: Text = None,
    bin: Literal["hour", "day"] = "hour",  # noqa: A002  (the name in the URL)
    by: Literal["source", "kind", "app"] = "source",
) -> ActivityAnswer:
    """Events per hour or day, of the last week if no time is given."""
    until_us = named_moment_us("until", until, model.clock.now_us() + 1)
    since_us = named_moment_us("since", since, until_us - 7 * DAY_US)
    if until_us - since_us > MAX_DAYS * DAY_US:
        raise UsageError(f"the range is longer than {MAX_DAYS} days", "ask for a shorter one")
    bin_us = HOUR_US if bin == "hour" else DAY_US
    matches = model.index.activity(since_us, until_us, bin_us, by, MAX_BINS + 1)
    if len(matches) > MAX_BINS:
        raise UsageError(f"more than {MAX_BINS:,} bins", "ask for bin=day or a shorter range")
    items = [
        ActivityItem(
            start_at=rfc3339(one.start_us),
            group=one.group,
            events=one.events,
            duration_s=round(one.duration_s, 3),
        )
        for one in matches
    ]
    return ActivityAnswer(bin=bin, by=by, items=items)


@routes.get("/api/activity/folders", "view")
def folders(
    model: Model, since: Text = None, until: Text = None, within: Folder = None
) -> FoldersAnswer:
    """Files by folder in whole UTC days, of the last week if no time is given: the first level of
    folders, or the second ``within`` one of the first; each with its events in the time of the same
    length before.
    """
    until_us = named_moment_us("until", until, model.clock.now_us() + 1)
    since_us = named_moment_us("since", since, until_us - 7 * DAY_US)
    sums, more = model.index.folders(since_us, until_us, within)
    earlier, _ = model.index.folders(2 * since_us - until_us, since_us, within)
    before = {one.folder: one.events for one in earlier}
    items = [
        FolderItem(
            folder=total.folder,
            files=total.files,
            events=total.events,
            last_at=rfc3339(total.last_us),
            events_before=before.get(total.folder, 0),
        )
        for total in sums
    ]
    return FoldersAnswer(within=within, items=items, more=more)


def _list(
    model: ReadModel, log: LogReader, wanted: EventQuery, limit: int, cursor: str | None
) -> Page[EventItem]:
    if cursor is not None:
        try:
            wanted = replace(wanted, cursor=parse_cursor(cursor))
        except ValueError as error:
            raise refuse_cursor() from error
    matches = _newest(model, log, wanted, limit + 1)
    return _page(matches[:limit], next_cursor(matches[:limit]) if len(matches) > limit else None)


def _newest(model: ReadModel, log: LogReader, wanted: EventQuery, limit: int) -> list[Stored]:
    """Wanted events, newest first. What few events are is looked for only in the hours that the
    index knows to hold some, and in the last two, which it may not know yet.
    """
    groups: dict[Group, str | None] = {
        "source": wanted.source,
        "kind": wanted.kind,
        "app": wanted.app,
    }
    if wanted.project is None and all(value is None for value in groups.values()):
        return newest(log, wanted, limit)
    recent_us = model.clock.now_us() // HOUR_US * HOUR_US - HOUR_US
    since_us = max(wanted.since_us, recent_us)
    matches = newest(log, replace(wanted, since_us=since_us), limit)
    between_us = (wanted.since_us, min(wanted.until_us, recent_us))
    known = model.index.hours_with(groups, *between_us)
    if wanted.project is not None:
        with model.index.reading() as connection:
            own = project_hours(connection, wanted.project, *between_us)
        known = [hour_us for hour_us in known if hour_us in own]
    for hour_us in known:
        if len(matches) >= limit:
            break
        hour = replace(
            wanted,
            since_us=max(wanted.since_us, hour_us),
            until_us=min(wanted.until_us, recent_us, hour_us + HOUR_US),
        )
        matches += newest(log, hour, limit - len(matches))
    return matches


def _search(
    model: ReadModel, log: LogReader, wanted: EventQuery, text: str, limit: int, cursor: str | None
) -> Page[EventItem]:
    """A page may hold fewer events than were asked for and still have a next one: so many are
    looked at for one answer, and no more.
    """
    if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise refuse_cursor()
    matches: list[Stored] = []
    examined, last_seq = 0, 0
    for stored in _matches(model, log, text, int(cursor) if cursor else None):
        if len(matches) == limit or examined == MAX_EXAMINED_EVENTS:
            return _page(matches, str(last_seq))
        examined, last_seq = examined + 1, stored.seq
        if wanted.covers(stored):
            matches.append(stored)
    return _page(matches, None)


def _matches(
    model: ReadModel, log: LogReader, text: str, before_seq: int | None
) -> Iterator[Stored]:
    """Events that hold the words, newest first by arrival."""
    while matches := model.index.search(text, before_seq, _SEARCH_EVENTS):
        yield from _stored(log, matches)
        before_seq = matches[-1]


def _stored(log: LogReader, seqs: Iterable[int]) -> Iterator[Stored]:
    """The events with these numbers that are still in the log."""
    for seq in seqs:
        yield from (stored for stored in log.read(seq - 1, 1) if stored.seq == seq)


def _page(matches: list[Stored], following: str | None) -> Page[EventItem]:
    items = [EventItem.model_validate(event_document(stored)) for stored in matches]
    return Page[EventItem](items=items, next=following)
