"""From the store to the log: what nobody lengthens any more is handed to the ingest, in batches
that keep their number until they are acknowledged, so that each is stored once.
"""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from selflow.collect.activitywatch.group_commit import GroupCommit
from selflow.collect.activitywatch.log_events import as_log_event
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent
from selflow.collect.activitywatch.writing import StoreWriter
from selflow.core.events import Event

BATCH_SOURCE = "activitywatch"
"""Of the batches; each event has its bucket's source. Also the kind of consent they need."""
_MAX_BATCH_EVENTS, _MAX_BATCH_BYTES = 400, 80_000
_OVERHEAD_BYTES = 700
_NEVER = -1
"""The batch of an event that no batch of the ingest can hold: clients see it, the log does not."""


@dataclass(frozen=True, slots=True)
class HandedBatch:
    """Events on their way, under the number by which the log knows them again."""

    number: int
    batch_id: int
    events: tuple[Event, ...]


class Handing:
    """Makes batches of finished events. For one thread; the writer is shared."""

    def __init__(self, commit: GroupCommit) -> None:
        self._commit = commit

    def next(self, now_us: int) -> HandedBatch | None:
        """The oldest batch that is not acknowledged, else one of the events that are finished; None
        if there are none.

        Raises:
            StoreError: The store refuses.
        """
        return self._commit.submit(lambda writer: _next(writer, now_us)).result()

    def done(self, number: int) -> None:
        """The log has it.

        Raises:
            StoreError: The store refuses; the same batch is handed again, and the log knows it.
        """
        self._commit.submit(lambda writer: _done(writer, number)).result()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nothing is on its way to the log while the block runs, in whichever process: a deletion would
    miss it.
    """
    descriptor = os.open(folder / "handing.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _next(writer: StoreWriter, now_us: int) -> HandedBatch | None:
    connection = writer.connection
    known = connection.execute(
        "SELECT number, event_ids FROM batches ORDER BY number LIMIT 1"
    ).fetchone()
    number, ids = known or _new_batch(connection, now_us)
    if not number:
        return None
    reader = StoreReader(connection)
    digest = blake2b(f"{reader.device_id()}\0{number}".encode(), digest_size=8).digest()
    events = tuple(
        as_log_event(bucket, event) for bucket, event in _events(connection, json.loads(ids))
    )
    return HandedBatch(number, int.from_bytes(digest, "big"), events)


def _new_batch(connection: sqlite3.Connection, now_us: int) -> tuple[int, str]:
    """Choose finished events, oldest first, as many as one batch holds; 0 if there are none."""
    rows = connection.execute(
        "SELECT id, length(data) FROM events WHERE batch = 0 AND settled_us <= ? "
        "ORDER BY settled_us, id LIMIT ?",
        (now_us, _MAX_BATCH_EVENTS),
    ).fetchall()
    chosen: list[int] = []
    left_bytes = _MAX_BATCH_BYTES
    for event_id, data_bytes in rows:
        size_bytes = 2 * data_bytes + _OVERHEAD_BYTES  # the subject repeats a part of the data
        if size_bytes > _MAX_BATCH_BYTES:
            connection.execute("UPDATE events SET batch = ? WHERE id = ?", (_NEVER, event_id))
            continue
        left_bytes -= size_bytes
        if left_bytes < 0:
            break
        chosen.append(event_id)
    if not chosen:
        return 0, "[]"
    ids = json.dumps(chosen)
    number = connection.execute("INSERT INTO batches (event_ids) VALUES (?)", (ids,)).lastrowid or 0
    connection.executemany(
        "UPDATE events SET batch = ? WHERE id = ?", [(number, event_id) for event_id in chosen]
    )
    return number, ids


def _events(connection: sqlite3.Connection, ids: list[int]) -> Iterator[tuple[AwBucket, AwEvent]]:
    """Those that are still there, in their order."""
    buckets: dict[int, AwBucket] = {}
    for event_id in ids:
        row = connection.execute(
            "SELECT ts_us, duration_us, data, id, bucket FROM events WHERE id = ?", (event_id,)
        ).fetchone()
        if row is None:
            continue
        *fields, number = row
        if number not in buckets:
            query = "SELECT id FROM buckets WHERE number = ?"
            (name,) = connection.execute(query, (number,)).fetchone()
            buckets[number] = StoreReader(connection).bucket(name)
        yield buckets[number], AwEvent(*fields)


def _done(writer: StoreWriter, number: int) -> None:
    writer.connection.execute("DELETE FROM batches WHERE number = ?", (number,))
