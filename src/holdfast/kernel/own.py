"""Files and directories that nobody else may have put there.

Whoever can write in the data directory could plant a key, a link or a whole database in it. So it is closed to others,
and what is trusted in it is checked as it is opened: on the descriptor, so that nothing can be exchanged in between.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

import structlog

from holdfast.kernel.acl import PathError, group_perm

POSTGRES_USER = "holdfast-pg"
"""The system user who runs the embedded server when we are root."""
OURS = ("postgres", "dev-issuer.json", ".dev-issuer-")
"""A directory that has something with such a name is a data directory: the cluster, its locks, drafts of the key."""
SECRET_BYTES_MAX = 64 * 1024

log = structlog.get_logger(__name__)


def own_directory(path: Path) -> Path:
    """The directory, made with mode 0700 if need be, and closed to others if it is ours; with its links followed.

    A directory of another user is only warned of: all that is trusted in it is checked by itself. Raises
    `PathError` where closing it would be wrong (it is shared by all, or holds other things than ours) or too late
    (others could write in it, and did).
    """
    path = path.resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        return path  # It is not ours, and whoever uses what is in it says so.
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            log.warning("data_directory_of_another_user", directory=str(path), user=name_of(status.st_uid))
        elif _others_may(handle, status.st_mode):
            _check_contents(path, handle, status.st_mode)
            _close(path, handle)
    finally:
        os.close(handle)
    return path


def _others_may(handle: int, mode: int) -> bool:
    # With an access control list the bits of the group are its mask, that is the most a named user has: the x in it
    # is PostgreSQL's user, who passes through.
    return bool(mode & (stat.S_IRWXO | stat.S_IRGRP | stat.S_IWGRP) or group_perm(handle, mode))


def _check_contents(path: Path, handle: int, mode: int) -> None:
    names = os.listdir(handle)
    used_by_others = any(name != "lost+found" for name in names) and not any(map(_is_ours, names))
    if mode & stat.S_ISVTX or used_by_others:
        raise PathError(
            f"{path} is open to other users and not Holdfast's alone: name a directory of its own as the data "
            f"directory, or close this one (chmod 700 {path})."
        )
    if not mode & (stat.S_IWGRP | stat.S_IWOTH):
        return
    for name in names:
        owner = os.stat(name, dir_fd=handle, follow_symlinks=False).st_uid
        if owner not in _trusted():
            raise PathError(
                f"{path} was open to other users to write in, and {name} in it belongs to user {name_of(owner)}: "
                f"remove it, or make it yours (chown), and close the directory (chmod 700 {path})."
            )


def _is_ours(name: str) -> bool:
    return name.startswith(OURS)


def _close(path: Path, handle: int) -> None:
    try:
        os.fchmod(handle, stat.S_IRWXU)
    except OSError as problem:  # file systems without permissions
        log.warning("data_directory_stays_open", directory=str(path), problem=problem.strerror)
    else:
        log.info("data_directory_closed", directory=str(path), mode="0700")


def _trusted() -> set[int]:
    trusted = {0, os.geteuid()}
    try:
        return trusted | ({pwd.getpwnam(POSTGRES_USER).pw_uid} if os.geteuid() == 0 else set())
    except KeyError:
        return trusted


def open_own(path: Path, flags: int) -> int:
    """A descriptor of the regular file, made with mode 0600 if `flags` say so.

    Raises `PathError` for a link, for anything but a regular file, and for a file of another user, and OSError.
    Root takes other users' files: their directory was warned of.
    """
    handle = _open(path, flags)
    try:
        status = os.fstat(handle)
        _check_regular(path, status)
        if os.geteuid() != 0:
            _check_owner(path, status)
    except BaseException:
        os.close(handle)
        raise
    return handle


def read_secret(path: Path) -> bytes:
    """What is in the file, up to SECRET_BYTES_MAX of it.

    Raises `PathError` unless it is a regular file of this user, or root's, that nobody else can read or write;
    FileNotFoundError when there is none.
    """
    handle = _open(path, os.O_RDONLY)
    try:
        status = os.fstat(handle)
        _check_regular(path, status)
        _check_owner(path, status)
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PathError(
                f"{path} can be read or written by other users (mode {stat.S_IMODE(status.st_mode):04o}): delete it to "
                f"have a new one made, or close it if nobody has used that (chmod 600 {path})."
            )
        return os.read(handle, SECRET_BYTES_MAX)
    finally:
        os.close(handle)


def _open(path: Path, flags: int) -> int:
    try:
        # Without waiting: a pipe would have us wait for its other end.
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise PathError(f"{path} is not a regular file but a link or the like: remove it.") from None
        raise


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PathError(f"{path} is not a regular file: remove it.")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise PathError(
            f"{path} belongs to user {name_of(status.st_uid)}, but this is {name_of(os.geteuid())}: remove it, or "
            f"make it yours if you know that it is (chown {name_of(os.geteuid())} {path})."
        )


def name_of(uid: int) -> str:
    """The name of the user, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
