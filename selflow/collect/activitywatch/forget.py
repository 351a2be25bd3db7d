"""Deletions reach what watchers have sent, before what the log made of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from selflow.collect.activitywatch.handing import alone
from selflow.collect.activitywatch.log_events import as_log_event
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import AwEvent
from selflow.collect.activitywatch.tables import database_of, open_writing, refused
from selflow.core.errors import StoreError
from selflow.core.selection import Matches

_PAGE_ROWS = 2_000


def forget_events(folder: Path, matches: Matches) -> int:
    """Delete the events that a selection means, their bytes too; returns how many. Whoever else
    has the store open goes on.

    Raises:
        StoreError: The store refuses, or somebody reads it so long that the old bytes cannot go.
    """
    if not database_of(folder).exists():
        return 0
    with alone(folder), closing(open_writing(folder, "")) as connection:
        try:
            count = _delete(connection, matches)
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise refused(error) from error
    if is_busy:
        raise StoreError("a reader holds the store of ActivityWatch's events", "try again")
    return count


def _delete(connection: sqlite3.Connection, matches: Matches) -> int:
    count = 0
    for ids in _matching(connection, matches):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM events WHERE id = ?", [(one,) for one in ids])
        connection.execute("COMMIT")
        count += len(ids)
    return count


def _matching(connection: sqlite3.Connection, matches: Matches) -> Iterator[list[int]]:
    """The ids of what is meant, page by page."""
    buckets = {
        number: StoreReader(connection).bucket(name)
        for number, name in connection.execute("SELECT number, id FROM buckets").fetchall()
    }
    last = 0
    while rows := connection.execute(
        "SELECT ts_us, duration_us, data, id, bucket FROM events WHERE id > ? ORDER BY id LIMIT ?",
        (last, _PAGE_ROWS),
    ).fetchall():
        yield [
            row[3]
            for row in rows
            if row[4] in buckets and matches(as_log_event(buckets[row[4]], AwEvent(*row[:4])))
        ]
        last = rows[-1][3]
