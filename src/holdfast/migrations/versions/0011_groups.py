"""What was booked for a group is found by an index of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0011"
down_revision = "0010"

HERE = Path(__file__)


def upgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".down.sql"))
