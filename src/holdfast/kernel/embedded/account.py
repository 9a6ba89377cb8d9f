"""The system users that run PostgreSQL, which refuses to run as root, and the application, which drops root.

They are separate, so that the application can't read PostgreSQL's files or log in as its superuser.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.kernel.embedded.model import EmbeddedPostgresError
from holdfast.kernel.files.own import POSTGRES_USER, name_of

APP_USER = "holdfast-app"
COMMAND_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Account:
    """A system user: the server's, who owns the cluster, or the application's. `drop`: we are root and switch to it."""

    name: str
    uid: int
    gid: int
    drop: bool

    def popen(self) -> dict[str, Any]:
        """Returns arguments for `subprocess` that run a program as this user, with a clean environment."""
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        become = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}
        # cwd: this user may not be able to enter the current directory.
        return {"env": env, "cwd": "/", "umask": 0o077, "stdin": subprocess.DEVNULL, **become}

    def run(self, command: Sequence[str | Path]) -> str:
        """Runs the program and returns its output and stderr. Raises EmbeddedPostgresError if that fails."""
        try:
            done = subprocess.run(
                [str(word) for word in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=COMMAND_TIMEOUT_S,
                **self.popen(),
            )
        except (OSError, subprocess.SubprocessError) as problem:
            raise EmbeddedPostgresError(f"user {self.name} can't run {command[0]}: {problem}") from problem
        if done.returncode != 0:
            raise EmbeddedPostgresError(
                f"{command[0]}, run by user {self.name}, failed: {done.stdout.strip()}"
            )
        return done.stdout


def account_for(cluster: Path) -> Account:
    """Returns the user who runs the server on this cluster: ourselves, or if we are root, the cluster's owner.

    For root, a cluster that does not exist yet or that belongs to root (a copy made as root) is run by `holdfast-pg`.
    """
    uid, owner = os.geteuid(), _owner(cluster)
    if uid == 0 and sys.platform != "linux":
        raise EmbeddedPostgresError("PostgreSQL does not run as root: run as an ordinary user")
    if uid == 0:
        return _account(pwd.getpwuid(owner)) if owner else _account(_own_user())
    if owner is not None and owner != uid:
        raise EmbeddedPostgresError(
            f"{cluster} belongs to user {name_of(owner)}, but this is user {name_of(uid)}: "
            "run as that user or as root, or choose another --data-dir"
        )
    return Account(name=str(uid), uid=uid, gid=os.getegid(), drop=False)


def _owner(cluster: Path) -> int | None:
    try:
        return cluster.stat().st_uid
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise EmbeddedPostgresError(
            f"{cluster.parent} is not a directory: choose another --data-dir"
        ) from None
    except PermissionError:
        raise EmbeddedPostgresError(
            f"{cluster.parent} is closed to user {name_of(os.geteuid())}: "
            "run as the user who created it, or choose another --data-dir"
        ) from None


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, drop=True)


def _own_user() -> pwd.struct_passwd:
    if entry := _system_user(POSTGRES_USER):
        return entry
    raise EmbeddedPostgresError(
        f"PostgreSQL does not run as root and the system user {POSTGRES_USER} can't be created: "
        "create it, or run as an ordinary user"
    )


def app_account() -> Account | None:
    """Returns the user for API and worker when started as root: `holdfast-app`, created if missing; None on failure."""
    entry = _system_user(APP_USER) if sys.platform == "linux" else None
    return _account(entry) if entry else None


def _system_user(name: str) -> pwd.struct_passwd | None:
    for command in (None, *_ways_to_add(name)):
        if command is not None:
            subprocess.run(command, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_S)
        try:
            # Looked up again even after a failure: another process may have added the user meanwhile.
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _ways_to_add(name: str) -> list[list[str]]:
    shell = "/usr/sbin/nologin" if Path("/usr/sbin/nologin").exists() else "/bin/false"
    shared = ["--no-create-home", "--shell", shell]
    ways = [
        ["useradd", "--system", "--user-group", "--home-dir", "/nonexistent", *shared, name],
        ["adduser", "--system", "--group", "--home", "/nonexistent", *shared, name],
        ["adduser", "-S", "-D", "-H", "-s", shell, name],
    ]
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    found = [(shutil.which(way[0], path=path), way) for way in ways]
    return [[program, *way[1:]] for program, way in found if program]
