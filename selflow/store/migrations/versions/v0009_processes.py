"""Processes are known by their time after the machine's start, which no clock moves. What services
said of themselves before is of another session.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rename the column of services and add that of runs; a new catalog has both."""
    columns = sa.inspect(op.get_bind()).get_columns
    if any(column["name"] == "started_at_us" for column in columns("services")):
        op.execute("ALTER TABLE services RENAME COLUMN started_at_us TO after_boot_us")
    if not any(column["name"] == "after_boot_us" for column in columns("runs")):
        added = sa.Column("after_boot_us", sa.BigInteger, nullable=False, server_default="0")
        op.add_column("runs", added)
