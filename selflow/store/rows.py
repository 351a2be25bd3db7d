"""Tables that are made from their records, and records in and out of them."""

from dataclasses import fields
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.store import records
from selflow.store.tables import metadata

T = TypeVar("T", bound=records.Row)
_TYPES: dict[type | None, type] = {
    str: sa.String,
    int: sa.BigInteger,
    float: sa.Float,
    bool: sa.Boolean,
    None: sa.JSON,
}
_FOUND_IN = {
    "cycle_id": "cycles.id",
    "sha256": "artifacts.sha256",
    "pattern_id": "patterns.id",
    "version_id": "agent_versions.id",
    "previous_id": "agent_versions.id",
}
"""Where the value of a field of this name must stand, in every table."""


def _table(record: type[records.Row], *more: Any, key: tuple[str, ...] = ("id",)) -> sa.Table:  # noqa: ANN401
    columns: list[sa.Column[Any]] = []
    for field in fields(record):
        kind, is_open = records.holds(field)
        foreign = [sa.ForeignKey(_FOUND_IN[field.name])] if field.name in _FOUND_IN else []
        column: sa.Column[Any] = sa.Column(
            field.name, _TYPES[kind], *foreign, nullable=is_open, autoincrement=False
        )
        column.primary_key = field.name in key
        columns.append(column)
    return sa.Table(record.table, metadata, *columns, *more)


def _only_one(name: str, column: str, where: str) -> sa.Index:
    return sa.Index(
        name, column, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


_OPENING = ("gate_set", "opening")
TABLES: dict[type[records.Row], sa.Table] = {
    records.Consent: _table(records.Consent, key=("source",)),
    records.Import: _table(records.Import),
    records.Predictor: _table(
        records.Predictor, _only_one("uq_predictors_champion", "status", "status = 'champion'")
    ),
    records.Cycle: _table(records.Cycle),
    records.Stage: _table(records.Stage, key=("cycle_id", "name")),
    records.Pattern: _table(records.Pattern, sa.UniqueConstraint("name")),
    records.Base: _table(
        records.Base, _only_one("uq_bases_current", "is_current", "is_current"), key=("sha256",)
    ),
    records.Trial: _table(records.Trial),
    records.Opening: _table(records.Opening, key=_OPENING),
    records.AgentVersion: _table(
        records.AgentVersion,
        _only_one("uq_agent_versions_champion", "agent", "status = 'champion'"),
    ),
    records.Verdict: _table(
        records.Verdict,
        sa.ForeignKeyConstraint(_OPENING, [f"gate_ledger.{name}" for name in _OPENING]),
        sa.UniqueConstraint(*_OPENING),
    ),
    records.Beliefs: _table(records.Beliefs),
}


def find(connection: Connection, kind: type[T], **equal: object) -> list[T]:
    """The records whose fields have these values (of a tuple: one of them), in no order."""
    table = TABLES[kind]
    wanted = [
        table.c[k].in_(v) if isinstance(v, tuple) else table.c[k] == v for k, v in equal.items()
    ]
    return [kind(**row._mapping) for row in connection.execute(sa.select(table).where(*wanted))]  # noqa: SLF001


def put(connection: Connection, record: T) -> T:
    """Write a record over the one with its key, or add it."""
    table, values = (
        TABLES[type(record)],
        {each.name: getattr(record, each.name) for each in fields(record)},
    )
    same = [column == values[column.name] for column in table.primary_key]
    if connection.execute(table.update().where(*same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(values))
    return record
