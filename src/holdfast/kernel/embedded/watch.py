"""Tells whether the server's process is alive and whether it accepts connections."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import structlog

from holdfast.kernel.embedded.cluster import Layout, read_pid_file
from holdfast.kernel.embedded.model import SUPERUSER, EmbeddedPostgresError, Server

log = structlog.get_logger(__name__)

READY_TIMEOUT_S = 300.0
"""Crash recovery reads up to max_wal_size of WAL before the first connection."""
ANSWER_TIMEOUT_S = 5.0
PROGRESS_EVERY_S = 5.0
POLL_S = 0.02
PROTOCOL = 196608
STARTING_UP = b"C57P03\0"

# The servers this process started, until they are known to be dead: this process has to reap them, even if another
# EmbeddedPostgres object stops them.
_children: dict[int, subprocess.Popen[str]] = {}


def adopt_child(child: subprocess.Popen[str]) -> None:
    """Makes `is_server` reap this child when it has ended."""
    _children[child.pid] = child


def is_server(pid: int, cluster: Path) -> bool:
    """Returns whether the process is alive and is this cluster's server, not a later process with the same pid."""
    child = _children.get(pid)
    if child is None:
        return _is_postgres(pid, cluster) if sys.platform == "linux" else is_process(pid)
    if child.poll() is None:
        return True
    _children.pop(pid, None)
    return False


def _is_postgres(pid: int, cluster: Path) -> bool:
    # The command line is readable even where a container forbids root to inspect other users' processes.
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    if Path(os.fsdecode(words[0])).name not in ("postgres", "postmaster"):
        return False
    named = [words[place + 1] for place, word in enumerate(words[:-1]) if word == b"-D"]
    return not named or os.path.realpath(os.fsdecode(named[0])) == str(cluster)


def is_process(pid: int) -> bool:
    """Returns whether any process has this pid."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_ready(layout: Layout, pid: int) -> Server | None:
    """Waits for the server to accept connections. Returns None if its process ended first.

    Raises EmbeddedPostgresError after READY_TIMEOUT_S."""
    begun_at = told_at = time.monotonic()
    while is_server(pid, layout.cluster):
        server = read_pid_file(layout)
        if server and server.pid == pid and answers(server.socket):
            return server
        now = time.monotonic()
        if now - begun_at > READY_TIMEOUT_S:
            raise EmbeddedPostgresError(
                f"PostgreSQL accepts no connections after {READY_TIMEOUT_S:.0f} s; see {layout.log}"
            )
        if now - told_at > PROGRESS_EVERY_S:
            told_at = now
            log.info("waiting for PostgreSQL", pid=pid, waited_s=round(now - begun_at), log=str(layout.log))
        time.sleep(POLL_S)
    return None


def wait_ended(pid: int, cluster: Path, *, timeout_s: float) -> bool:
    """Waits for the server to end. Returns False on timeout."""
    deadline = time.monotonic() + timeout_s
    while is_server(pid, cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def answers(path: Path) -> bool:
    """Returns whether a server on this socket accepts connections: opens one and closes it."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(ANSWER_TIMEOUT_S)
            link.connect(str(path))
            link.sendall(_startup_message())
            answer = link.recv(1024)
            if answer[:1] == b"R":
                link.sendall(b"X\0\0\0\4")
    except OSError:
        return False
    # Any other error, such as too many connections, comes from a server that is up.
    return answer[:1] in (b"R", b"E") and STARTING_UP not in answer


def _startup_message() -> bytes:
    user = SUPERUSER.encode()
    body = struct.pack("!I", PROTOCOL) + b"user\0" + user + b"\0database\0postgres\0\0"
    return struct.pack("!I", len(body) + 4) + body
