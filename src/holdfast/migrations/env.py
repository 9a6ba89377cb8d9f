"""Run by Alembic, which `holdfast.main.process.migrate` calls with an open connection in `attributes`."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
# Each migration commits by itself, so that one of them may leave its transaction (CREATE INDEX CONCURRENTLY).
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
