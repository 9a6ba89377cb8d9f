"""Orders: several things in one booking."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0010"
down_revision = "0009"

HERE = Path(__file__)


def upgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), HERE.with_suffix(".down.sql"))
