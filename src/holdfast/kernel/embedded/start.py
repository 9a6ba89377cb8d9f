"""Starts PostgreSQL on a data directory, shares it with other processes, stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.kernel.embedded.access import is_current, settings_of_access
from holdfast.kernel.embedded.account import Account, account_for, app_account
from holdfast.kernel.embedded.cluster import (
    Layout,
    Use,
    check_major,
    gate,
    make_cluster,
    read_pid_file,
    socket_dir_for,
    trim_log,
)
from holdfast.kernel.embedded.existing import require_cluster
from holdfast.kernel.embedded.model import EmbeddedPostgresError, Server
from holdfast.kernel.embedded.programs import Programs, programs_for
from holdfast.kernel.embedded.watch import (
    READY_TIMEOUT_S,
    adopt_child,
    answers,
    is_process,
    is_server,
    wait_ended,
    wait_ready,
)
from holdfast.kernel.files.acl import allow_traverse
from holdfast.kernel.files.own import POSTGRES_USER, open_own, own_directory, resolved

OLD_BACKENDS_TIMEOUT_S = 30.0
OLD_BACKENDS_PAUSE_S_MAX = 2.0

SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # Analyse soon after the first bookings: plans made without statistics can read too much.
    "autovacuum_naptime": "10s",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # DETAIL lines repeat values of rows, which include guests' personal data.
    "log_error_verbosity": "terse",
}
"""Default server settings; `EmbeddedPostgres(settings=...)` overrides and adds. fsync stays on."""
# Fast shutdown: closes connections and writes everything. Immediate: the next start recovers from the WAL.
STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 15.0))


class EmbeddedPostgres:
    """The PostgreSQL server of one data directory. The methods block: from async code, use a thread.

    `data_dir`: will hold `postgres/` (the cluster) and `postgres.log`. `settings`: override and extend `SETTINGS`; they
    apply only if this process starts the server, not if it is already running.
    `bin_dir`: PostgreSQL programs other than the wheel's, version 15 or later.
    """

    def __init__(
        self, data_dir: Path, settings: Mapping[str, str] | None = None, *, bin_dir: Path | None = None
    ) -> None:
        self.layout = Layout(resolved(Path(data_dir)))
        self.settings = SETTINGS | dict(settings or {})
        self.bin_dir = bin_dir
        self._use: Use | None = None

    def running(self) -> Server | None:
        """Returns the server if it accepts connections now, whoever started it."""
        account_for(self.layout.cluster)
        server = read_pid_file(self.layout)
        if server and is_server(server.pid, self.layout.cluster) and answers(server.socket):
            return server
        return None

    def start(self) -> Server:
        """Starts the server, or joins one that is running, and marks it as used by this process.

        Raises EmbeddedPostgresError with the reason and the end of the server's log.
        """
        own_directory(self.layout.data_dir)
        account = account_for(self.layout.cluster)
        if account.drop:
            allow_traverse(self.layout.cluster, account)
        with gate(self.layout.gate, timeout_s=READY_TIMEOUT_S):
            server = self._found()
            if server is not None and not is_current(self.layout, account):
                if account.name != POSTGRES_USER:
                    raise EmbeddedPostgresError(
                        f"user {account.name} runs PostgreSQL on {self.layout.cluster}: "
                        "run this as that user, or stop it first"
                    )
                stop_server(self.layout)
                server = None
            server = server or self._start(account)
            self._use = self._use or Use(self.layout.users)
        return server

    def join(self) -> Server:
        """The same for a cluster that exists. Where there is none, raises EmbeddedPostgresError and creates nothing."""
        require_cluster(self.layout)
        if self.running() is None:
            check_major(self.layout, programs_for(account_for(self.layout.cluster), self.bin_dir))
        return self.start()

    def stop(self) -> None:
        """Stops the server even if others use it: fast shutdown, or after 20 s immediate, which needs recovery."""
        self._leave(even_if_used=True)

    def release(self) -> None:
        """Ends this process's use of the server, and stops it if no other process uses it."""
        self._leave(even_if_used=False)

    def _leave(self, *, even_if_used: bool) -> None:
        if not self.layout.data_dir.exists() or (self._use is None and not even_if_used):
            return
        with gate(self.layout.gate, timeout_s=READY_TIMEOUT_S):
            use, self._use = self._use, None
            last = use.end() if use else False
            if last or even_if_used:
                stop_server(self.layout)

    def _found(self) -> Server | None:
        """Returns the server if its process is alive, once it accepts connections."""
        server = read_pid_file(self.layout)
        if server is None:
            return None
        if is_server(server.pid, self.layout.cluster):
            return wait_ready(self.layout, server.pid)
        if is_process(server.pid):
            # The pid now belongs to another process; PostgreSQL would take that process for the old server.
            (self.layout.cluster / "postmaster.pid").unlink(missing_ok=True)
        return None

    def _start(self, account: Account) -> Server:
        programs = programs_for(account, self.bin_dir)
        make_cluster(self.layout, programs, account)
        visitor = app_account() if account.drop else None
        access = settings_of_access(self.layout, account, visitor, programs.major)
        deadline = time.monotonic() + OLD_BACKENDS_TIMEOUT_S
        pause_s = 0.1
        while True:
            try:
                return self._launch(programs, account, visitor, access)
            except _OldBackends:
                if time.monotonic() > deadline:
                    raise
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, OLD_BACKENDS_PAUSE_S_MAX)

    def _launch(
        self, programs: Programs, account: Account, visitor: Account | None, access: Mapping[str, str]
    ) -> Server:
        trim_log(self.layout)
        socket_dir = socket_dir_for(self.layout.cluster, account, visitor)
        settings = {**self.settings, **access, "unix_socket_directories": str(socket_dir)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(programs.postgres), "-D", str(self.layout.cluster), *options]
        with open(open_own(self.layout.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY), "ab") as out:
            said_before = out.seek(0, os.SEEK_END)
            # start_new_session: Ctrl-C in the terminal must reach only us, so that we can stop the server in order.
            child = subprocess.Popen(
                command, stdout=out, stderr=out, text=True, start_new_session=True, **account.popen()
            )
        adopt_child(child)
        server = self._ready(child)
        if server is None:
            with suppress(OSError):
                socket_dir.rmdir()
            raise _failure(self.layout, said_before)
        return server

    def _ready(self, child: subprocess.Popen[str]) -> Server | None:
        try:
            return wait_ready(self.layout, child.pid)
        except (KeyboardInterrupt, SystemExit):
            child.send_signal(signal.SIGINT)
            raise


class _OldBackends(EmbeddedPostgresError):
    """Backends of a killed server still hold its shared memory."""


def _failure(layout: Layout, said_before: int) -> EmbeddedPostgresError:
    with layout.log.open("rb") as said:
        said.seek(said_before)
        text = said.read(8192).decode(errors="replace").strip()
    kind = _OldBackends if "pre-existing shared memory block" in text else EmbeddedPostgresError
    return kind(f"PostgreSQL did not start on {layout.cluster}: {text or 'it printed nothing'}")


def stop_server(layout: Layout) -> None:
    """Stops the server: fast shutdown, immediate after 20 s. Raises EmbeddedPostgresError after 35 s."""
    server = read_pid_file(layout)
    if server is None or not is_server(server.pid, layout.cluster):
        return
    for number, timeout_s in STEPS:
        with suppress(ProcessLookupError):
            os.kill(server.pid, number)
        if wait_ended(server.pid, layout.cluster, timeout_s=timeout_s):
            break
    else:
        raise EmbeddedPostgresError(f"PostgreSQL, process {server.pid}, does not stop; see {layout.log}")
    # The next start creates the directory again. It stays if it holds anything else.
    with suppress(OSError):
        server.socket_dir.rmdir()
