"""The system users for what does not run as root: PostgreSQL, which refuses to, and the application, which drops it.

They are two, so that the application can neither read PostgreSQL's files nor log in to it as its superuser.
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
from holdfast.kernel.own import POSTGRES_USER

APP_USER = "holdfast-app"
COMMAND_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Account:
    """A system user; of the server, who owns the cluster, or of the application. `drop`: we are root and become it."""

    name: str
    uid: int
    gid: int
    drop: bool

    def popen(self) -> dict[str, Any]:
        """Arguments for `subprocess`, so that a program runs as this user with a clean environment."""
        env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
        become = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}
        # cwd: the current directory may be closed to this user.
        return {"env": env, "cwd": "/", "umask": 0o077, "stdin": subprocess.DEVNULL, **become}

    def run(self, command: Sequence[str | Path]) -> str:
        """What the program said, stderr included; EmbeddedPostgresError when it fails or can't be run."""
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
    """Who runs the server on this cluster: we ourselves, or when we are root, its owner.

    A cluster that does not exist yet, or that a copy made as root gave to root, gets `holdfast-pg`.
    """
    uid, owner = os.geteuid(), _owner(cluster)
    if uid == 0 and sys.platform != "linux":
        raise EmbeddedPostgresError("PostgreSQL does not run as root: run as an ordinary user")
    if uid == 0:
        return _account(pwd.getpwuid(owner)) if owner else _account(_own_user())
    if owner not in (None, uid):
        raise EmbeddedPostgresError(
            f"{cluster} belongs to user {owner}, but this is user {uid}: "
            "run as that user or as root, or give another --data-dir"
        )
    return Account(name=str(uid), uid=uid, gid=os.getegid(), drop=False)


def _owner(cluster: Path) -> int | None:
    try:
        return cluster.stat().st_uid
    except FileNotFoundError:
        return None
    except PermissionError:
        raise EmbeddedPostgresError(
            f"{cluster} is closed to user {os.geteuid()}: "
            "run as the user who created it, or give another --data-dir"
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
    """Who API and worker run as when they are started as root: `holdfast-app`, made if need be; None if it can't."""
    entry = _system_user(APP_USER) if sys.platform == "linux" else None
    return _account(entry) if entry else None


def _system_user(name: str) -> pwd.struct_passwd | None:
    for command in (None, *_ways_to_add(name)):
        if command is not None:
            subprocess.run(command, capture_output=True, check=False, timeout=COMMAND_TIMEOUT_S)
        try:
            # Asked again after a failure too: another process may have added it meanwhile.
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
