"""Locks taken in order, with a bounded wait."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0007"
down_revision = "0006"

HERE = Path(__file__)


def upgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".down.sql"))
