"""Events by position, in partitions of a month; jobs in a table of our own."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0004"
down_revision = "0003"

HERE = Path(__file__)


def upgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".up.sql"))


def downgrade() -> None:
    # In between, the one before makes its own tables.
    for path in (
        HERE.with_suffix(".down.sql"),
        HERE.with_name("0003_jobs.up.sql"),
        HERE.with_suffix(".back.sql"),
    ):
        run_file(op.get_bind(), path)
