"""Tenants, places, bookings, the ledger, events; row-level security."""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.process.migrate import run_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_file(op.get_bind(), Path(__file__).with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), Path(__file__).with_suffix(".down.sql"))
