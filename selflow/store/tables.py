"""The tables of the catalog as the newest migration leaves them; a test compares the two.

Every moment is an integer of UTC microseconds and its column ends with ``_us``.
"""

from dataclasses import fields
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
)

from selflow.store.records import (
    AgentVersion,
    Base,
    Beliefs,
    Cycle,
    Learned,
    Opening,
    Pattern,
    Stage,
    Trial,
    Verdict,
    holds,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
BIG_KEY = BigInteger().with_variant(Integer, "sqlite")
"""A growing 64-bit key: SQLite counts up only in columns whose type is INTEGER."""


def _moment(name: str, *, is_open: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=is_open)


consents = Table(
    "consents",
    metadata,
    Column("source", String, primary_key=True),
    _moment("granted_at_us"),
    _moment("revoked_at_us", is_open=True),
    Column("details", JSON, nullable=False),
)
tokens = Table(
    "tokens",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", String, nullable=False, unique=True),
    Column("scope", String, nullable=False),
    Column("only", JSON, nullable=False),
    Column("label", String, nullable=False),
    _moment("created_at_us"),
    _moment("expires_at_us", is_open=True),
    _moment("revoked_at_us", is_open=True),
)
services = Table(
    "services",
    metadata,
    Column("name", String, primary_key=True),
    Column("version", String, nullable=False),
    Column("config_hash", String, nullable=False),
    Column("pid", Integer, nullable=False),
    _moment("started_at_us"),
    Column("state", String, nullable=False),
    Column("lag_events", BigInteger, nullable=False),
    Column("last_error", String, nullable=False),
    Column("rss_bytes", BigInteger, nullable=False),
    Column("restarts", Integer, nullable=False),
    _moment("seen_at_us"),
)
session = Table(
    "session",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", JSON, nullable=False),
    _moment("at_us"),
)
artifacts = Table(
    "artifacts",
    metadata,
    Column("sha256", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    _moment("created_at_us"),
    Column("meta", JSON, nullable=False),
)
lineage = Table(
    "lineage",
    metadata,
    Column("child", ForeignKey("artifacts.sha256"), primary_key=True),
    Column("parent_kind", String, primary_key=True),
    Column("parent_id", String, primary_key=True),
    Column("first_seq", BigInteger, primary_key=True, autoincrement=False),
    Column("last_seq", BigInteger, primary_key=True, autoincrement=False),
)
predictors = Table(
    "predictors",
    metadata,
    Column("id", String, primary_key=True),
    Column("sha256", ForeignKey("artifacts.sha256"), nullable=False),
    Column("upto_seq", BigInteger, nullable=False),
    _moment("created_at_us"),
    Column("status", String, nullable=False),
    Column("metrics", JSON, nullable=False),
)
Index(
    "uq_predictors_champion",
    predictors.c.status,
    unique=True,
    sqlite_where=text("status = 'champion'"),
    postgresql_where=text("status = 'champion'"),
)
decisions = Table(
    "decisions",
    metadata,
    Column("id", String, primary_key=True),
    Column("at_us", BigInteger, nullable=False, index=True),
    Column("mode", String, nullable=False),
    Column("upto_seq", BigInteger, nullable=False),
    Column("predictions", JSON, nullable=False),
    Column("experts", JSON, nullable=False),
    Column("context", JSON(none_as_null=True)),
    Column("has_context", Boolean, nullable=False),
    Column("routing", JSON(none_as_null=True)),
)
feedback = Table(
    "feedback",
    metadata,
    Column("number", BIG_KEY, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("decision_id", ForeignKey("decisions.id"), nullable=False, index=True),
    Column("metric", String, nullable=False),
    Column("value", JSON, nullable=False),
    Column("tags", JSON, nullable=False),
    _moment("at_us"),
    Column("idempotency_key", String, unique=True),
    Column("superseded", Boolean, nullable=False),
    sqlite_autoincrement=True,
)
imports = Table(
    "imports",
    metadata,
    Column("id", String, primary_key=True),
    Column("label", String, nullable=False),
    Column("path_sha256", String, nullable=False),
    Column("source", String, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    _moment("started_at_us"),
    _moment("finished_at_us", is_open=True),
    Column("state", String, nullable=False),
)
audit = Table(
    "audit",
    metadata,
    Column("seq", BIG_KEY, primary_key=True, autoincrement=False),
    _moment("at_us"),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("details", JSON, nullable=False),
    Column("prev_hash", String, nullable=False, unique=True),
    Column("hash", String, nullable=False),
)
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String, nullable=False),
)
"""One row: where the chain ends, so that a removed end is seen."""
_TYPES: dict[type | None, type] = {str: String, int: BigInteger, float: Float, bool: Boolean, None: JSON}


def _table(record: type[Learned], *more: Any, key: tuple[str, ...] = ("id",), **found_in: str) -> Table:  # noqa: ANN401
    """A table whose columns are the fields of a record; ``found_in``: in which column a field's value must stand."""
    columns: list[Column[Any]] = []
    for field in fields(record):
        kind, is_open = holds(field)
        foreign = [ForeignKey(found_in[field.name])] if field.name in found_in else []
        is_key = field.name in key
        columns.append(
            Column(field.name, _TYPES[kind], *foreign, primary_key=is_key, nullable=is_open, autoincrement=False)
        )
    return Table(record.table, metadata, *columns, *more)


def _only_one(name: str, column: str, where: str) -> Index:
    return Index(name, column, unique=True, sqlite_where=text(where), postgresql_where=text(where))


TABLES: dict[type[Learned], Table] = {
    Cycle: _table(Cycle),
    Stage: _table(Stage, key=("cycle_id", "name"), cycle_id="cycles.id", sha256="artifacts.sha256"),
    Pattern: _table(Pattern, UniqueConstraint("name"), cycle_id="cycles.id"),
    Base: _table(
        Base,
        _only_one("uq_bases_current", "is_current", "is_current"),
        key=("sha256",),
        sha256="artifacts.sha256",
        cycle_id="cycles.id",
    ),
    Trial: _table(Trial, cycle_id="cycles.id"),
    Opening: _table(Opening, key=("gate_set", "opening"), cycle_id="cycles.id"),
    AgentVersion: _table(
        AgentVersion,
        _only_one("uq_agent_versions_champion", "agent", "status = 'champion'"),
        sha256="artifacts.sha256",
        pattern_id="patterns.id",
        cycle_id="cycles.id",
        previous_id="agent_versions.id",
    ),
    Verdict: _table(
        Verdict,
        ForeignKeyConstraint(["gate_set", "opening"], ["gate_ledger.gate_set", "gate_ledger.opening"]),
        UniqueConstraint("gate_set", "opening"),
        version_id="agent_versions.id",
        cycle_id="cycles.id",
    ),
    Beliefs: _table(Beliefs),
}
"""What learning writes; ``rows`` reads and writes them as records."""
