"""The tables of the catalog as the newest migration leaves them; a test compares the two. More are
in ``rows``.

Every moment is an integer of UTC microseconds and its column ends with ``_us``.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
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
