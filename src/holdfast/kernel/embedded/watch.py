"""Is the server's process alive, and does it take connections?"""

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
"""Recovery after a crash reads up to max_wal_size of log before the first connection."""
ANSWER_TIMEOUT_S = 5.0
PROGRESS_EVERY_S = 5.0
POLL_S = 0.02
PROTOCOL = 196608
STARTING_UP = b"C57P03\0"

# The servers this process started, until they are seen dead: somebody has to reap them, also when
# another EmbeddedPostgres object stops them.
_children: dict[int, subprocess.Popen[str]] = {}


def adopt_child(child: subprocess.Popen[str]) -> None:
    """From now on `is_server` reaps this child when it has ended."""
    _children[child.pid] = child


def is_server(pid: int, cluster: Path) -> bool:
    """Whether the process is alive and the server of this cluster, not a later process with its number."""
    child = _children.get(pid)
    if child is None:
        return _is_postgres(pid, cluster) if sys.platform == "linux" else is_process(pid)
    if child.poll() is None:
        return True
    _children.pop(pid, None)
    return False


def _is_postgres(pid: int, cluster: Path) -> bool:
    # The command line is readable also where a container forbids root to look at other users' processes.
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    if Path(os.fsdecode(words[0])).name not in ("postgres", "postmaster"):
        return False
    named = [words[place + 1] for place, word in enumerate(words[:-1]) if word == b"-D"]
    return not named or os.path.realpath(os.fsdecode(named[0])) == str(cluster)


def is_process(pid: int) -> bool:
    """Whether any process has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wait_ready(layout: Layout, pid: int) -> Server | None:
    """The server once it takes connections; `None` when the process ended before."""
    begun_at = told_at = time.monotonic()
    while is_server(pid, layout.cluster):
        server = read_pid_file(layout)
        if server and server.pid == pid and answers(server.socket):
            return server
        now = time.monotonic()
        if now - begun_at > READY_TIMEOUT_S:
            raise EmbeddedPostgresError(
                f"PostgreSQL takes no connections after {READY_TIMEOUT_S:.0f} s; see {layout.log}"
            )
        if now - told_at > PROGRESS_EVERY_S:
            told_at = now
            log.info("waiting for PostgreSQL", pid=pid, waited_s=round(now - begun_at), log=str(layout.log))
        time.sleep(POLL_S)
    return None


def wait_ended(pid: int, cluster: Path, *, timeout_s: float) -> bool:
    """Whether the server ended in that time."""
    deadline = time.monotonic() + timeout_s
    while is_server(pid, cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def answers(path: Path) -> bool:
    """Whether a server on this socket takes connections: asks for one and hangs up."""
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
    # Any other refusal, too many connections for instance, comes from a server that is up.
    return answer[:1] in (b"R", b"E") and STARTING_UP not in answer


def _startup_message() -> bytes:
    user = SUPERUSER.encode()
    body = struct.pack("!I", PROTOCOL) + b"user\0" + user + b"\0database\0postgres\0\0"
    return struct.pack("!I", len(body) + 4) + body
