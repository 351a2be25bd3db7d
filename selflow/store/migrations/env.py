"""Runs the migrations on the connection that ``selflow.store.schema`` opened, in its one
transaction.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
