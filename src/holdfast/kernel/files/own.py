"""Safe handling of files and directories that other users may have planted.

Whoever can write to the data directory could plant a key, a link or a whole database in it. So the directory is closed
to other users, and each trusted file is checked when it is opened: on the descriptor, so that it can't be swapped
between check and use.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

import structlog

from holdfast.kernel.files.acl import PathError, group_perm

POSTGRES_USER = "holdfast-pg"
"""The system user who runs the embedded server when Holdfast runs as root."""
OURS = ("postgres", "dev-issuer.json", ".dev-issuer-")
"""Name prefixes that mark a data directory: the cluster, its lock files, the issuer's key and its temporary files."""
SECRET_BYTES_MAX = 64 * 1024

log = structlog.get_logger(__name__)


def own_directory(path: Path) -> Path:
    """Returns the path with links resolved; creates the directory with mode 0700, or closes ours to other users.

    For another user's directory it only logs a warning, as everything trusted in it is checked on opening. Raises
    `PathError` where closing the directory would be wrong (it is shared, or holds other things than ours) or too late
    (other users could write to it, and did).
    """
    path = resolved(path)
    _make(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except PermissionError:
        return path  # Not ours; whoever opens files in it reports the problem.
    try:
        status = os.fstat(handle)
        if status.st_uid != os.geteuid():
            log.warning("data_directory_of_another_user", directory=str(path), user=name_of(status.st_uid))
        elif _others_may(handle, status.st_mode):
            _check_use(path, handle, status.st_mode)
            _close(path, handle)
            if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                _check_owners(path, handle, status.st_mode)  # once closed: nothing can be added any more
    finally:
        os.close(handle)
    return path


def resolved(path: Path) -> Path:
    """Returns the absolute path without links. Raises `PathError` for links that lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # RuntimeError: before Python 3.13
        raise PathError(f"{path} is a link that leads nowhere: choose another directory.") from None


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise PathError(
            f"{path} is not a directory, or lies below a file: choose another directory."
        ) from None
    except OSError as problem:
        raise PathError(
            f"The directory {path} can't be created ({reason_of(problem)}): choose another directory, or create this "
            f"one and make it yours."
        ) from None


def reason_of(problem: OSError) -> str:
    """Returns the system's reason in lower case, such as "permission denied"."""
    reason = problem.strerror or (os.strerror(problem.errno) if problem.errno else "no reason given")
    return reason[:1].lower() + reason[1:]


def _others_may(handle: int, mode: int) -> bool:
    # With an access control list, the group bits are its mask: the most that any named user may do. The x in the mask
    # is for PostgreSQL's user, who must traverse the directory.
    return bool(mode & (stat.S_IRWXO | stat.S_IRGRP | stat.S_IWGRP) or group_perm(handle, mode))


def _check_use(path: Path, handle: int, mode: int) -> None:
    names = os.listdir(handle)
    used_by_others = any(name != "lost+found" for name in names) and not any(map(_is_ours, names))
    if mode & stat.S_ISVTX or used_by_others:
        raise PathError(
            f"{path} is open to other users and not used by Holdfast alone: choose a separate data "
            f"directory, or close this one to other users (chmod 700 {path})."
        )


def _check_owners(path: Path, handle: int, mode: int) -> None:
    for name in os.listdir(handle):
        owner = os.stat(name, dir_fd=handle, follow_symlinks=False).st_uid
        if owner not in _trusted():
            os.fchmod(handle, stat.S_IMODE(mode))  # as it was, so that the next start refuses it too
            raise PathError(
                f"{path} was writable by other users, and {name} in it belongs to user {name_of(owner)}: "
                f"remove it, or make it yours (chown), and close the directory (chmod 700 {path})."
            )


def _is_ours(name: str) -> bool:
    return name.startswith(OURS)


def _close(path: Path, handle: int) -> None:
    try:
        os.fchmod(handle, stat.S_IRWXU)
    except OSError as problem:  # a file system without permissions
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
    """Opens a regular file and returns its descriptor; creates it with mode 0600 if `flags` say so.

    Raises OSError, and `PathError` for a link, anything else but a regular file, and another user's file. Root may open
    other users' files: `own_directory` has warned about their directory.
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
    """Returns the file's contents, up to SECRET_BYTES_MAX.

    Raises `PathError` unless it is a regular file that belongs to this user or root and that nobody else can read or
    write; FileNotFoundError when there is none.
    """
    handle = _open(path, os.O_RDONLY)
    try:
        status = os.fstat(handle)
        _check_regular(path, status)
        _check_owner(path, status)
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise PathError(
                f"{path} can be read or written by other users (mode {stat.S_IMODE(status.st_mode):04o}): delete it to "
                f"have a new one made, or run chmod 600 {path} if you are sure that nobody has read or changed it."
            )
        return os.read(handle, SECRET_BYTES_MAX)
    finally:
        os.close(handle)


def _open(path: Path, flags: int) -> int:
    try:
        # O_NONBLOCK: opening a pipe would wait for its other end.
        return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise PathError(
                f"{path} is not a regular file but a link, directory or socket: remove it."
            ) from None
        if problem.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC):
            raise PathError(
                f"{path} can't be opened by user {name_of(os.geteuid())} ({reason_of(problem)}): run as the user "
                "who owns its directory, or choose another directory."
            ) from None
        raise


def _check_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PathError(f"{path} is not a regular file: remove it.")


def _check_owner(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (0, os.geteuid()):
        raise PathError(
            f"{path} belongs to user {name_of(status.st_uid)}, but this is {name_of(os.geteuid())}: remove it, or "
            f"take it over if you trust it (chown {name_of(os.geteuid())} {path})."
        )


def name_of(uid: int) -> str:
    """Returns the user's name, or the number as text if the user has no name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
