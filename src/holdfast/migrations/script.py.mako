"""${message}

Write ${up_revision}_<name>.up.sql and .down.sql beside this file, and the result into schema.sql.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

from holdfast.main.migrate import run_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    run_file(op.get_bind(), Path(__file__).with_suffix(".up.sql"))


def downgrade() -> None:
    run_file(op.get_bind(), Path(__file__).with_suffix(".down.sql"))
