"""Drops root: a process started as root becomes an ordinary user before it serves requests."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from pathlib import Path

import structlog

import holdfast
from holdfast.kernel.embedded.account import APP_USER, Account, app_account
from holdfast.kernel.files.acl import allow_traverse, open_tree

log = structlog.get_logger(__name__)


def drop_root() -> None:
    """Switches this process from root to `holdfast-app`, permanently and in all threads; does nothing for other users.

    Call it when everything that only root may open is open: the port, the development issuer's key. If it can't switch
    (the user can't be created, or the container forbids changing users), it logs a warning and continues as root:
    serving nobody would be worse, and the container has its own isolation.
    """
    if os.geteuid() != 0:
        return
    account = app_account()
    if account is None:
        _warn(f"the system user {APP_USER} can't be created: create it yourself")
        return
    try:
        open_code(account)
        _become(account)
    except OSError as problem:
        _warn(f"it can't become {APP_USER} ({problem})")
    else:
        log.info("root_dropped", user=account.name)


def _warn(problem: str) -> None:
    log.warning("runs_as_root", problem=f"{problem}, or start Holdfast as an ordinary user")


def _become(account: Account) -> None:
    os.setgroups([])
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    # Libraries that read the home directory (~/.pgpass, ~/.postgresql) must not fail on root's, which is closed.
    os.environ["HOME"] = "/nonexistent"


def open_code(account: Account) -> None:
    """Makes the program readable for the account: parts of it are loaded only when needed."""
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    for root in _code():
        for directory in (root, *root.parents):  # Each, since any of them may be a symbolic link.
            allow_traverse(directory / "any", account)
        if not all(map(_is_readable, (file for file in files if file.startswith(f"{root}/")))):
            open_tree(root)  # Installed with umask 077, readable only for root.


def _is_readable(file: str) -> bool:
    try:
        return bool(os.stat(file).st_mode & stat.S_IROTH)
    except FileNotFoundError:
        return True  # Another version has replaced it, but it is loaded already.


def _code() -> set[Path]:
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    return installed | {Path(holdfast.__path__[0]).absolute().parent}
