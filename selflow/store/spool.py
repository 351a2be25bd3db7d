"""Acknowledged batches that wait for the buffer: one file each, durable before ``put`` returns.

A file is a header (magic, CRC-32 and length of the body) and a msgpack body ``[source, batch_id,
records]``.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

import msgpack

from selflow.core.errors import StoreError, is_storage_full, storage_code
from selflow.core.paths import private_folder, sync_folder
from selflow.store.lock import hold

_HEADER = struct.Struct(">4sIQ")
_MAGIC = b"SFS1"
_ENDING = ".batch"
_DAMAGED = ".damaged"
_DIGITS = 20


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """A batch as it was put."""

    source: str
    batch_id: int
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SpoolFill:
    """How much waits, and how many files were kept aside because they cannot be read."""

    batches: int
    size_bytes: int
    damaged_files: int


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    size_bytes: int


class Spool:
    """A queue of batches that survives every crash. One process holds it; safe for its threads."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        """Open ``<root>/spool`` and check every file in it.

        A file that a crash cut short, or that the disk damaged, is kept aside under the ending
        ``.damaged``.

        Raises:
            StoreError: Another process holds this spool.
        """
        self._folder = private_folder(folder)
        self._limit_bytes = limit_bytes
        self._lock = RLock()
        self._held = hold(folder / "lock", f"the spool {folder}")
        self._files: dict[tuple[str, int], _File] = {}
        self._size_bytes = 0
        self._next_number = 1
        try:
            self._load()
        except StoreError:
            self.close()
            raise

    def put(self, source: str, batch_id: int, records: Sequence[bytes]) -> None:
        """Keep a batch; one of the same source and id that still waits is not kept twice.

        Raises:
            StoreError: The spool is full, or the disk refused; the batch was not kept.

        Cost: two fsyncs.
        """
        content = _packed(source, batch_id, records)
        with self._lock:
            if (source, batch_id) in self._files:
                return
            if self._size_bytes + len(content) > self._limit_bytes:
                raise StoreError(
                    f"the spool {self._folder} holds {self._size_bytes:,} bytes and its limit is "
                    f"{self._limit_bytes:,}; a batch of {len(content):,} bytes does not fit",
                    "the buffer does not take events: `selflow status` says why; send "
                    "the batch again later",
                )
            path = self._folder / f"{self._next_number:0{_DIGITS}d}{_ENDING}"
            self._next_number += 1
            self._write(path, content)
            self._remember((source, batch_id), _File(path, len(content)))

    def pending(self) -> Iterator[SpooledBatch]:
        """Every batch that waits, in the order in which they were put."""
        with self._lock:
            waiting = list(self._files.items())
        for key, file in waiting:
            with self._lock:
                batch = self._read(file.path) if key in self._files else None
                if batch is None:
                    self._forget(key)
            if batch is not None:
                yield batch

    def done(self, source: str, batch_id: int) -> None:
        """Forget a batch that the buffer has stored; one that does not wait is not a fault."""
        with self._lock:
            file = self._forget((source, batch_id))
            if file is not None:
                # Not synced: after a crash it would be sent again, and the log would know it.
                file.path.unlink(missing_ok=True)

    def fill(self) -> SpoolFill:
        """How much waits."""
        with self._lock:
            damaged_files = sum(1 for _ in self._folder.glob(f"*{_DAMAGED}"))
            return SpoolFill(len(self._files), self._size_bytes, damaged_files)

    def close(self) -> None:
        """Let go of the spool. A second call does nothing."""
        with self._lock:
            if self._held >= 0:
                os.close(self._held)
                self._held = -1

    def _load(self) -> None:
        for path in sorted(self._folder.glob("[0-9]" * _DIGITS + f"{_ENDING}*")):
            self._next_number = int(path.name[:_DIGITS]) + 1
            if path.suffix == _ENDING and (batch := self._read(path)) is not None:
                self._remember((batch.source, batch.batch_id), _File(path, path.stat().st_size))

    def _remember(self, key: tuple[str, int], file: _File) -> None:
        self._files[key] = file
        self._size_bytes += file.size_bytes

    def _forget(self, key: tuple[str, int]) -> _File | None:
        file = self._files.pop(key, None)
        self._size_bytes -= file.size_bytes if file else 0
        return file

    def _read(self, path: Path) -> SpooledBatch | None:
        """The batch in a file; None, and the file kept aside, if it is not whole."""
        try:
            batch = _parse(path.read_bytes())
            if batch is None:
                path.rename(path.with_name(path.name + _DAMAGED))
        except OSError as error:
            raise StoreError(
                f"cannot read the spooled batch {path}: {error.strerror}",
                "check the disk and that the file is yours",
            ) from error
        return batch

    def _write(self, path: Path, content: bytes) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                sync_folder(self._folder)
            except OSError:
                path.unlink()
                raise
        except OSError as error:
            raise StoreError(
                f"cannot keep a batch of {len(content):,} bytes in the spool "
                f"{self._folder}: {error.strerror}",
                "free some space, then send the batch again",
                storage_code(is_full=is_storage_full(error)),
            ) from error


def rewrite(folder: Path, keeps: Callable[[bytes], bool]) -> int:
    """Take records out of the batches that wait, whoever holds the spool; returns how many.

    A batch keeps its file and its number, and without a record it is still acknowledged. One that
    cannot be read stays: nobody can send it. Damaged files go.
    """
    count = 0
    for damaged in folder.glob(f"*{_DAMAGED}"):
        damaged.unlink(missing_ok=True)
    for path in sorted(folder.glob("[0-9]" * _DIGITS + _ENDING)):
        try:
            batch = _parse(path.read_bytes())
        except FileNotFoundError:  # the buffer has it
            continue
        retained = [record for record in batch.records if keeps(record)] if batch else []
        if batch is None or len(retained) == len(batch.records):
            continue
        count += len(batch.records) - len(retained)
        unfinished = path.with_suffix(".rewritten")
        unfinished.write_bytes(_packed(batch.source, batch.batch_id, retained))
        unfinished.chmod(0o600)
        if path.exists():
            unfinished.replace(path)
        unfinished.unlink(missing_ok=True)
    return count


def _packed(source: str, batch_id: int, records: Sequence[bytes]) -> bytes:
    body: bytes = msgpack.packb([source, batch_id, list(records)])
    return _HEADER.pack(_MAGIC, zlib.crc32(body), len(body)) + body


def _parse(content: bytes) -> SpooledBatch | None:
    if len(content) < _HEADER.size:
        return None
    magic, crc, length_bytes = _HEADER.unpack_from(content)
    body = content[_HEADER.size :]
    if magic != _MAGIC or len(body) != length_bytes or zlib.crc32(body) != crc:
        return None
    source, batch_id, records = msgpack.unpackb(body)
    return SpooledBatch(source, batch_id, tuple(records))
