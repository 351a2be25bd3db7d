"""Sums over events that a page shows without reading them: hours, sources, labels.

They lie in the file of the search index (``selflow.search.index``) and are added to in the same
transaction.
"""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from selflow.core.events import COMMIT_MESSAGE, Stored
from selflow.core.steps import event_label

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
_LABEL_BYTES = 8
TABLES = (
    """CREATE TABLE hours (
  hour_us INTEGER, source TEXT, kind TEXT, app TEXT,
  events INTEGER NOT NULL, duration_s REAL NOT NULL,
  PRIMARY KEY (hour_us, source, kind, app)) WITHOUT ROWID""",
    """CREATE TABLE sources (
  source TEXT PRIMARY KEY, events INTEGER NOT NULL, last_us INTEGER NOT NULL) WITHOUT ROWID""",
    "CREATE TABLE labels (digest BLOB PRIMARY KEY) WITHOUT ROWID",
)

Group = Literal["source", "kind", "app"]
Hours = dict[tuple[int, str, str, str], list[float]]


@dataclass(frozen=True, slots=True)
class Activity:
    """Events of one bin of time and one group; ``start_us`` begins the bin."""

    start_us: int
    group: str
    events: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class SourceSeen:
    """What came from one source."""

    source: str
    events: int
    last_us: int


@dataclass(frozen=True, slots=True)
class Diversity:
    """Different labels, and different UTC days with events."""

    labels: int
    days: int


def add_sums(connection: sqlite3.Connection, batch: Sequence[Stored]) -> None:
    """Add a batch of events to the sums; the caller holds the transaction."""
    hours: Hours = defaultdict(lambda: [0, 0.0])
    counts: Counter[str] = Counter()
    last_us: dict[str, int] = {}
    for stored in batch:
        event = stored.event
        hour = hours[event.ts_us // HOUR_US * HOUR_US, event.source, event.kind, event.app]
        hour[0] += 1
        hour[1] += event.duration_s
        counts[event.source] += 1
        last_us[event.source] = max(event.ts_us, last_us.get(event.source, event.ts_us))
    connection.executemany(
        "INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "events = events + excluded.events, duration_s = duration_s + excluded.duration_s",
        [(*key, *amounts) for key, amounts in hours.items()],
    )
    connection.executemany(
        "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
        "events = events + excluded.events, last_us = max(last_us, excluded.last_us)",
        [(source, counts[source], last_us[source]) for source in counts],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO labels VALUES (?)",
        {(_digest(stored),) for stored in batch if stored.event.kind != COMMIT_MESSAGE},
    )


def activity(
    connection: sqlite3.Connection,
    between_us: tuple[int, int],
    bin_us: int,
    group: Group,
    limit_rows: int,
) -> list[Activity]:
    """At most ``limit_rows`` bins, oldest first."""
    query = (
        f"SELECT hour_us / ? * ?, {group}, sum(events), sum(duration_s) FROM hours "  # noqa: S608
        f"WHERE hour_us >= ? AND hour_us < ? GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?"
    )
    values = (bin_us, bin_us, *_whole_hours(between_us), limit_rows)
    return [Activity(*row) for row in connection.execute(query, values)]


def hours_with(
    connection: sqlite3.Connection,
    groups: Mapping[Group, str | None],
    between_us: tuple[int, int],
) -> list[int]:
    """The beginnings of the hours with events of these groups, newest first; None is any."""
    named = {group: value for group, value in groups.items() if value is not None}
    wanted = "".join(f" AND {group} = ?" for group in named)
    query = (
        "SELECT DISTINCT hour_us FROM hours "  # noqa: S608  (our own names)
        f"WHERE hour_us >= ? AND hour_us < ?{wanted} ORDER BY hour_us DESC"
    )
    values = (*_whole_hours(between_us), *named.values())
    return [int(row[0]) for row in connection.execute(query, values)]


def events_between(connection: sqlite3.Connection, between_us: tuple[int, int]) -> int:
    """Events of the hours that begin in this time."""
    query = "SELECT coalesce(sum(events), 0) FROM hours WHERE hour_us >= ? AND hour_us < ?"
    return int(connection.execute(query, between_us).fetchone()[0])


def hourly(connection: sqlite3.Connection, until_us: int, hours: int) -> list[int]:
    """The events of each of so many whole hours before the one that holds ``until_us``, the newest
    last; those before the first event are left out.
    """
    end = until_us // HOUR_US
    query = "SELECT hour_us, sum(events) FROM hours WHERE hour_us >= ? AND hour_us < ? GROUP BY 1"
    first_us = connection.execute("SELECT min(hour_us) FROM hours").fetchone()[0]
    begin = max(end - hours, end if first_us is None else first_us // HOUR_US)
    counts = dict(connection.execute(query, (begin * HOUR_US, end * HOUR_US)))
    return [counts.get(hour * HOUR_US, 0) for hour in range(begin, end)]


def sources(connection: sqlite3.Connection) -> list[SourceSeen]:
    """Every source that ever sent something, by name."""
    query = "SELECT source, events, last_us FROM sources ORDER BY source"
    return [SourceSeen(*row) for row in connection.execute(query)]


def diversity(connection: sqlite3.Connection) -> Diversity:
    """How many labels and days the log holds. A day before 1970 is none of its own.

    Cost: O(hours with events).
    """
    query = "SELECT (SELECT count(*) FROM labels), (SELECT count(DISTINCT hour_us / ?) FROM hours)"
    return Diversity(*connection.execute(query, (DAY_US,)).fetchone())


def _whole_hours(between_us: tuple[int, int]) -> tuple[int, int]:
    return between_us[0] // HOUR_US * HOUR_US, between_us[1]


def _digest(stored: Stored) -> bytes:
    label = event_label(stored.event.kind, stored.event.subject)
    return blake2b(label.encode(), digest_size=_LABEL_BYTES).digest()
