"""The catalog's tables, made from the records, and the migrations that bring a catalog to them.

Every moment is an integer of UTC microseconds and its column ends with ``_us``.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.errors import StoreError
from selflow.store import (
    command_records,
    notice_records,
    pattern_records,
    pauses,
    records,
    run_records,
)
from selflow.store.row import Row, holds

HEAD = "0009"
"""The newest migration; a test compares it with the folder. Those before were never released."""
UPGRADABLE = frozenset({"", "0005", "0006", "0007", "0008"})
"""What a migration brings to ``HEAD``: a new catalog, and earlier schemas."""
metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_TYPES: dict[type | None, type] = {
    str: sa.String,
    int: sa.BigInteger,
    float: sa.Float,
    bool: sa.Boolean,
}
_REFERS_TO = {
    "child": "artifacts.sha256",
    "cycle_id": "cycles.id",
    "decision_id": "decisions.id",
    "pattern_id": "patterns.id",
    "previous_id": "agent_versions.id",
    "sha256": "artifacts.sha256",
    "version_id": "agent_versions.id",
}
"""Where the value of a field of this name must stand, in every table."""
_COUNTED = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A key that the database counts up: SQLite does that only in columns whose type is INTEGER."""


def _table(record: type[Row], *more: Any, is_counted: bool = False) -> sa.Table:  # noqa: ANN401
    columns: list[sa.Column[Any]] = []
    for field in fields(record):
        scalar, is_open = holds(field)
        kind: Any = _TYPES[scalar] if scalar else sa.JSON(none_as_null=is_open)
        target = _REFERS_TO.get(field.name)
        is_own = target == f"{record.table}.{field.name}"
        columns.append(
            sa.Column(
                field.name,
                _COUNTED if is_counted and field.name in record.key else kind,
                *([sa.ForeignKey(target)] if target and not is_own else []),
                primary_key=field.name in record.key,
                nullable=is_open,
                autoincrement=is_counted and field.name in record.key,
            )
        )
    return sa.Table(record.table, metadata, *columns, *more, sqlite_autoincrement=is_counted)


def _only_one(name: str, column: str, where: str) -> sa.Index:
    return sa.Index(
        name, column, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
    )


TABLES: dict[type[Row], sa.Table] = {
    records.Consent: _table(records.Consent),
    records.Token: _table(records.Token, sa.UniqueConstraint("secret_sha256")),
    records.Service: _table(records.Service),
    records.Fact: _table(records.Fact),
    records.Artifact: _table(records.Artifact),
    records.Parent: _table(records.Parent),
    records.Predictor: _table(
        records.Predictor, _only_one("uq_predictors_champion", "status", "status = 'champion'")
    ),
    records.Decision: _table(records.Decision, sa.Index(None, "at_us")),
    records.Feedback: _table(
        records.Feedback,
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("idempotency_key"),
        sa.Index(None, "decision_id"),
        is_counted=True,
    ),
    records.Import: _table(records.Import),
    records.AuditEntry: _table(records.AuditEntry, sa.UniqueConstraint("prev_hash")),
    records.AuditHead: _table(records.AuditHead),
    records.Cycle: _table(records.Cycle),
    records.Stage: _table(records.Stage),
    pattern_records.Pattern: _table(pattern_records.Pattern, sa.UniqueConstraint("name")),
    pattern_records.Transition: _table(pattern_records.Transition),
    pattern_records.BehaviourChange: _table(pattern_records.BehaviourChange),
    records.Base: _table(records.Base, _only_one("uq_bases_current", "is_current", "is_current")),
    records.Trial: _table(records.Trial),
    run_records.Run: _table(run_records.Run, sa.Index(None, "cycle_id")),
    records.Opening: _table(records.Opening),
    records.AgentVersion: _table(
        records.AgentVersion,
        _only_one("uq_agent_versions_champion", "agent", "status = 'champion'"),
    ),
    records.Verdict: _table(
        records.Verdict,
        sa.ForeignKeyConstraint(
            records.Opening.key, [f"gate_ledger.{name}" for name in records.Opening.key]
        ),
        sa.UniqueConstraint(*records.Opening.key),
    ),
    records.Beliefs: _table(records.Beliefs),
    command_records.Command: _table(command_records.Command),
    pauses.Pause: _table(pauses.Pause),
    notice_records.Notice: _table(notice_records.Notice),
}


def version(connection: Connection) -> str:
    """The schema's version, empty for a new catalog."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar() or ""


def upgrade(connection: Connection, name: str) -> None:
    """Run the missing migrations in a transaction that writes already. Alembic is imported only
    here.

    Raises:
        StoreError: The catalog ``name`` has a schema that no migration of this program knows.
    """
    current = version(connection)
    if current not in UPGRADABLE | {HEAD}:
        raise StoreError(
            f"the catalog {name} has schema {current}; this program knows {HEAD} and what "
            "an upgrade brings to it",
            "start the SelFlow that wrote it, or move it away: selflow up makes an empty one",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option(
        "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
    )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
