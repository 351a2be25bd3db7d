"""How the event log lies in LMDB (docs/decisions/0004-the-store.md). Changing anything here changes
every log.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from selflow.core.errors import StoreError

FORMAT = 1
U64 = struct.Struct(">Q")
"""Big-endian, so that LMDB's byte order is the order of the numbers."""
PAIR = struct.Struct(">QQ")
LAST_SEQ = b"last_seq"
BUFFER_BYTES = b"buffer_bytes"
FORGOTTEN = b"forgotten"
NEW_GONE = b"new_gone"
CYCLE = b"cycle"
"""The cursor behind which the learning cycle has consumed everything; what follows is the buffer.
"""
_FORMAT_KEY = b"format"
_NAMES = ("log", "times", "batches", "cursors", "meta")
MAX_SOURCE_BYTES = 400
"""LMDB keys end at 511 bytes; a source of the wire schema has at most 256."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The sub-databases of one open environment.

    ``log``: seq -> record. ``times``: (ts_us, seq) -> nothing. ``batches``: source, 0, batch_id ->
    (first_seq, last_seq), both 0 for a batch without events. ``cursors``: name -> seq. ``meta``:
    format, last_seq (which no deletion lowers), forgotten (how many events were ever deleted), and
    of the records after the cycle's cursor buffer_bytes (their size) and new_gone (how many of
    them were deleted).
    """

    log: Any
    times: Any
    batches: Any
    cursors: Any
    meta: Any


def batch_key(source: str, batch_id: int) -> bytes:
    """The key of a batch; unambiguous, since its last 9 bytes are a zero and the id."""
    return source.encode() + b"\0" + U64.pack(batch_id)


def open_environment(
    folder: Path, map_bytes: int, *, is_reader: bool
) -> tuple[lmdb.Environment, Tables]:
    """Open the LMDB environment and its sub-databases; a writer makes what is missing.

    Raises:
        StoreError: Not there (reader), unreadable, of a newer format, or open twice in this
        process.
    """
    try:
        env = lmdb.open(
            str(folder),
            map_size=map_bytes,
            max_dbs=len(_NAMES),
            mode=0o600,
            readonly=is_reader,
            create=not is_reader,
        )
    except lmdb.Error as error:
        raise _unreadable(folder, error) from error
    try:
        # Readers that were killed keep a slot and pin old pages until somebody clears them.
        env.reader_check()
        return env, _open_tables(env, folder, is_reader=is_reader)
    except lmdb.Error as error:
        env.close()
        raise _unreadable(folder, error) from error
    except StoreError:
        env.close()
        raise


def _open_tables(env: lmdb.Environment, folder: Path, *, is_reader: bool) -> Tables:
    # Each handle in a transaction of its own: those opened in a read transaction of ours would end
    # with it.
    tables = Tables(*(env.open_db(name.encode(), create=not is_reader) for name in _NAMES))
    with env.begin(write=not is_reader) as txn:
        stored = txn.get(_FORMAT_KEY, db=tables.meta)
        if stored is None and not is_reader:
            txn.put(_FORMAT_KEY, U64.pack(FORMAT), db=tables.meta)
            stored = U64.pack(FORMAT)
    version = U64.unpack(bytes(stored))[0] if stored else 0
    if version != FORMAT:
        raise StoreError(
            f"the event log {folder} has format {version}; this program reads {FORMAT}",
            "start the SelFlow version that wrote it",
        )
    return tables


def _unreadable(folder: Path, error: lmdb.Error) -> StoreError:
    if isinstance(error, lmdb.NotFoundError) or not (folder / "data.mdb").exists():
        return StoreError(f"there is no event log at {folder}", "start SelFlow with `selflow up`")
    return StoreError(
        f"cannot open the event log {folder} ({type(error).__name__})",
        "check that its files are yours and readable; if the disk damaged them, restore "
        "the folder from a backup",
    )
