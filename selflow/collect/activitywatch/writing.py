"""Changes of the store, each a part of a transaction that ``group_commit`` makes durable."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from selflow.collect.activitywatch.heartbeat import merge_heartbeat
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent, canonical, no_such_bucket

SETTLE_US = 15_000_000
"""An event that nobody lengthened for this time and its pulse time is finished: clients send what
they have gathered every 10 s.
"""
_INSERT = "INSERT INTO events (bucket, ts_us, duration_us, data, settled_us) VALUES (?, ?, ?, ?, ?)"
_LENGTHEN = (
    "UPDATE events SET duration_us = ?3, settled_us = ?5 WHERE bucket = ?1 AND ts_us = ?2 "
    "AND data = ?4 AND duration_us < ?3"
)
_IMPORT = (
    "INSERT INTO events (bucket, ts_us, duration_us, data, settled_us) SELECT ?1, ?2, ?3, ?4, ?5 "
    "WHERE NOT EXISTS (SELECT 1 FROM events WHERE bucket = ?1 AND ts_us = ?2 AND duration_us = ?3 "
    "AND data = ?4)"
)


class StoreWriter:
    """Writes by one connection, for one thread. It remembers the tail of each bucket, until another
    process has changed the store or a change was undone.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._numbers: dict[str, int] = {}
        self._longest_us: dict[int, int] = {}
        self._tails: dict[int, AwEvent] = {}
        self._data_version = 0

    def begin(self) -> None:
        """A transaction begins: what another process changed meanwhile is not remembered."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        if version != self._data_version:
            self.forget_memory()
            self._data_version = version

    def forget_memory(self) -> None:
        """A change was undone, or made elsewhere."""
        self._numbers.clear()
        self._longest_us.clear()
        self._tails.clear()

    def create(self, bucket: AwBucket) -> bool:
        """Make a bucket; False if there is one of this name."""
        done = self.connection.execute(
            "INSERT INTO buckets (id, type, client, hostname, created_us, name, data) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (
                *(bucket.id, bucket.type, bucket.client, bucket.hostname, bucket.created_us),
                *(bucket.name, canonical(dict(bucket.data))),
            ),
        )
        return done.rowcount > 0

    def change(self, bucket: AwBucket) -> None:
        """Give a bucket other descriptions."""
        self.connection.execute(
            "UPDATE buckets SET type = ?, client = ?, hostname = ?, name = ?, data = ? "
            "WHERE number = ?",
            (
                *(bucket.type, bucket.client, bucket.hostname, bucket.name),
                *(canonical(dict(bucket.data)), self._number(bucket.id)),
            ),
        )

    def delete_bucket(self, bucket_id: str) -> None:
        """Delete a bucket and its events."""
        number = self._number(bucket_id)
        self.connection.execute("DELETE FROM events WHERE bucket = ?", (number,))
        self.connection.execute("DELETE FROM buckets WHERE number = ?", (number,))
        self.forget_memory()

    def heartbeat(self, bucket_id: str, event: AwEvent, pulsetime_us: int, now_us: int) -> AwEvent:
        """Lengthen the tail, or insert; the event that results. Cost: one update by its key."""
        number = self._number(bucket_id)
        tail = self._tails.get(number) or self._tail(number)
        settled_us = now_us + max(0, pulsetime_us) + SETTLE_US
        merged = None if tail is None else merge_heartbeat(tail, event, pulsetime_us)
        if merged is None or not self._lengthen(merged, settled_us):
            merged = self._insert(number, event, settled_us)
            self._set_tail(number, merged.id)
        self._note_length(number, merged.duration_us)
        self._tails[number] = merged
        return merged

    def insert(self, bucket_id: str, events: Iterable[AwEvent], now_us: int) -> list[AwEvent]:
        """Add events; one with the id of an event of this bucket replaces it."""
        number, stored = self._number(bucket_id), []
        for event in events:
            self._note_length(number, event.duration_us)
            if event.id is None or not self._replace(number, event):
                stored.append(self._insert(number, event, now_us + SETTLE_US))
            else:
                stored.append(event)
        self._set_tail(number, None)
        return stored

    def delete_event(self, bucket_id: str, event_id: int) -> bool:
        """Delete one event; False if the bucket has none of this id."""
        number = self._number(bucket_id)
        self._set_tail(number, None)
        done = self.connection.execute(
            "DELETE FROM events WHERE id = ? AND bucket = ?", (event_id, number)
        )
        return done.rowcount > 0

    def merge_import(
        self, bucket_id: str, events: Sequence[AwEvent], live_from_us: int | None = None
    ) -> int:
        """Add the events that the bucket does not have, by moment, duration and data; how many.

        ``live_from_us``: they come from a server that goes on lengthening them. An event that is
        there and has become longer is lengthened, and is not finished before that moment.
        """
        number = self._number(bucket_id)
        self._set_tail(number, None)
        self._note_length(number, max((event.duration_us for event in events), default=0))
        rows = [
            (number, event.ts_us, event.duration_us, event.data, live_from_us or 0)
            for event in events
        ]
        if live_from_us is not None:
            self.connection.executemany(_LENGTHEN, rows)
        return self.connection.executemany(_IMPORT, rows).rowcount

    def set_setting(self, key: str, value: str | None) -> None:
        """Keep a client's setting as JSON text; None: forget it."""
        if value is None:
            self.connection.execute("DELETE FROM settings WHERE key = ?", (key,))
        else:
            self.connection.execute(
                "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ?2",
                (key, value),
            )

    def _number(self, bucket_id: str) -> int:
        number = self._numbers.get(bucket_id)
        if number is None:
            query = "SELECT number, longest_us FROM buckets WHERE id = ?"
            row = self.connection.execute(query, (bucket_id,)).fetchone()
            if row is None:
                raise no_such_bucket(bucket_id)
            number = self._numbers[bucket_id] = int(row[0])
            self._longest_us[number] = int(row[1])
        return number

    def _tail(self, number: int) -> AwEvent | None:
        """What the bucket's last heartbeat wrote, else its newest event."""
        select = "SELECT ts_us, duration_us, data, id FROM events"
        row = (
            self.connection.execute(
                f"{select} WHERE id = (SELECT tail FROM buckets WHERE number = ?)",  # noqa: S608  (ours)
                (number,),
            ).fetchone()
            or self.connection.execute(
                f"{select} WHERE bucket = ? ORDER BY ts_us DESC, id DESC LIMIT 1",
                (number,),
            ).fetchone()
        )
        return AwEvent(*row) if row else None

    def _set_tail(self, number: int, event_id: int | None) -> None:
        self._tails.pop(number, None)
        self.connection.execute("UPDATE buckets SET tail = ? WHERE number = ?", (event_id, number))

    def _lengthen(self, event: AwEvent, settled_us: int) -> bool:
        done = self.connection.execute(
            "UPDATE events SET duration_us = ?, settled_us = ? WHERE id = ?",
            (event.duration_us, settled_us, event.id),
        )
        return done.rowcount > 0

    def _insert(self, number: int, event: AwEvent, settled_us: int) -> AwEvent:
        row = (number, event.ts_us, event.duration_us, event.data, settled_us)
        return replace(event, id=self.connection.execute(_INSERT, row).lastrowid)

    def _replace(self, number: int, event: AwEvent) -> bool:
        done = self.connection.execute(
            "UPDATE events SET ts_us = ?, duration_us = ?, data = ? WHERE id = ? AND bucket = ?",
            (event.ts_us, event.duration_us, event.data, event.id, number),
        )
        return done.rowcount > 0

    def _note_length(self, number: int, duration_us: int) -> None:
        """How long the longest event is bounds where a range is searched; doubled, so that it is
        seldom written.
        """
        if duration_us > self._longest_us[number]:
            self._longest_us[number] = 2 * duration_us
            self.connection.execute(
                "UPDATE buckets SET longest_us = ? WHERE number = ?", (2 * duration_us, number)
            )
