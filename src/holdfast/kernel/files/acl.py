"""Let a system user traverse closed directories to reach files below them, and grant nothing else there.

Each ancestor directory that the user can't traverse gets a POSIX ACL entry `u:<user>:--x`, or `chmod o+x` where the
file system has no ACLs. The attribute's layout is in linux/posix_acl_xattr.h.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import sys
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

import structlog

ATTRIBUTE = "system.posix_acl_access"
VERSION = 2
NO_ID = 0xFFFFFFFF
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
TRAVERSE = 1
NO_ACL_HERE = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

log = structlog.get_logger(__name__)


class PathError(OSError):
    """A file or directory has the wrong type, owner or permissions; the message says what to do."""


class SystemUser(Protocol):
    """The user who gets access."""

    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> int: ...
    @property
    def gid(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AclEntry:
    """One entry of an access control list; `perm` is a sum of 4 (read), 2 (write) and 1 (execute)."""

    tag: int
    perm: int
    id: int = NO_ID


def allow_traverse(path: Path, account: SystemUser) -> None:
    """Lets the account traverse every directory above `path`, and grants nothing else.

    Raises PathError for a directory that can't be opened to it."""
    closed = [d for d in reversed(path.resolve().parents) if not _can_traverse(d, account)]
    for directory in closed:
        _open(directory, account)
    if closed:
        log.info("allowed to traverse", user=account.name, directories=[str(d) for d in closed])


def open_tree(root: Path) -> None:
    """Makes everything below `root` readable by all users, and executable where its owner can execute it.

    The directories above `root` still decide who can reach it."""
    for path in chain([root], root.rglob("*")) if root.exists() else ():
        mode = path.lstat().st_mode
        executable = stat.S_ISDIR(mode) or mode & stat.S_IXUSR
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if executable else 0)
        if wanted != mode and not stat.S_ISLNK(mode):
            path.chmod(stat.S_IMODE(wanted))


def _can_traverse(directory: Path, account: SystemUser) -> bool:
    status = directory.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    acl = _read(directory, status.st_mode)
    mask = next((entry.perm for entry in acl if entry.tag == MASK), 7)
    mine = [entry for entry in acl if entry.tag == USER and entry.id == account.uid]
    if mine:
        return bool(mine[0].perm & mask & TRAVERSE)
    # Group entries are ignored: the account is in no group but its own.
    return bool(acl[-1].perm & TRAVERSE) and status.st_gid != account.gid


def _open(directory: Path, account: SystemUser) -> None:
    status = directory.stat()
    try:
        if status.st_uid == account.uid:
            directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXUSR)
        else:
            os.setxattr(
                directory, ATTRIBUTE, _pack(with_traverse(_read(directory, status.st_mode), account.uid))
            )
    except OSError as problem:
        if problem.errno not in NO_ACL_HERE:
            raise PathError(
                f"{directory} is closed to the system user {account.name} and can't be opened to it: {problem.strerror}"
            ) from problem
        directory.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
        log.warning("no access control lists here: allowed all users to traverse", directory=str(directory))


def with_traverse(acl: list[AclEntry], uid: int) -> list[AclEntry]:
    """Returns the list with `u:<uid>:--x` added. Nobody else's permissions change."""
    mask = next((entry.perm for entry in acl if entry.tag == MASK), None)
    if mask is None:
        mask = next(entry.perm for entry in acl if entry.tag == GROUP_OBJ)
    elif not mask & TRAVERSE:
        # The new mask lets x through, so remove x from the entries that the old mask denied it to.
        acl = [
            replace(entry, perm=entry.perm & ~TRAVERSE) if entry.tag in (USER, GROUP_OBJ, GROUP) else entry
            for entry in acl
        ]
    others = [e for e in acl if e.tag != MASK and not (e.tag == USER and e.id == uid)]
    mine = next((e.perm for e in acl if e.tag == USER and e.id == uid), 0)
    added = [AclEntry(USER, mine | TRAVERSE, uid), AclEntry(MASK, mask | TRAVERSE)]
    return sorted(others + added, key=lambda entry: (entry.tag, entry.id))


def group_perm(directory: Path | int, mode: int) -> int:
    """Returns the permissions of the directory's group (0 to 7). `directory`: a path or a descriptor; `mode`: its mode.

    Where there is an access control list, the group bits of the mode are the list's mask, which may allow more.
    """
    if sys.platform != "linux":
        return mode >> 3 & 7
    return next(entry.perm for entry in _read(directory, mode) if entry.tag == GROUP_OBJ)


def _read(directory: Path | int, mode: int) -> list[AclEntry]:
    try:
        raw = os.getxattr(directory, ATTRIBUTE)
    except OSError as problem:
        if problem.errno in NO_ACL_HERE or problem.errno == errno.ENODATA:
            owner, group, other = mode >> 6 & 7, mode >> 3 & 7, mode & 7
            return [AclEntry(USER_OBJ, owner), AclEntry(GROUP_OBJ, group), AclEntry(OTHER, other)]
        raise
    return [AclEntry(*fields) for fields in struct.iter_unpack("<HHI", raw[4:])]


def _pack(acl: list[AclEntry]) -> bytes:
    entries = (struct.pack("<HHI", entry.tag, entry.perm, entry.id) for entry in acl)
    return struct.pack("<I", VERSION) + b"".join(entries)
