"""Read access to the catalog with a bare driver, the standard library's or psycopg: the command
line must answer in 300 ms.

No SQLAlchemy and no Alembic may be imported here, not even indirectly.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from selflow.core.catalog_location import CatalogLocation, name_of
from selflow.core.errors import CATALOG_LOCKED, CATALOG_NEWER, StoreError
from selflow.store import postgresql
from selflow.store.pattern_records import BehaviourChange
from selflow.store.records import (
    Consent,
    Fact,
    Predictor,
    Service,
)
from selflow.store.row import Row, from_row
from selflow.store.session_facts import SessionFacts

T = TypeVar("T", bound=Row)

_BUSY_TIMEOUT_S = 2.0
_FRESH_US = 30_000_000
"""A supervisor that wrote nothing for this long is silent: its slowest round takes about 25 s."""
_COUNTED = ("decisions", "feedback", "predictors", "artifacts", "imports", "audit")


class CatalogReader:
    """Answers from the catalog as it is now; a catalog that does not exist yet is empty. Never
    writes.
    """

    def __init__(self, location: CatalogLocation) -> None:
        """Name the catalog; it is opened for each call and never kept open."""
        self._location = location

    def services(self) -> list[Service]:
        """Every service as the supervisor saw it last, by name."""
        return self.learned(Service)

    def is_fresh(self, now_us: int) -> bool:
        """Whether the supervisor wrote something in the last 30 s."""
        rows = self._rows("SELECT seen_at_us FROM services WHERE name = 'supervisor'")
        return any(now_us - row["seen_at_us"] <= _FRESH_US for row in rows)

    def consents(self) -> list[Consent]:
        """Every consent that was ever given, by source."""
        return self.learned(Consent)

    def schema_version(self) -> str:
        """The schema of the catalog; empty while there is none."""
        rows = self._rows("SELECT version_num FROM alembic_version")
        return next((str(row["version_num"]) for row in rows), "")

    def facts(self) -> SessionFacts:
        """What the session says of itself."""
        return SessionFacts.from_json({fact.name: fact.value for fact in self.learned(Fact)})

    def champion(self) -> Predictor | None:
        """The predictor that serves."""
        return next(iter(self.learned(Predictor, status="champion")), None)

    def counts(self) -> dict[str, int]:
        """Rows per table; 0 for each while there is no catalog."""
        parts = " UNION ALL ".join(
            f"SELECT '{name}' AS name, count(*) AS n FROM {name}"  # noqa: S608  (our own names)
            for name in _COUNTED
        )
        return {
            **dict.fromkeys(_COUNTED, 0),
            **{row["name"]: row["n"] for row in self._rows(parts)},
        }

    def learned(self, kind: type[T], **equal: str | list[str]) -> list[T]:
        """The cycles, stages, patterns, agent versions, ... whose fields have these values, or one
        of a list of at least one, in the order in which they came.
        """
        values = {name: [it] if isinstance(it, str) else it for name, it in equal.items()}
        conditions = (f"{name} IN ({', '.join('?' * len(some))})" for name, some in values.items())
        wanted = " AND ".join(conditions) or "1 = 1"
        order = ", ".join((*kind.order, *kind.key))
        query = f"SELECT * FROM {kind.table} WHERE {wanted} ORDER BY {order}"  # noqa: S608  (ours)
        given = [value for some in values.values() for value in some]
        return [from_row(kind, row) for row in self._rows(query, *given)]

    def newest(
        self,
        kind: type[T],
        limit_rows: int,
        before: tuple[int, str] | None = None,
        **equal: str,
    ) -> list[T]:
        """At most ``limit_rows`` rows whose fields have these values, newest first, behind those up
        to ``before``: the moment and the key of the last one that was seen.
        """
        moment, key = (kind.order or kind.key)[0], kind.key[0]
        wanted = " AND ".join(f"{field} = ?" for field in equal) or "1 = 1"
        values: list[object] = list(equal.values())
        if before is not None:
            wanted += f" AND ({moment} < ? OR ({moment} = ? AND {key} < ?))"
            values += [before[0], *before]
        query = (
            f"SELECT * FROM {kind.table} WHERE {wanted} "  # noqa: S608  (our own names)
            f"ORDER BY {moment} DESC, {key} DESC LIMIT ?"
        )
        return [from_row(kind, row) for row in self._rows(query, *values, limit_rows)]

    def behaviour_changes(self) -> list[BehaviourChange]:
        """New behaviour and drift that the newest finished discovery did not know."""
        query = (
            "SELECT cycle_id FROM stages WHERE name = 'discover' AND finished_at_us IS NOT NULL "
            "AND sha256 IS NOT NULL ORDER BY started_at_us DESC LIMIT 1"
        )
        return [
            change
            for row in self._rows(query)
            for change in self.learned(BehaviourChange, cycle_id=row["cycle_id"])
        ]

    def _rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        if isinstance(self._location, Path):
            return _sqlite_rows(self._location, query, values)
        return _postgresql_rows(self._location, query, values)


def _sqlite_rows(path: Path, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        with contextlib.closing(
            sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S)
        ) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(query, values)]
            except sqlite3.OperationalError as error:
                if not str(error).startswith("no such table"):
                    raise
                # Of an earlier schema, until `selflow up` upgrades it; or this is no catalog
                connection.execute("SELECT version_num FROM alembic_version")
                return []
    except sqlite3.Error as error:
        cause_name = getattr(error, "sqlite_errorname", type(error).__name__)
        if cause_name in {"SQLITE_BUSY", "SQLITE_LOCKED"}:
            raise locked(path) from error
        raise _unreadable(path, cause_name) from error


def _postgresql_rows(url: str, query: str, values: Sequence[object]) -> list[dict[str, Any]]:
    try:
        import psycopg
        from psycopg.rows import dict_row
        from psycopg.types.string import TextLoader
    except ImportError as error:
        raise postgresql.not_installed() from error
    try:
        with postgresql.connect(url, row_factory=dict_row) as connection:
            connection.read_only = True
            connection.adapters.register_loader("json", TextLoader)  # as SQLite gives it
            return list(connection.execute(query.replace("?", "%s"), values))
    except psycopg.errors.UndefinedTable:
        return []  # nobody has opened this catalog yet
    except psycopg.Error as error:
        raise _unreadable(url, error.sqlstate or type(error).__name__) from error


def check_schema(location: CatalogLocation) -> None:
    """Refuse a catalog that a newer SelFlow wrote: its columns may mean something else.

    Raises:
        StoreError: 503, with what to do.
    """
    version, known = CatalogReader(location).schema_version(), _newest_migration()
    if version > known:
        raise StoreError(
            f"the catalog {name_of(location)} has schema {version}; this program knows {known} "
            "alone",
            "start the SelFlow that wrote it, or restore an older backup",
            CATALOG_NEWER,
        )


def locked(location: CatalogLocation) -> StoreError:
    """Another process writes the catalog for longer than anyone waits."""
    return StoreError(
        f"another process holds the catalog {name_of(location)}; nothing was stored",
        "try again in a moment; selflow doctor says what runs",
        CATALOG_LOCKED,
    )


def _newest_migration() -> str:
    """The number of the newest migration that this program has: v0005_first.py is 0005."""
    folder = Path(__file__).with_name("migrations") / "versions"
    return max(path.name[1:5] for path in folder.glob("v[0-9]*.py"))


def _unreadable(location: CatalogLocation, cause_name: str) -> StoreError:
    if isinstance(location, Path):
        hint = "start the SelFlow that wrote it, or restore it from a backup; then: selflow up"
    else:
        hint = "check that the PostgreSQL server runs and admits this user"
    return StoreError(f"cannot read the catalog {name_of(location)} ({cause_name})", hint)
