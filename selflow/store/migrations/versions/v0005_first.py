"""The first schema: what the records ask for. When it is released it is frozen as it is then, and
what the records ask for later comes with migrations of its own.

Revision ID: 0005
"""

from alembic import op

from selflow.store.schema import metadata

revision = "0005"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind(), checkfirst=False)
