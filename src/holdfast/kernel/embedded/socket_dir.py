"""A short, private directory for the server's socket: its path may have 107 bytes, a data directory more."""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.model import EmbeddedPostgresError

# Not TMPDIR: it may be long, or closed to the user who runs the server.
BASE = Path("/tmp")


def socket_dir_of(cluster: Path, account: Account) -> Path:
    """Where the directory is or would be."""
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return BASE / f"holdfast-{account.uid}-{digest}"


def socket_dir_for(cluster: Path, account: Account) -> Path:
    """The directory, empty and open to the account alone. Call it only while no server runs there.

    Raises EmbeddedPostgresError when somebody else has made a directory or link of that name.
    """
    path = socket_dir_of(cluster, account)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    _claim(path, account)
    for left_over in path.glob(".s.PGSQL.*"):
        left_over.unlink()
    return path


def _claim(path: Path, account: Account) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as problem:
        raise EmbeddedPostgresError(
            f"{path} is not a directory of ours: remove it ({problem.strerror})"
        ) from None
    try:
        status = os.fstat(handle)
        if status.st_uid not in (account.uid, os.geteuid()):
            raise EmbeddedPostgresError(f"{path} belongs to another user, {status.st_uid}: remove it")
        os.fchmod(handle, stat.S_IRWXU)
        if status.st_uid != account.uid:
            os.fchown(handle, account.uid, account.gid)
    finally:
        os.close(handle)
