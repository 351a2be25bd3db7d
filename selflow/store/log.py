"""The append-only event log: one LMDB environment, one writer, readers from any process.

Format and reasons: ``docs/decisions/0004-the-store.md``.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar

import lmdb

from selflow.core.codec import decode_record, record_ts_us
from selflow.core.errors import ShapeError, StoreError, WireError, storage_code
from selflow.core.events import Credits, Fill, Stored
from selflow.core.paths import private_folder
from selflow.store.erase import drop, overwrite_free_pages, recount
from selflow.store.erase import number as _number
from selflow.store.lock import hold
from selflow.store.log_format import (
    BUFFER_BYTES,
    CYCLE,
    FORGOTTEN,
    LAST_SEQ,
    MAX_SOURCE_BYTES,
    NEW_GONE,
    PAIR,
    U64,
    batch_key,
    open_environment,
)

_TS_BYTES = 8
_Answer = TypeVar("_Answer")


class LogReader:
    """Reads a log that another process may be writing. Safe for threads: one call at a time."""

    def __init__(
        self, folder: Path, budget_bytes: int, map_bytes: int = 0, *, is_reader: bool = True
    ) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes
        self._lock = RLock()
        self._is_closed = False
        self._env, self._tables = open_environment(folder, map_bytes, is_reader=is_reader)

    def read(self, after_seq: int, limit_events: int) -> list[Stored]:
        """At most ``limit_events`` events whose sequence number is greater than ``after_seq``, in
        order.

        Raises:
            StoreError: A record cannot be decoded; the message names its sequence number.
        """
        with self._view() as txn, txn.cursor(self._tables.log) as cursor:
            if limit_events <= 0 or not cursor.set_range(U64.pack(max(0, after_seq + 1))):
                return []
            events = []
            for key, record in cursor.iternext():
                events.append(_stored(key, record))
                if len(events) == limit_events:
                    break
            return events

    def scan(
        self, since_us: int, until_us: int, limit_events: int, *, newest_first: bool = False
    ) -> list[Stored]:
        """At most ``limit_events`` events with ``since_us <= ts_us < until_us``, by time, then
        sequence number.
        """
        low, high = PAIR.pack(max(0, since_us), 0), PAIR.pack(max(0, until_us), 0)
        if limit_events <= 0 or low >= high:
            return []
        with self._view() as txn, txn.cursor(self._tables.times) as cursor:
            events = []
            for key in _between(cursor, low, high, newest_first=newest_first):
                seq = key[_TS_BYTES:]
                events.append(_stored(seq, txn.get(seq, db=self._tables.log)))
                if len(events) == limit_events:
                    break
            return events

    def fill(self) -> Fill:
        """How many events the log holds, and how many and how large those after the cycle's cursor
        are.
        """
        with self._view() as txn:
            last_seq = _number(txn, LAST_SEQ, self._tables.meta)
            return Fill(
                events=txn.stat(self._tables.log)["entries"],
                size_bytes=_number(txn, BUFFER_BYTES, self._tables.meta),
                last_seq=last_seq,
                budget_bytes=self._budget_bytes,
                new_events=last_seq
                - _number(txn, CYCLE, self._tables.cursors)
                - (gone := _number(txn, NEW_GONE, self._tables.meta)),
                new_gone=gone,
                forgotten=_number(txn, FORGOTTEN, self._tables.meta),
            )

    def close(self) -> None:
        """Let go of the files. A second call does nothing."""
        with self._lock:
            self._env.close()
            self._is_closed = True

    @contextlib.contextmanager
    def _view(self) -> Iterator[lmdb.Transaction]:
        """A read transaction; the lock keeps other threads from moving the map below it."""
        with self._lock:
            self._refuse_closed()
            try:
                with self._begin() as txn:
                    yield txn
            except lmdb.Error as error:
                raise StoreError(
                    f"cannot read the event log {self._folder} ({type(error).__name__})",
                    "if it happens again, the files are damaged: restore the folder from a backup",
                ) from error

    def _begin(self) -> lmdb.Transaction:
        try:
            return self._env.begin()
        except lmdb.MapResizedError:
            self._env.set_mapsize(0)
            return self._env.begin()

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise StoreError(f"the event log {self._folder} is closed", "open it again")


class FillReader:
    """How full a log is at the moment of the question, whoever writes it. Safe for threads.

    The log stays open, because LMDB opens one only once in a process: an answer takes
    microseconds, asks no other process, and is right while the buffer is away.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = RLock()
        self._reader: LogReader | None = None

    def fill(self) -> Fill | None:
        """None before the first event log stands there; ``budget_bytes`` is 0.

        Raises:
            StoreError: The log cannot be opened or read.
        """
        with self._lock:
            if self._reader is None and (self._folder / "data.mdb").exists():
                self._reader = LogReader(self._folder, budget_bytes=0)
            return self._reader.fill() if self._reader else None

    def last_seq(self) -> int:
        """Of the last stored event; 0 if there is none.

        Raises:
            StoreError: The log cannot be opened or read.
        """
        fill = self.fill()
        return fill.last_seq if fill else 0

    def forgotten(self) -> int:
        """How many events were ever deleted. Raises what ``fill`` does."""
        fill = self.fill()
        return fill.forgotten if fill else 0


