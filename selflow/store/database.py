"""The catalog's engine: SQLite in WAL mode, or PostgreSQL; transactions and
their errors; records in and out of tables.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, Engine

from selflow.core.catalog_location import CatalogLocation, name_of
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError, storage_code
from selflow.core.paths import private_folder
from selflow.store import postgresql, schema
from selflow.store.row import Row
from selflow.store.schema import TABLES

T = TypeVar("T", bound=Row)

BUSY_TIMEOUT_S = 10.0
CREATE_TIMEOUT_S = 60.0
"""How long opening waits while another process creates or migrates the same catalog."""
_LOCK_POLL_S = 0.01
_FULL = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN")
"""What SQLite says where its disk is full or read-only; also where the disk is broken."""
_PRAGMAS = (
    f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # what a row held before is overwritten
)


class Database:
    """Hands out transactions. Safe for threads and for several processes."""

    def __init__(self, location: CatalogLocation) -> None:
        """Name the database; nothing is opened yet.

        Raises:
            ConfigError: The driver of PostgreSQL is not installed.
        """
        self.name = name_of(location)
        self._file = location.absolute() if isinstance(location, Path) else None
        self._engine = _make_engine(location)
        self._reading = self._engine
        if self._file is not None:
            _make_private(self._file)
            event.listen(self._engine, "connect", _prepare)
            event.listen(self._engine, "begin", _begin)
        else:
            # One statement sees one moment in PostgreSQL unless a transaction asks for more.
            self._reading = self._engine.execution_options(isolation_level="REPEATABLE READ")
            event.listen(self._engine, "begin", _begin_on_server)
        self._writing = self._engine.execution_options(is_writing=True)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one moment of the catalog.

        Raises:
            StoreError: Also from inside the block, for whatever the database refuses.
        """
        with self._explained(), self._reading.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that alone may write, from its beginning; durable when the block ends.

        Raises:
            StoreError: Nothing of the block was stored.
        """
        with self._explained(), self._writing.begin() as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the catalog to this program's schema while other processes wait; a missing one is
        made. One that is up to date is not locked.

        Raises:
            StoreError: Its schema is unknown, it is not a catalog, or it is locked.

        Cost: with opening, 3 ms if nothing is missing and 0.2 s the first time, on 2 shared cores.
        """
        if self._is_write_ahead():
            with self.read() as connection:
                if schema.version(connection) == schema.HEAD:
                    return
        with self._creating(), self.write() as connection:
            schema.upgrade(connection, self.name)

    @contextlib.contextmanager
    def _creating(self) -> Iterator[None]:
        """Hold the one right to create or migrate this catalog; an SQLite file is in WAL mode from
        here on.

        SQLite's busy timeout does not cover the switch to WAL: of two connections that switch at
        once, one is refused immediately with SQLITE_BUSY. So the switch happens under a lock of our
        own, on the folder, because that needs no writable disk and leaves no file behind.

        Raises:
            StoreError: Another process held it for ``CREATE_TIMEOUT_S``.
        """
        if self._file is None:
            yield
            return
        descriptor = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._lock(descriptor)
            with self._explained(), self._engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA journal_mode = WAL")
            yield
        finally:
            os.close(descriptor)

    def _is_write_ahead(self) -> bool:
        """Whether the file is in WAL mode; always true for a server."""
        if self._file is None:
            return True
        with self.read() as connection:
            return bool(connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal")

    def records(self, kind: type[T], **equal: object) -> list[T]:
        """``find`` in a transaction of its own."""
        with self.read() as connection:
            return find(connection, kind, **equal)

    def empty_journal(self) -> bool:
        """Bring what SQLite's write-ahead journal holds into the file, so that no older state of a
        row is left in it; a server keeps its own. False if another process reads it for longer
        than the busy timeout: a later checkpoint does it.
        """
        if self._file is None:
            return True
        with self._explained(), self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            (is_busy, _, _) = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy

    def close(self) -> None:
        """Close the pooled connections; a later call opens new ones."""
        self._engine.dispose()

    def _lock(self, descriptor: int) -> None:
        clock = SystemClock()
        deadline_s = clock.monotonic_s() + CREATE_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if clock.monotonic_s() >= deadline_s:
                    raise StoreError(
                        f"another process has been creating the catalog {self.name} for more than "
                        f"{CREATE_TIMEOUT_S:g} s",
                        "end that process, then try again",
                    ) from error
                clock.sleep(_LOCK_POLL_S)
            else:
                return

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            raise _explain(self.name, error) from error


def find(connection: Connection, kind: type[T], **equal: object) -> list[T]:
    """The records whose fields have these values (of a tuple: one of them; None: NULL), in the
    order in which they came.
    """
    table = TABLES[kind]
    wanted = [
        table.c[name].in_(value) if isinstance(value, tuple) else table.c[name] == value
        for name, value in equal.items()
    ]
    order = [table.c[name] for name in (*kind.order, *kind.key)]
    rows = connection.execute(sa.select(table).where(*wanted).order_by(*order))
    return [kind(**row._mapping) for row in rows]  # noqa: SLF001  (SQLAlchemy's public name for a row as a map)


def find_one(connection: Connection, kind: type[T], **equal: object) -> T | None:
    """The first of ``find``."""
    return next(iter(find(connection, kind, **equal)), None)


def put(connection: Connection, record: T) -> T:
    """Write a record over the one with its key, or add it."""
    table, values = TABLES[type(record)], _values(record)
    same = [table.c[name] == values[name] for name in record.key]
    if connection.execute(table.update().where(*same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(values))
    return record


def add(connection: Connection, record: T) -> T:
    """Add a record whose key is not there yet; the database refuses another one."""
    connection.execute(TABLES[type(record)].insert().values(_values(record)))
    return record


def add_counted(connection: Connection, record: T) -> T:
    """Add a record whose key the database counts up; returns it with its key."""
    (name,) = record.key
    values = {key: value for key, value in _values(record).items() if key != name}
    answer = connection.execute(TABLES[type(record)].insert().values(values))
    (key,) = answer.inserted_primary_key or (0,)
    return replace(record, **{name: key})


def _values(record: Row) -> dict[str, Any]:
    return {column.name: _plain(getattr(record, column.name)) for column in fields(record)}


def _plain(value: Any) -> Any:  # noqa: ANN401  (a column's value)
    """Mappings and sequences as JSON's own types, whatever class they are of."""
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _make_engine(location: CatalogLocation) -> Engine:
    # Parameters are the owner's data: they stay out of every message and traceback.
    make = partial(sa.create_engine, hide_parameters=True)
    if isinstance(location, Path):
        return make(URL.create("sqlite", database=str(location)))
    try:
        return make(
            "postgresql+psycopg://",
            creator=partial(postgresql.connect, location),
            pool_pre_ping=True,  # a server may have ended idle connections
        )
    except ImportError as error:
        raise postgresql.not_installed() from error


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, with mode 0600; its journals take over the mode."""
    private_folder(path.parent)
    try:
        # Never open an existing one here: closing it would drop the locks of SQLite connections in
        # this process.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        path.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"cannot open the catalog {path}: {error.strerror}", "check that the file is yours"
        ) from error


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:  # noqa: ANN401  (SQLAlchemy's own record)
    # The driver would begin transactions by itself, and only before some statements; _begin does it
    # instead.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma)


def _begin(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at the write: writers take the lock
    # at once.
    is_writing = connection.get_execution_options().get("is_writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")


def _begin_on_server(connection: Connection) -> None:
    # What SQLite gives by itself: one writer at a time, so that what a transaction has read still
    # holds when it writes. The lock ends with the transaction.
    if connection.get_execution_options().get("is_writing", False):
        limit_ms = round(BUSY_TIMEOUT_S * 1000)
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {limit_ms}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgresql.WRITER_LOCK})")


def _explain(name: str, error: sa.exc.SQLAlchemyError) -> StoreError:
    cause = getattr(error, "orig", None) or error
    cause_name = getattr(cause, "sqlite_errorname", "") or type(cause).__name__
    state = getattr(cause, "sqlstate", None)
    if cause_name.startswith("SQLITE_BUSY") or state == postgresql.LOCK_TIMEOUT:
        return StoreError(
            f"another program has locked the catalog {name} for more than {BUSY_TIMEOUT_S:g} s",
            "close the program that has it open for writing",
        )
    if cause_name in {"SQLITE_NOTADB", "SQLITE_CORRUPT"}:
        return StoreError(
            f"the file {name} is not a catalog, or it is damaged ({cause_name})",
            "restore it from a backup, or move it away: `selflow up` makes an empty one",
        )
    if cause_name == "OperationalError" and state is None:
        return StoreError(
            f"the catalog {name} cannot be reached",
            "check that the PostgreSQL server runs and admits this user",
        )
    is_full = cause_name.startswith(_FULL) or state in postgresql.DISK_FULL
    return StoreError(
        f"the catalog {name} refused the change ({cause_name}); nothing was stored",
        "free some space on its disk, then try again"
        if is_full
        else "check that its files are yours; see selflow doctor",
        storage_code(is_full=is_full),
    )
