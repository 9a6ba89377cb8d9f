"""Who on this machine may log in to the server as whom, when it was started as root.

PostgreSQL asks the system who is at the other end of the socket (peer authentication): root and the user who runs the
server may be anybody in it, the application's user its login role alone, everybody else nobody.

Where all runs as one ordinary user there is no such line: that user owns the server's files, and could be its superuser
whatever they say. There the socket's directory, which is that user's alone, is all that is needed.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.cluster import Layout
from holdfast.kernel.embedded.model import LOGIN, SUPERUSER
from holdfast.kernel.own import name_of

MAP = "holdfast"
EVERY_ROLE_MAJOR_MIN = 16
"""Since then a system user can be let in as every role."""


def settings_of_access(
    layout: Layout, account: Account, visitor: Account | None, major: int
) -> dict[str, str]:
    """The server's settings, with the files that they name written; none where one user runs everything."""
    if not account.drop:
        return {}
    _write(layout.access, f"local all,replication all peer map={MAP}\n")
    _write(layout.access_map, _map(account, visitor, major))
    return {
        "hba_file": str(layout.access),
        "ident_file": str(layout.access_map),
        # The directory lets in whom it is to: PostgreSQL's user, the application's, and root.
        "unix_socket_permissions": "0777",
    }


def is_current(layout: Layout, account: Account) -> bool:
    """Whether the running server was started with these rules, and not by an older version, which let everybody in who
    came as far as the socket."""
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
    """The file says this, whole: a link of that name is replaced, not followed."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(descriptor, 0o644)
    os.replace(draft, path)
