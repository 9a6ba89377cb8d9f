"""Rules of fair use: what a booking or a waiting guest counts for."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0009"
down_revision = "0008"

HERE = Path(__file__)


def upgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".down.sql"))
