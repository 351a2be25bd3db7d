"""What the console computes from the log once and keeps: hours, labels, days, a full-text index.

One SQLite file that may be deleted at any time: the next follow computes it again from the log.
"""

import contextlib
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import RLock
from typing import Literal

from selflow.core.errors import StoreError
from selflow.core.events import COMMIT_MESSAGE, Stored
from selflow.core.paths import private_folder
from selflow.core.steps import event_label
from selflow.store import folder_sums
from selflow.store.folder_sums import FolderSum
from selflow.store.log import LogReader

FORMAT = 3
"""Changing a table below changes this; a file of another format is made anew."""
BATCH_EVENTS = 2_000
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MAX_TEXT_CHARACTERS = 4_000
"""Of one event that are indexed; the rest can be read, not searched."""
_LABEL_BYTES = 8
_TERM = re.compile(r"\w+")
_TABLES = """
CREATE TABLE position (
  seq INTEGER NOT NULL, events INTEGER NOT NULL, forgotten INTEGER NOT NULL);
INSERT INTO position VALUES (0, 0, 0);
CREATE TABLE hours (
  hour_us INTEGER, source TEXT, kind TEXT, app TEXT,
  events INTEGER NOT NULL, duration_s REAL NOT NULL,
  PRIMARY KEY (hour_us, source, kind, app)) WITHOUT ROWID;
CREATE TABLE sources (
  source TEXT PRIMARY KEY, events INTEGER NOT NULL, last_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE labels (digest BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE days (day INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE texts USING fts5(
  body, content='', columnsize=0, detail='none', tokenize='unicode61 remove_diacritics 2');
"""

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


