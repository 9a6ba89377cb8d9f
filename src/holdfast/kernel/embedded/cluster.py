"""The cluster's files: where they are, how they are created, and what they say about a running server.

Also the socket's directory, which is outside the data directory because the path of a socket is limited to 107 bytes;
and file locks between processes, which the operating system releases however a process ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.model import SUPERUSER, EmbeddedPostgresError, Server
from holdfast.kernel.embedded.programs import Programs
from holdfast.kernel.files.own import open_own

BUILTIN_LOCALE_MAJOR_MIN = 17
LOG_KEPT_BYTES = 16 * 1024 * 1024
# Not TMPDIR: it may be long, or closed to the user who runs the server.
BASE = Path("/tmp")
POLL_S = 0.05

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths below the data directory (an absolute path without symbolic links)."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own directory, accessible to its user only."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """The server's log; the previous 16 MiB are in `postgres.log.1`."""
        return self.data_dir / "postgres.log"

    @property
    def gate(self) -> Path:
        """Locked by the process that is starting or stopping the server."""
        return self.data_dir / "postgres.gate"

    @property
    def access(self) -> Path:
        """The `hba_file`: who may log in when the server was started as root."""
        return self.data_dir / "postgres.access"

    @property
    def access_map(self) -> Path:
        """The `ident_file`: which system user may log in as which role."""
        return self.data_dir / "postgres.access-map"

    @property
    def users(self) -> Path:
        """Every process that uses the server holds a shared lock on this file."""
        return self.data_dir / "postgres.users"


def make_cluster(layout: Layout, programs: Programs, account: Account) -> None:
    """Creates a cluster of the programs' version, owned by the account; keeps an existing one.

    initdb works in a temporary directory, renamed when complete, so that a crash leaves no half-made cluster.
    """
    if not (layout.cluster / "PG_VERSION").exists():
        _init(layout, programs, account)
    _give(layout.cluster, account)
    check_major(layout, programs)


def check_major(layout: Layout, programs: Programs) -> None:
    """Raises EmbeddedPostgresError if the cluster was made by another version than the programs'."""
    major = (layout.cluster / "PG_VERSION").read_text(errors="replace").strip()
    if major != str(programs.major):
        raise EmbeddedPostgresError(
            f"{layout.cluster} was made by PostgreSQL {major[:8]}, but this is {programs.major}: dump it with "
            f"version {major[:8]} and load it into a new --data-dir"
        )


def _init(layout: Layout, programs: Programs, account: Account) -> None:
    log.info("making a new PostgreSQL cluster", directory=str(layout.cluster), major=programs.major)
    fresh = layout.data_dir / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _give(fresh, account)
    account.run([programs.initdb, "-D", fresh, "-U", SUPERUSER, *_init_options(programs.major)])
    # rename replaces an empty directory only.
    fresh.rename(layout.cluster)


def _init_options(major: int) -> list[str]:
    # Sorts by code point everywhere; since version 17 without the operating system's C library.
    builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    locale = builtin if major >= BUILTIN_LOCALE_MAJOR_MIN else ["--locale=C.UTF-8"]
    return ["--encoding=UTF8", "--data-checksums", "--auth-local=trust", "--auth-host=reject", *locale]


def _give(directory: Path, account: Account) -> None:
    # A copy made as root (a restored backup) belongs to root, and PostgreSQL refuses to run as root.
    if not account.drop or directory.stat().st_uid == account.uid:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def trim_log(layout: Layout) -> None:
    """Rotates a log larger than 16 MiB, so that at most two files of about that size exist."""
    if layout.log.exists() and layout.log.stat().st_size > LOG_KEPT_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))


def read_pid_file(layout: Layout) -> Server | None:
    """Returns the server named in `postmaster.pid`, alive or not; None if there is no such file."""
    try:
        lines = (layout.cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 5 or not lines[0].strip().isdigit() or not lines[4].strip():
        return None  # Still being written.
    return Server(
        data_dir=layout.data_dir, socket_dir=Path(lines[4].strip()), port=int(lines[3]), pid=int(lines[0])
    )


def socket_dir_of(cluster: Path, account: Account) -> Path:
    """Returns the path of the socket's directory, which may not exist yet."""
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return BASE / f"holdfast-{account.uid}-{digest}"


def socket_dir_for(cluster: Path, account: Account, visitor: Account | None = None) -> Path:
    """Creates or empties the socket's directory, accessible only to the account and, to pass through, the visitor's
    group. Call it only while no server runs there.

    Raises EmbeddedPostgresError if somebody else has created a directory or link of that name.
    """
    path = socket_dir_of(cluster, account)
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    _claim(path, account, visitor)
    for left_over in path.glob(".s.PGSQL.*"):
        left_over.unlink()
    return path


def _claim(path: Path, account: Account, visitor: Account | None) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as problem:
        raise EmbeddedPostgresError(
            f"{path} is not a directory created by Holdfast: remove it ({problem.strerror})"
        ) from None
    try:
        status = os.fstat(handle)
        if status.st_uid not in (account.uid, os.geteuid()):
            raise EmbeddedPostgresError(f"{path} belongs to another user, {status.st_uid}: remove it")
        group = visitor or account
        if (status.st_uid, status.st_gid) != (account.uid, group.gid) and account.drop:
            os.fchown(handle, account.uid, group.gid)
        os.fchmod(handle, stat.S_IRWXU | (stat.S_IXGRP if visitor else 0))
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    return open_own(path, os.O_RDWR | os.O_CREAT)


@contextmanager
def gate(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Mutual exclusion among processes. Raises EmbeddedPostgresError if it takes longer than `timeout_s`."""
    handle = _open(path)
    try:
        deadline = time.monotonic() + timeout_s
        while not _take(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"another process has been starting or stopping PostgreSQL for {timeout_s:.0f} s: {path}"
                )
            time.sleep(POLL_S)
        yield
    finally:
        os.close(handle)


class Use:
    """Marks the server as used by this process, together with others: a shared lock."""

    def __init__(self, path: Path) -> None:
        self._handle = _open(path)
        _take(self._handle, fcntl.LOCK_SH)

    def end(self) -> bool:
        """Releases the lock. Returns whether this was the last use. Call it inside the gate."""
        try:
            return _take(self._handle, fcntl.LOCK_EX)
        finally:
            os.close(self._handle)


def _take(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
