"""Commands as a shell calls them, as whatever user."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forks import run

COMMAND_S_MAX = 240
"""Only ends what hangs."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def sentences(self) -> list[str]:
        """The lines on stderr that are for people: without the log's."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]


@dataclass(frozen=True, slots=True)
class Commands:
    """Runs commands in this directory, with these settings alone. `uid`: as that user, without root's powers."""

    directory: Path

    def __call__(self, *words: str | Path, uid: int | None = None, **variables: str) -> Ended:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
        given: dict[str, Any] = {"env": environ | {"COLUMNS": "160"} | variables, "cwd": self.directory}
        texts = list(map(str, words))
        if uid is not None:
            texts, given["module"] = [str(uid), *texts], "tests.commands.running"
        done = run(texts, timeout_s=COMMAND_S_MAX, **given)
        return Ended(done.returncode, done.stdout, done.stderr)


def _as_user(uid: int, words: list[str]) -> None:
    from holdfast.main.cli.commands import app

    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    app(words)


if __name__ == "__main__":
    _as_user(int(sys.argv[1]), sys.argv[2:])
