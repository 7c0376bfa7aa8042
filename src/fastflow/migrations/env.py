"""Alembic's entry: migrations run on the connection that `kernel.db.migrate` hands in."""

from alembic import context
from sqlalchemy import Connection

from fastflow.kernel.db.types import metadata
from fastflow.migrations import tables as _tables  # noqa: F401  registers every room's tables on `metadata`

connection: Connection | None = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("run migrations through `fastflow serve` or `make migrate`, which hand in the connection")

context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, transaction_per_migration=False
)
with context.begin_transaction():
    context.run_migrations()
