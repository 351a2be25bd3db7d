"""Writes single rows with a bare driver, for light processes. No SQLAlchemy may be imported here.

Rows that belong together, and all that the learning writes, go through ``catalog``.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selflow.core.catalog_location import CatalogLocation, name_of
from selflow.core.errors import StoreError
from selflow.core.events import Json
from selflow.store import postgresql
from selflow.store.audit_chain import NOTHING, following
from selflow.store.reading import locked
from selflow.store.records import AuditHead
from selflow.store.row import Row, from_row, holds

_BUSY_TIMEOUT_S = 5.0


class RowWriter:
    """One transaction of the catalog that alone may write."""

    def __init__(self, connection: Any, mark: str) -> None:  # noqa: ANN401  (either driver's own)
        self._connection = connection
        self._mark = mark

    def insert(self, row: Row) -> None:
        """Add a row whose key is not there yet."""
        values = _values(row)
        marks = ", ".join([self._mark] * len(values))
        self._connection.execute(
            f"INSERT INTO {row.table} ({', '.join(map(_quoted, values))}) VALUES ({marks})",  # noqa: S608  (ours)
            list(values.values()),
        )

    def update(self, row: Row) -> None:
        """Write a row over the one with its key."""
        values = _values(row)
        changes = ", ".join(f"{_quoted(name)} = {self._mark}" for name in values)
        same = " AND ".join(f"{_quoted(name)} = {self._mark}" for name in row.key)
        self._connection.execute(
            f"UPDATE {row.table} SET {changes} WHERE {same}",  # noqa: S608  (ours)
            [*values.values(), *(values[name] for name in row.key)],
        )

    def audit(
        self,
        now_us: int,
        actor: str,
        action: str,
        subject: str = "",
        details: Mapping[str, Json] | None = None,
    ) -> None:
        """Append to the audit log, in the same transaction."""
        table = AuditHead.table
        (last,) = [*self._connection.execute(f"SELECT * FROM {table}")] or [None]  # noqa: S608
        head = NOTHING if last is None else from_row(AuditHead, dict(last))
        entry = following(head, now_us, actor, action, subject, details)
        self.insert(entry)
        end = AuditHead(entry.seq, entry.hash)
        if last is None:
            self.insert(end)
        else:
            self.update(end)


@contextlib.contextmanager
def writing(location: CatalogLocation) -> Iterator[RowWriter]:
    """A transaction; durable when the block ends, undone if it raises.

    Raises:
        StoreError: The catalog is missing, locked, or refuses the change; nothing was stored.
    """
    if isinstance(location, Path):
        with _sqlite(location) as writer:
            yield writer
    else:
        with _server(location) as writer:
            yield writer


@contextlib.contextmanager
def _sqlite(path: Path) -> Iterator[RowWriter]:
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
        ) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield RowWriter(connection, "?")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        cause_name = getattr(error, "sqlite_errorname", type(error).__name__)
        if cause_name in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
            raise locked(path) from error
        raise _refused(path, cause_name) from error


@contextlib.contextmanager
def _server(url: str) -> Iterator[RowWriter]:
    try:
        import psycopg
        from psycopg.rows import dict_row
    except ImportError as error:
        raise postgresql.not_installed() from error
    try:
        with postgresql.connect(url, row_factory=dict_row) as connection:
            connection.execute(f"SET LOCAL lock_timeout = {round(_BUSY_TIMEOUT_S * 1000)}")
            connection.execute(f"SELECT pg_advisory_xact_lock({postgresql.WRITER_LOCK})")
            yield RowWriter(connection, "%s")
    except psycopg.Error as error:
        raise _refused(url, error.sqlstate or type(error).__name__) from error


def _refused(location: CatalogLocation, cause_name: str) -> StoreError:
    return StoreError(
        f"the catalog {name_of(location)} refused the change ({cause_name}); nothing was stored",
        "see selflow doctor, then try again",
    )


def _quoted(name: str) -> str:
    """A column's name that may be a word of SQL, such as ``into``."""
    return f'"{name}"'


def _values(row: Row) -> dict[str, Any]:
    """Columns as both drivers take them: what is JSON as text."""
    return {
        column.name: json.dumps(value) if holds(column)[0] is None else value
        for column in fields(row)
        for value in [getattr(row, column.name)]
    }
