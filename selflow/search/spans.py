"""Spans of time in which events of one program, project and source came close together: what the
page Activity draws. They lie in the file of the search index and are added to in the same
transaction.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selflow.core.events import Event, Stored
from selflow.search.folder_sums import folder_of
from selflow.search.lanes import GLANCE_US, LaneGroup, Span, joined
from selflow.search.rollups import HOUR_US

SLOT_US = HOUR_US // 4
"""No span holds events of two quarters of an hour: the days of every time zone begin with one."""
MAX_SPANS = 5_000
"""Of one answer: one every 17 s of a day."""
TABLES = (
    """CREATE TABLE lanes (
  id INTEGER PRIMARY KEY, source TEXT NOT NULL, app TEXT NOT NULL, project TEXT NOT NULL,
  UNIQUE (source, app, project))""",
    """CREATE TABLE spans (
  start_us INTEGER, lane INTEGER, length_us INTEGER NOT NULL, events INTEGER NOT NULL,
  PRIMARY KEY (start_us, lane)) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class SpanDay:
    """The spans that begin from one moment to another, by one group, oldest first; and when the
    nearest one before and after that begins.
    """

    by: LaneGroup
    spans: Sequence[Span]
    since_us: int
    until_us: int
    before_us: int | None
    after_us: int | None


def project_of(event: Event) -> str:
    """The folder that a file lies in, or that a command ran in, cut to two levels; empty if the
    event has none.
    """
    folder = event.data.get("folder")
    if isinstance(folder, str):
        return folder_of(f"{folder}/")
    is_file = event.kind.partition(".")[0] in {"file", "document"}
    return folder_of(event.subject) if is_file else ""


def take_in(connection: sqlite3.Connection, batch: Iterable[Stored]) -> None:
    """Add the events of a batch, in a transaction that writes already. Spans do not depend on the
    order in which events arrive.

    Cost: reads the spans of every quarter of an hour that the batch has events of.
    """
    slots = _by_slot(connection, batch)
    replaced: list[tuple[int, int]] = []
    added: list[tuple[int, int, int, int]] = []
    for slot_us, by_lane in slots.items():
        query = "SELECT * FROM spans WHERE start_us >= ? AND start_us < ?"
        for start_us, lane, length_us, events in connection.execute(
            query, (slot_us, slot_us + SLOT_US)
        ):
            if lane in by_lane:
                by_lane[lane].append(Span("", start_us, start_us + length_us, events))
                replaced.append((start_us, lane))
        for lane, own in by_lane.items():
            added += (
                (one.start_us, lane, one.end_us - one.start_us, one.events)
                for one in joined(own, GLANCE_US)
            )
    connection.executemany("DELETE FROM spans WHERE start_us = ? AND lane = ?", replaced)
    connection.executemany("INSERT INTO spans VALUES (?, ?, ?, ?)", added)


def span_day(
    connection: sqlite3.Connection, since_us: int, until_us: int, by: LaneGroup | None
) -> SpanDay:
    """The spans that begin from a moment to the end of a quarter of an hour, by program if any has
    one, else by project, else by source; at most ``MAX_SPANS``, and ``until_us`` says up to where:
    what lasts longer is cut.
    """
    until_us = _whole(until_us + SLOT_US - 1)
    by = by or _informative(connection, since_us, until_us)
    query = (
        f"SELECT l.{by}, s.start_us, s.length_us, s.events FROM spans s "  # noqa: S608  (our own names)
        "JOIN lanes l ON l.id = s.lane WHERE s.start_us >= ? AND s.start_us < ? "
        "ORDER BY s.start_us LIMIT ?"
    )
    rows = connection.execute(query, (since_us, until_us, MAX_SPANS + 1)).fetchall()
    if len(rows) > MAX_SPANS:
        until_us = rows[-1][1]
        rows = [row for row in rows if row[1] < until_us]
    spans = [
        Span(name, start_us, min(start_us + length_us, until_us), events)
        for name, start_us, length_us, events in rows
    ]
    nearest = "SELECT (SELECT max(start_us) FROM spans WHERE start_us < ?), "
    nearest += "(SELECT min(start_us) FROM spans WHERE start_us >= ?)"
    before_us, after_us = connection.execute(nearest, (since_us, until_us)).fetchone()
    return SpanDay(by, spans, since_us, until_us, before_us, after_us)


def project_hours(
    connection: sqlite3.Connection, project: str, since_us: int, until_us: int
) -> set[int]:
    """The beginnings of the hours with events of a project."""
    query = (
        "SELECT DISTINCT s.start_us / ? * ? FROM spans s JOIN lanes l ON l.id = s.lane "
        "WHERE l.project = ? AND s.start_us >= ? AND s.start_us < ?"
    )
    values = (HOUR_US, HOUR_US, project, since_us // HOUR_US * HOUR_US, until_us)
    return {int(row[0]) for row in connection.execute(query, values)}


def _informative(connection: sqlite3.Connection, since_us: int, until_us: int) -> LaneGroup:
    groups: tuple[LaneGroup, ...] = ("app", "project")
    for group in groups:
        query = (
            "SELECT 1 FROM spans s JOIN lanes l ON l.id = s.lane "  # noqa: S608  (our own names)
            f"WHERE s.start_us >= ? AND s.start_us < ? AND l.{group} != '' LIMIT 1"
        )
        if connection.execute(query, (since_us, until_us)).fetchone():
            return group
    return "source"


def _whole(moment_us: int) -> int:
    return moment_us // SLOT_US * SLOT_US


def _by_slot(
    connection: sqlite3.Connection, batch: Iterable[Stored]
) -> dict[int, dict[int, list[Span]]]:
    """The batch's events as spans of their own, by quarter of an hour and lane."""
    slots: dict[int, dict[int, list[Span]]] = defaultdict(lambda: defaultdict(list))
    numbers: dict[tuple[str, str, str], int] = {}
    for event in (stored.event for stored in batch):
        key = (event.source, event.app, project_of(event))
        if key not in numbers:
            numbers[key] = _number(connection, key)
        end_us = event.ts_us + round(event.duration_s * 1e6)
        own = Span("", event.ts_us, end_us, 1)
        slots[_whole(event.ts_us)][numbers[key]].append(own)
    return slots


def _number(connection: sqlite3.Connection, key: tuple[str, str, str]) -> int:
    values = "SELECT id FROM lanes WHERE source = ? AND app = ? AND project = ?"
    row = connection.execute(values, key).fetchone()
    if row is None:
        added = "INSERT INTO lanes (source, app, project) VALUES (?, ?, ?)"
        return int(connection.execute(added, key).lastrowid or 0)
    return int(row[0])
