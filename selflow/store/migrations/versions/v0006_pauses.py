"""Pauses of collection.

Revision ID: 0006
"""

from alembic import op

from selflow.store.pauses import Pause
from selflow.store.schema import TABLES

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; a new catalog has it from the first revision on."""
    TABLES[Pause].create(op.get_bind(), checkfirst=True)