class EventLog(LogReader):
    """The one writer. Every method returns only when what it did survives a power cut."""

    def __init__(
        self,
        folder: Path,
        *,
        budget_bytes: int,
        credits: int,  # noqa: A002  (the wire's word)
        map_bytes: int = 1 << 26,
    ) -> None:
        """Open for writing, and make what is missing.

        Args:
            folder: ``<root>/events``.
            budget_bytes: What the buffer is measured against.
            credits: How many batches a sender may have in flight; every answer repeats it.
            map_bytes: First size of the memory map; it doubles whenever the log outgrows it.

        Raises:
            StoreError: Another process writes this log, or the files cannot be read.
        """
        private_folder(folder)
        self._credits = credits
        self._map_bytes = map_bytes
        self._held = hold(folder / "writer.lock", f"the event log {folder}")
        try:
            super().__init__(folder, budget_bytes, map_bytes, is_reader=False)
        except StoreError:
            os.close(self._held)
            raise

    @classmethod
    def open_for_reading(cls, folder: Path, budget_bytes: int) -> LogReader:
        """A reader beside the writer, in another process than it.

        Raises:
            StoreError: There is no log yet, or it cannot be read.
        """
        return LogReader(folder, budget_bytes)

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Store a batch of encoded records in one durable transaction; a repeated one stores
        nothing.

        Returns:
            The sequence numbers, those of the first time for a repeated ``(source, batch_id)``. A
            batch without records is remembered too; its numbers are 0.

        Raises:
            ShapeError: A record is too short to be one, or source or batch_id cannot be a key.
            StoreError: The disk refused; nothing of the batch was stored.

        Cost: one durable commit; 500 records of 265 bytes took 8 ms (median) on 2 shared cores and
        ext4.
        """
        _check_batch(source, batch_id, records)
        size_bytes = sum(map(len, records))
        return self._write(
            lambda txn: self._put_batch(txn, batch_key(source, batch_id), records), size_bytes
        )

    def consume(self, upto_seq: int) -> None:
        """Record durably that a learning cycle is done with everything up to ``upto_seq``.

        Cost: counts the buffer again, which reads every record after ``upto_seq``.

        Raises:
            ShapeError: ``upto_seq`` was never given out.
        """
        self._write(lambda txn: self._put_cursor(txn, upto_seq), len(CYCLE))

    def forget(self, seqs: Sequence[int]) -> int:
        """Delete events for good, in one durable transaction, then their bytes in the file.

        Returns:
            How many of these were still there.

        Raises:
            StoreError: The disk refused: nothing was deleted, or the bytes of what was deleted
            stand in the file until the next call.
        """
        with self._lock:
            self._refuse_closed()
            self._reopen()  # memory of earlier transactions may become a part of new pages
            count = self._write(lambda txn: drop(txn, self._tables, seqs), 0)
            while True:
                try:
                    overwrite_free_pages(self._env, self._tables)
                    break
                except lmdb.MapFullError:
                    self._grow()
                except lmdb.Error as error:
                    self._reopen()
                    raise self._refused(error, 0) from error
        return count

    def close(self) -> None:
        """Let go of the files and of the writer's lock."""
        with self._lock:
            if not self._is_closed:
                super().close()
                os.close(self._held)

    def _put_batch(self, txn: lmdb.Transaction, key: bytes, records: Sequence[bytes]) -> Credits:
        first_time = txn.get(key, db=self._tables.batches)
        if first_time is not None:
            first_seq, last_seq = PAIR.unpack(first_time)
            return Credits(first_seq, last_seq, is_repeat=True, credits=self._credits)
        before = _number(txn, LAST_SEQ, self._tables.meta)
        numbered = [(U64.pack(seq), record) for seq, record in enumerate(records, before + 1)]
        with txn.cursor(self._tables.log) as cursor:
            _, added = cursor.putmulti(numbered, append=True)
        if added != len(records):
            raise StoreError(
                f"the event log {self._folder} holds sequence numbers above its last "
                f"one, {before:,}",
                "it is damaged: restore the folder from a backup",
            )
        with txn.cursor(self._tables.times) as cursor:
            cursor.putmulti(
                [(U64.pack(record_ts_us(record)) + seq, b"") for seq, record in numbered]
            )
        first_seq, last_seq = (before + 1, before + len(records)) if records else (0, 0)
        txn.put(key, PAIR.pack(first_seq, last_seq), db=self._tables.batches)
        if records:
            size_bytes = _number(txn, BUFFER_BYTES, self._tables.meta) + sum(map(len, records))
            txn.put(LAST_SEQ, U64.pack(last_seq), db=self._tables.meta)
            txn.put(BUFFER_BYTES, U64.pack(size_bytes), db=self._tables.meta)
        return Credits(first_seq, last_seq, is_repeat=False, credits=self._credits)

    def _put_cursor(self, txn: lmdb.Transaction, upto_seq: int) -> None:
        last_seq = _number(txn, LAST_SEQ, self._tables.meta)
        if not 0 <= upto_seq <= last_seq:
            raise ShapeError(
                f"cannot consume up to {upto_seq:,}: the last sequence number is {last_seq:,}"
            )
        txn.put(CYCLE, U64.pack(upto_seq), db=self._tables.cursors)
        recount(txn, self._tables)

    def _write(self, action: Callable[[lmdb.Transaction], _Answer], size_bytes: int) -> _Answer:
        """Run ``action`` in one transaction, in a larger map if it does not fit; leaving ``with``
        commits and syncs.
        """
        with self._lock:
            self._refuse_closed()
            while True:
                try:
                    with self._env.begin(write=True) as txn:
                        return action(txn)
                except lmdb.MapFullError:
                    self._grow()
                except lmdb.Error as error:
                    self._reopen()
                    raise self._refused(error, size_bytes) from error

    def _grow(self) -> None:
        if self._env.reader_check():
            # A reader was killed and kept old pages from being used again: there may be room now.
            return
        self._map_bytes = 2 * self._env.info()["map_size"]
        try:
            self._env.set_mapsize(self._map_bytes)
        except lmdb.Error as error:
            raise StoreError(
                f"cannot map {self._map_bytes:,} bytes for the event log {self._folder}",
                "raise the limit on the address space of this process (`ulimit -v`)",
            ) from error

    def _refused(self, error: lmdb.Error, size_bytes: int) -> StoreError:
        free_bytes = shutil.disk_usage(self._folder).free
        return StoreError(
            f"cannot write {size_bytes:,} bytes to the event log {self._folder} "
            f"({type(error).__name__}); "
            f"{free_bytes:,} bytes are free on its disk",
            "nothing of the batch was stored: free some space or raise the limit, then "
            "send it again",
            storage_code(is_full=isinstance(error, lmdb.DiskError | lmdb.ReadonlyError)),
        )

    def _reopen(self) -> None:
        """Start from what is on disk: LMDB refuses all further work after some failed writes."""
        self._env.close()
        self._env, self._tables = open_environment(self._folder, self._map_bytes, is_reader=False)


