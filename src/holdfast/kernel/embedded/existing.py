"""Looks for a cluster without touching anything, for commands that only read."""

from __future__ import annotations

import os
import stat

from holdfast.kernel.embedded.account import account_for
from holdfast.kernel.embedded.cluster import Layout
from holdfast.kernel.embedded.model import EmbeddedPostgresError
from holdfast.kernel.files.own import name_of

FIX = "name the --data-dir that holdfast up was started with"
FILES = ("PG_VERSION", "global/pg_control")
"""A cluster without one of these was never complete, or isn't one."""


def require_cluster(layout: Layout) -> None:
    """Raises EmbeddedPostgresError, which says what is missing, unless this user can run a cluster that is there.

    Creates and changes nothing.
    """
    try:
        problem = _missing(layout)
    except PermissionError:
        account_for(layout.cluster)  # names the owner, if this user may know
        problem = f"{layout.cluster} is closed to user {name_of(os.geteuid())}"
    if problem:
        raise EmbeddedPostgresError(f"{problem}: {FIX}.")
    account_for(layout.cluster)


def _missing(layout: Layout) -> str | None:
    if not _exists(str(layout.data_dir)):
        return f"There is no directory {layout.data_dir}"
    if not stat.S_ISDIR(os.stat(layout.data_dir).st_mode):
        return f"{layout.data_dir} is not a directory"
    if not _exists(str(layout.cluster)):
        return f"{layout.data_dir} holds no database of Holdfast (no directory postgres)"
    if not all(_exists(f"{layout.cluster}/{name}") for name in FILES):
        return f"{layout.cluster} is not a complete PostgreSQL cluster"
    return None


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
