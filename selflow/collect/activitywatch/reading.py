"""What the store holds, for one thread at a time."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent, no_such_bucket
from selflow.core.events import Json

_BUCKET = "number, id, type, client, hostname, created_us, name, data, longest_us"
_EVENT = "ts_us, duration_us, data, id"
_PAGE_ROWS = 1_000


class StoreReader:
    """Reads by a connection of its own, or by that of a writer."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def buckets(self) -> list[AwBucket]:
        """All, in the order in which they were created."""
        rows = self._connection.execute(f"SELECT {_BUCKET} FROM buckets ORDER BY number")  # noqa: S608  (our own names)
        return [_bucket(row) for row in rows.fetchall()]

    def bucket(self, bucket_id: str) -> AwBucket:
        """One of them.

        Raises:
            ApiError: 404; there is none of this name.
        """
        return _bucket(self._row(bucket_id))

    def span(self, bucket_id: str) -> tuple[int, int] | None:
        """The first moment of a bucket, and the end of its newest event; None if it is empty."""
        number = self._row(bucket_id)[0]
        ends = self._connection.execute(
            "SELECT ts_us, duration_us FROM events WHERE bucket = ? ORDER BY ts_us DESC, id DESC "
            "LIMIT 1",
            (number,),
        ).fetchone()
        if ends is None:
            return None
        (first_us,) = self._connection.execute(
            "SELECT min(ts_us) FROM events WHERE bucket = ?", (number,)
        ).fetchone()
        return first_us, ends[0] + ends[1]

    def events(
        self, bucket_id: str, limits: TimeRange, limit_events: int | None = None
    ) -> Iterator[AwEvent]:
        """Events that touch a range, newest first and cut to it; lazily, page by page.

        Raises:
            ApiError: 404; there is no such bucket.
        """
        return self._pages(self._row(bucket_id), limits, limit_events)

    def count(self, bucket_id: str, limits: TimeRange) -> int:
        """How many events touch a range.

        Raises:
            ApiError: 404; there is no such bucket.
        """
        where, values = _touching(self._row(bucket_id), limits)
        row = self._connection.execute(f"SELECT count(*) FROM events WHERE {where}", values)  # noqa: S608  (our own words)
        return int(row.fetchone()[0])

    def event(self, bucket_id: str, event_id: int) -> AwEvent | None:
        """One event of a bucket."""
        row = self._connection.execute(
            f"SELECT {_EVENT} FROM events WHERE id = ? AND bucket = ?",  # noqa: S608  (our own names)
            (event_id, self._row(bucket_id)[0]),
        ).fetchone()
        return AwEvent(*row) if row else None

    def settings(self) -> dict[str, Json]:
        """What clients keep here, by key."""
        rows = self._connection.execute("SELECT key, value FROM settings ORDER BY key").fetchall()
        return {key: json.loads(value) for key, value in rows}

    def device_id(self) -> str:
        """What this store calls itself."""
        query = "SELECT value FROM identity WHERE name = 'device_id'"
        return str(self._connection.execute(query).fetchone()[0])

    def waiting(self) -> int:
        """How many events are not in the log yet."""
        query = (
            "SELECT (SELECT count(*) FROM events WHERE batch = 0) "
            "+ (SELECT coalesce(sum(json_array_length(event_ids)), 0) FROM batches)"
        )
        return int(self._connection.execute(query).fetchone()[0])

    def _row(self, bucket_id: str) -> Any:  # noqa: ANN401  (a row)
        query = f"SELECT {_BUCKET} FROM buckets WHERE id = ?"  # noqa: S608  (our own names)
        row = self._connection.execute(query, (bucket_id,)).fetchone()
        if row is None:
            raise no_such_bucket(bucket_id)
        return row

    def _pages(
        self,
        bucket: Any,  # noqa: ANN401  (a row)
        limits: TimeRange,
        limit_events: int | None,
    ) -> Iterator[AwEvent]:
        where, values = _touching(bucket, limits)
        query = f"SELECT {_EVENT} FROM events WHERE {where}"  # noqa: S608  (our own words)
        behind: tuple[int, ...] = ()
        left = limit_events
        while left is None or left > 0:
            page = _PAGE_ROWS if left is None else min(left, _PAGE_ROWS)
            more = " AND (ts_us, id) < (?, ?)" if behind else ""
            rows = self._connection.execute(
                f"{query}{more} ORDER BY ts_us DESC, id DESC LIMIT ?", (*values, *behind, page)
            ).fetchall()
            yield from limits.clip(AwEvent(*row) for row in rows)
            if len(rows) < page:
                return
            behind = (rows[-1][0], rows[-1][3])
            left = None if left is None else left - len(rows)


def _bucket(row: Any) -> AwBucket:  # noqa: ANN401  (a row)
    _, name, kind, client, hostname, created_us, title, data, _ = row
    return AwBucket(name, kind, client, hostname, created_us, title, json.loads(data))


def _touching(bucket: Any, limits: TimeRange) -> tuple[str, tuple[int, ...]]:  # noqa: ANN401  (a row)
    """The condition of events that touch a range. The bucket's longest event bounds how far before
    it one may begin, so that the index is enough.
    """
    number, longest_us = bucket[0], bucket[8]
    conditions, values = ["bucket = ?"], [number]
    if limits.start_us is not None:
        conditions += ["ts_us >= ?", "ts_us + duration_us >= ?"]
        values += [limits.start_us - longest_us, limits.start_us]
    if limits.end_us is not None:
        conditions.append("ts_us <= ?")
        values.append(limits.end_us)
    return " AND ".join(conditions), tuple(values)
