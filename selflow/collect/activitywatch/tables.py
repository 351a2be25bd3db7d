"""The tables of ``aw/activitywatch.db``, and connections to it: SQLite with a write-ahead log.

One process writes for clients; a deletion, an import and the console may write side by side, each
in transactions of its own.
"""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from selflow.core.errors import StoreError, storage_code
from selflow.core.paths import private_folder

FILE = "activitywatch.db"
VERSION = 1
_BUSY_TIMEOUT_S = 10.0
_TABLES = """
CREATE TABLE buckets (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
    client TEXT NOT NULL, hostname TEXT NOT NULL, created_us INTEGER NOT NULL, name TEXT,
    data TEXT NOT NULL, longest_us INTEGER NOT NULL DEFAULT 0, tail INTEGER
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT, bucket INTEGER NOT NULL, ts_us INTEGER NOT NULL,
    duration_us INTEGER NOT NULL, data TEXT NOT NULL, settled_us INTEGER NOT NULL,
    batch INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX events_by_time ON events (bucket, ts_us);
CREATE INDEX events_waiting ON events (settled_us) WHERE batch = 0;
CREATE TABLE batches (number INTEGER PRIMARY KEY AUTOINCREMENT, event_ids TEXT NOT NULL);
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def database_of(folder: Path) -> Path:
    """The file in ``<root>/aw``."""
    return folder / FILE


def open_writing(folder: Path, identity: str) -> sqlite3.Connection:
    """A connection that writes; tables are made if there are none.

    A commit is on the disk when it returns (``synchronous = FULL``), and what is deleted is
    overwritten (``secure_delete``). ``identity`` is what a new store calls itself for good.

    Raises:
        StoreError: The file cannot be used, or another SelFlow wrote it.
    """
    private_folder(folder)
    path = database_of(folder)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        _make_tables(connection, identity)
    except sqlite3.Error as error:
        raise refused(error) from error
    return connection


def open_reading(folder: Path) -> sqlite3.Connection:
    """A connection that only reads; the store must be there.

    Raises:
        StoreError: The file cannot be read.
    """
    address = f"file:{quote(str(database_of(folder).absolute()))}?mode=ro"
    try:
        return sqlite3.connect(
            address,
            uri=True,
            timeout=_BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise refused(error) from error


def refused(error: sqlite3.Error) -> StoreError:
    """SQLite's refusal in our words; its own may quote a value."""
    cause = getattr(error, "sqlite_errorname", type(error).__name__)
    return StoreError(
        f"the store of ActivityWatch's events refused ({cause}); nothing was stored",
        "free some space and see that aw/ below the state root is yours; then send it again",
        storage_code(is_full=cause.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY"))),
    )


def _make_tables(connection: sqlite3.Connection, identity: str) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise StoreError(
            f"aw/{FILE} has version {version}; this program knows {VERSION} alone",
            "start the SelFlow that wrote it",
        )
    if version:
        return
    connection.execute("BEGIN IMMEDIATE")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not version:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO identity VALUES ('device_id', ?)", (identity,))
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")
