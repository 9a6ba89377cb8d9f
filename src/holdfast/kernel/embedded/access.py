"""Login rules of a server that was started as root: which system user may log in as which role.

PostgreSQL asks the operating system who connects to the socket (peer authentication). Root and the user who runs the
server may log in as any role, the application's user only as its login role, everybody else not at all.

Where one ordinary user runs everything there are no such rules: that user owns the server's files and could bypass
them. There, the permissions of the socket's directory are enough.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.cluster import Layout
from holdfast.kernel.embedded.model import LOGIN, SUPERUSER
from holdfast.kernel.files.own import name_of

MAP = "holdfast"
EVERY_ROLE_MAJOR_MIN = 16
"""From this version on, a user map entry can allow every role."""


def settings_of_access(
    layout: Layout, account: Account, visitor: Account | None, major: int
) -> dict[str, str]:
    """Writes the access files and returns the server settings that refer to them; {} where one user runs everything."""
    if not account.drop:
        return {}
    _write(layout.access, f"local all,replication all peer map={MAP}\n")
    _write(layout.access_map, _map(account, visitor, major))
    return {
        "hba_file": str(layout.access),
        "ident_file": str(layout.access_map),
        # The directory decides who can connect: PostgreSQL's user, the application's user, and root.
        "unix_socket_permissions": "0777",
    }


def is_current(layout: Layout, account: Account) -> bool:
    """Returns whether the running server uses these rules. One started by an older version let in everybody who could
    reach the socket."""
    if not account.drop:
        return True
    try:
        return f'"hba_file={layout.access}"' in (layout.cluster / "postmaster.opts").read_text()
    except OSError:
        return False


def _map(account: Account, visitor: Account | None, major: int) -> str:
    roles = ["all"] if major >= EVERY_ROLE_MAJOR_MIN else [SUPERUSER, LOGIN]
    pairs = [(user, role) for user in (name_of(0), account.name) for role in roles]
    pairs += [(visitor.name, LOGIN)] if visitor else []
    return "".join(f'{MAP} "{user}" {role}\n' for user, role in pairs)


def _write(path: Path, text: str) -> None:
    """Writes the file atomically. A symbolic link of that name is replaced, not followed."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(descriptor, 0o644)
    os.replace(draft, path)
