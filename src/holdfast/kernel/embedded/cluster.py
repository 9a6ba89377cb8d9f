"""The cluster's files: where they lie, how they are made, what they say about a running server.

Beside them the directory of its socket, whose path may have 107 bytes, a data directory more; and file locks between
processes, which the kernel frees however a process ends.
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
from holdfast.kernel.own import open_own

BUILTIN_LOCALE_MAJOR_MIN = 17
LOG_KEPT_BYTES = 16 * 1024 * 1024
# Not TMPDIR: it may be long, or closed to the user who runs the server.
BASE = Path("/tmp")
POLL_S = 0.05

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are below the data directory (an absolute path without symbolic links)."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own directory, open to its user alone."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """What the server says; the file of the previous 16 MiB is kept beside as `.1`."""
        return self.data_dir / "postgres.log"

    @property
    def gate(self) -> Path:
        """Locked by whoever starts or stops the server at the moment."""
        return self.data_dir / "postgres.gate"

    @property
    def access(self) -> Path:
        """Who may log in, when the server was started as root (`hba_file`)."""
        return self.data_dir / "postgres.access"

    @property
    def access_map(self) -> Path:
        """Which system user as which role (`ident_file`)."""
        return self.data_dir / "postgres.access-map"

    @property
    def users(self) -> Path:
        """Locked, shared, by every process that uses the server."""
        return self.data_dir / "postgres.users"


def make_cluster(layout: Layout, programs: Programs, account: Account) -> None:
    """A cluster of the programs' version that the account owns; an existing one stays as it is.

    initdb works in a directory of its own, renamed when it is complete: a crash leaves no half cluster.
    """
    cluster = layout.cluster
    if not (cluster / "PG_VERSION").exists():
        _init(layout, programs, account)
    _give(cluster, account)
    major = (cluster / "PG_VERSION").read_text().strip()
    if major != str(programs.major):
        raise EmbeddedPostgresError(
            f"{cluster} was made by PostgreSQL {major}, but this is {programs.major}: dump it with "
            f"version {major} and load it into a new --data-dir"
        )


def _init(layout: Layout, programs: Programs, account: Account) -> None:
    log.info("making a new PostgreSQL cluster", directory=str(layout.cluster), major=programs.major)
    fresh = layout.data_dir / "postgres.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    _give(fresh, account)
    account.run([programs.initdb, "-D", fresh, "-U", SUPERUSER, *_init_options(programs.major)])
    # Replaces an empty directory, never one with something in it.
    fresh.rename(layout.cluster)


def _init_options(major: int) -> list[str]:
    # Sorted by code point everywhere; since 17 without asking the operating system's C library.
    builtin = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    locale = builtin if major >= BUILTIN_LOCALE_MAJOR_MIN else ["--locale=C.UTF-8"]
    return ["--encoding=UTF8", "--data-checksums", "--auth-local=trust", "--auth-host=reject", *locale]


def _give(directory: Path, account: Account) -> None:
    # A copy made as root (a restored backup) belongs to root, whom PostgreSQL refuses to serve.
    if not account.drop or directory.stat().st_uid == account.uid:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def trim_log(layout: Layout) -> None:
    """Puts a log past 16 MiB aside, so that two files of about that size are all there is."""
    if layout.log.exists() and layout.log.stat().st_size > LOG_KEPT_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))


def read_pid_file(layout: Layout) -> Server | None:
    """The server that `postmaster.pid` speaks of, alive or not; `None` while there is none."""
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
    """Where the directory is or would be."""
    digest = hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]
    return BASE / f"holdfast-{account.uid}-{digest}"


def socket_dir_for(cluster: Path, account: Account, visitor: Account | None = None) -> Path:
    """The directory, empty and open to the account alone; the visitor's group may pass through as well. Call it only
    while no server runs there.

    Raises EmbeddedPostgresError when somebody else has made a directory or link of that name.
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
            f"{path} is not a directory of ours: remove it ({problem.strerror})"
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
    """Alone in here among all processes; EmbeddedPostgresError when that takes longer than `timeout_s`."""
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
    """This process uses the server, together with others: a shared lock."""

    def __init__(self, path: Path) -> None:
        self._handle = _open(path)
        _take(self._handle, fcntl.LOCK_SH)

    def end(self) -> bool:
        """Ends the use; whether it was the last one. Call it inside the gate."""
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
