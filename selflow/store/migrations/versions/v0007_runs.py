"""Runs of long work. A new catalog has the table since the first migration, which makes what the
records ask for.

Revision ID: 0007
"""

from alembic import op

from selflow.store.schema import metadata

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table where it is missing."""
    metadata.tables["runs"].create(op.get_bind(), checkfirst=True)