def _check_batch(source: str, batch_id: int, records: Sequence[bytes]) -> None:
    if not 0 < len(source.encode()) <= MAX_SOURCE_BYTES:
        raise ShapeError(
            f"a source has 1 to {MAX_SOURCE_BYTES} bytes, not {len(source.encode()):,}"
        )
    if not 0 <= batch_id < 1 << 64:
        raise ShapeError("batch_id must be an unsigned 64-bit integer")
    for index, record in enumerate(records):
        if len(record) <= _TS_BYTES:
            raise ShapeError(
                f"record {index} of {len(records)} has {len(record)} bytes; its header alone has 8"
            )


def _between(
    cursor: lmdb.Cursor, low: bytes, high: bytes, *, newest_first: bool
) -> Iterator[bytes]:
    """The keys from ``low`` to before ``high``, forwards or backwards."""
    if newest_first:
        is_positioned = cursor.prev() if cursor.set_range(high) else cursor.last()
        keys: Iterator[Any] = cursor.iterprev(values=False) if is_positioned else iter(())
    else:
        keys = cursor.iternext(values=False) if cursor.set_range(low) else iter(())
    for key in keys:
        if not low <= key < high:
            return
        yield key


def _stored(key: bytes | memoryview, record: bytes | memoryview | None) -> Stored:
    seq = int(U64.unpack(key)[0])
    try:
        return Stored(seq, decode_record(record or b""))
    except WireError as error:
        raise StoreError(
            f"event {seq:,} of the log cannot be read: {error}", "restore the folder from a backup"
        ) from error
