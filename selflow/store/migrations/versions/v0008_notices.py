"""Notices.

Revision ID: 0008
"""

from alembic import op

from selflow.store.notice_records import Notice
from selflow.store.schema import TABLES

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; a new catalog has it from the first revision on."""
    TABLES[Notice].create(op.get_bind(), checkfirst=True)
