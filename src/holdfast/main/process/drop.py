"""A process that was started as root becomes an ordinary user before it serves anybody."""

from __future__ import annotations

import os
import stat
import sys
import sysconfig
from pathlib import Path

import structlog

import holdfast
from holdfast.kernel.acl import allow_traverse, open_tree
from holdfast.kernel.embedded.account import APP_USER, Account, app_account

log = structlog.get_logger(__name__)


def drop_root() -> None:
    """This process runs as `holdfast-app` from now on, if it ran as root; for good, and whatever threads it has.

    Call it when what only root may have is open: the port, the key of the development issuer. Where it can't be done
    (the user can't be made, or the container lets nobody change users) it is warned of, and root goes on: to serve
    nobody would be worse, and the container has its own walls.
    """
    if os.geteuid() != 0:
        return
    account = app_account()
    if account is None:
        _warn(f"the system user {APP_USER} can't be made: create it")
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
    # What looks for files at home (~/.pgpass, ~/.postgresql) must not trip over root's, which is closed.
    os.environ["HOME"] = "/nonexistent"


def open_code(account: Account) -> None:
    """The account can read the program, of which parts are loaded only when they are needed."""
    files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    for root in _code():
        for directory in (root, *root.parents):  # Each, since one of them may be a link that leads elsewhere.
            allow_traverse(directory / "any", account)
        if not all(map(_is_readable, (file for file in files if file.startswith(f"{root}/")))):
            open_tree(root)  # It was installed with umask 077, for root alone.


def _is_readable(file: str) -> bool:
    try:
        return bool(os.stat(file).st_mode & stat.S_IROTH)
    except FileNotFoundError:
        return True  # It was replaced by another version meanwhile, and is loaded.


def _code() -> set[Path]:
    installed = {Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")}
    return installed | {Path(holdfast.__path__[0]).absolute().parent}