class DerivedIndex:
    """Follows the log behind a cursor of its own. Safe for threads: one call at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = RLock()
        self._connection: sqlite3.Connection | None = None

    def follow(self, log: LogReader) -> int:
        """Take in at most ``BATCH_EVENTS`` new events, and return how many; what the log lost is
        lost here too: then everything is computed again.

        Raises:
            StoreError: The disk or the log refuses.

        Cost: O(events); ``python -m bench.console`` measures it.
        """
        with self._open() as connection:
            (after_seq, known, forgotten) = connection.execute("SELECT * FROM position").fetchone()
            fill = log.fill()
            is_outdated = after_seq > 0 and fill.forgotten != forgotten
            if fill.last_seq < after_seq or fill.events < known or is_outdated:
                self._discard()
                return self.follow(log)
            batch = log.read(after_seq, BATCH_EVENTS)
            if batch:
                with connection:
                    connection.execute("UPDATE position SET forgotten = ?", (fill.forgotten,))
                    _take_in(connection, batch)
            return len(batch)

    def activity(
        self, since_us: int, until_us: int, bin_us: int, group: Group, limit_rows: int
    ) -> list[Activity]:
        """At most ``limit_rows`` bins, oldest first."""
        query = (
            f"SELECT hour_us / ? * ?, {group}, sum(events), sum(duration_s) FROM hours "  # noqa: S608
            f"WHERE hour_us >= ? AND hour_us < ? GROUP BY 1, 2 ORDER BY 1, 2 LIMIT ?"
        )
        values = (bin_us, bin_us, since_us // HOUR_US * HOUR_US, until_us, limit_rows)
        with self._open() as connection:
            return [Activity(*row) for row in connection.execute(query, values)]

    def folders(
        self, since_us: int, until_us: int, within: str | None
    ) -> tuple[list[FolderSum], int]:
        """Files by folder in whole UTC days, and how many folders more (``folder_sums``)."""
        with self._open() as connection:
            return folder_sums.folder_sums(connection, since_us, until_us, within)

    def hours_with(
        self, groups: Mapping[Group, str | None], since_us: int, until_us: int
    ) -> list[int]:
        """The beginnings of the hours with events of these groups, newest first; None is any."""
        named = {group: value for group, value in groups.items() if value is not None}
        wanted = "".join(f" AND {group} = ?" for group in named)
        query = (
            "SELECT DISTINCT hour_us FROM hours "  # noqa: S608  (our own names)
            f"WHERE hour_us >= ? AND hour_us < ?{wanted} ORDER BY hour_us DESC"
        )
        values = (since_us // HOUR_US * HOUR_US, until_us, *named.values())
        with self._open() as connection:
            return [int(row[0]) for row in connection.execute(query, values)]

    def events_between(self, since_us: int, until_us: int) -> int:
        """Events of the hours that begin in this time."""
        query = "SELECT coalesce(sum(events), 0) FROM hours WHERE hour_us >= ? AND hour_us < ?"
        with self._open() as connection:
            return int(connection.execute(query, (since_us, until_us)).fetchone()[0])

    def hourly(self, until_us: int, hours: int) -> list[int]:
        """The events of each of so many whole hours before the one that holds ``until_us``, the
        newest last; those before the first event are left out.
        """
        end = until_us // HOUR_US
        query = (
            "SELECT hour_us, sum(events) FROM hours WHERE hour_us >= ? AND hour_us < ? GROUP BY 1"
        )
        first_query = "SELECT min(hour_us) FROM hours"
        with self._open() as connection:
            first_us = connection.execute(first_query).fetchone()[0]
            begin = max(end - hours, end if first_us is None else first_us // HOUR_US)
            counts = dict(connection.execute(query, (begin * HOUR_US, end * HOUR_US)))
        return [counts.get(hour * HOUR_US, 0) for hour in range(begin, end)]

    def sources(self) -> list[SourceSeen]:
        """Every source that ever sent something, by name."""
        query = "SELECT source, events, last_us FROM sources ORDER BY source"
        with self._open() as connection:
            return [SourceSeen(*row) for row in connection.execute(query)]

    def diversity(self) -> Diversity:
        """How many labels and days the log holds."""
        query = "SELECT (SELECT count(*) FROM labels), (SELECT count(*) FROM days)"
        with self._open() as connection:
            return Diversity(*connection.execute(query).fetchone())

    def search(self, text: str, before_seq: int | None, limit_rows: int) -> list[int]:
        """Sequence numbers of events that hold every word of a text, or words that begin so,
        newest first.
        """
        words = _TERM.findall(text)
        if not words:
            return []
        wanted = " AND ".join(f'"{name}"*' for name in words)
        query = (
            "SELECT rowid FROM texts WHERE texts MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
        )
        values = (wanted, before_seq if before_seq is not None else 1 << 62, limit_rows)
        with self._open() as connection:
            return [row[0] for row in connection.execute(query, values)]

    def close(self) -> None:
        """Let go of the file. A later call opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The file, made if it is missing, damaged or of another format."""
        with self._lock:
            try:
                if self._connection is None or not self._path.exists():
                    self.close()
                    self._connection = _opened(self._path)
                yield self._connection
            except sqlite3.DatabaseError as error:
                name = getattr(error, "sqlite_errorname", type(error).__name__)
                if name in {"SQLITE_CORRUPT", "SQLITE_NOTADB"}:
                    self._discard()
                raise StoreError(
                    f"cannot use {self._path} ({name})", "it is computed again; try again"
                ) from error

    def _discard(self) -> None:
        self.close()
        for path in _files(self._path):
            path.unlink(missing_ok=True)


def _files(path: Path) -> list[Path]:
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]


def _opened(path: Path) -> sqlite3.Connection:
    private_folder(path.parent)
    connection = sqlite3.connect(path, check_same_thread=False)
    path.chmod(0o600)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA cache_size = -2000")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == FORMAT:
        return connection
    if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        connection.close()
        for stale in _files(path):
            stale.unlink(missing_ok=True)
        return _opened(path)
    connection.executescript(
        f"BEGIN; {_TABLES} {folder_sums.TABLES} PRAGMA user_version = {FORMAT}; COMMIT;"
    )
    return connection


def _take_in(connection: sqlite3.Connection, batch: Sequence[Stored]) -> None:
    hours: Hours = defaultdict(lambda: [0, 0.0])
    counts: Counter[str] = Counter()
    last_us: dict[str, int] = {}
    for stored in batch:
        event = stored.event
        hour = hours[event.ts_us // HOUR_US * HOUR_US, event.source, event.kind, event.app]
        hour[0] += 1
        hour[1] += event.duration_s
        counts[event.source] += 1
        last_us[event.source] = max(event.ts_us, last_us.get(event.source, 0))
    _add_hours(connection, hours)
    folder_sums.take_in(connection, batch)
    connection.executemany(
        "INSERT INTO sources VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
        "events = events + excluded.events, last_us = max(last_us, excluded.last_us)",
        [(source, counts[source], last_us[source]) for source in counts],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO labels VALUES (?)",
        {(_digest(stored),) for stored in batch if stored.event.kind != COMMIT_MESSAGE},
    )
    connection.executemany(
        "INSERT OR IGNORE INTO days VALUES (?)",
        {(stored.event.ts_us // DAY_US,) for stored in batch},
    )
    connection.executemany(
        "INSERT INTO texts (rowid, body) VALUES (?, ?)",
        [(stored.seq, _text(stored)) for stored in batch],
    )
    connection.execute(
        "UPDATE position SET seq = ?, events = events + ?", (batch[-1].seq, len(batch))
    )


def _add_hours(connection: sqlite3.Connection, hours: Hours) -> None:
    connection.executemany(
        "INSERT INTO hours VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "events = events + excluded.events, duration_s = duration_s + excluded.duration_s",
        [(*key, *amounts) for key, amounts in hours.items()],
    )


def _digest(stored: Stored) -> bytes:
    label = event_label(stored.event.kind, stored.event.subject)
    return blake2b(label.encode(), digest_size=_LABEL_BYTES).digest()


def _text(stored: Stored) -> str:
    event = stored.event
    values = (value for value in event.data.values() if isinstance(value, str))
    return " ".join([event.subject, event.app, *values])[:MAX_TEXT_CHARACTERS]
