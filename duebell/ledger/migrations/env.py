"""Runs the migrations over the connection that `duebell.ledger.engine.migrate` hands in."""

from alembic import context

from duebell.ledger.tables import SQLModel

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
