"""Every command of the program, which of them only read, and what may be wrong with the place they are given."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.main import get_command

from holdfast.main.cli.commands import app
from tests.commands.running import Ended

LETTER = "019aa000-0000-7000-8000-000000000001"
NO_PLACE: Mapping[str, tuple[str, ...]] = {"openapi": ("openapi",), "asyncapi": ("asyncapi",), "bench": ()}
"""Commands that use no data directory and no database. `bench` makes and removes its own."""
KEY: Mapping[str, tuple[str, ...]] = {"token": ("token", "--role", "platform_admin")}
"""Commands that read the data directory alone."""
READING: Mapping[str, tuple[str, ...]] = {
    "audit": ("audit",),
    "dead-letters list": ("dead-letters", "list"),
    "dead-letters show": ("dead-letters", "show", LETTER),
}
CHANGING: Mapping[str, tuple[str, ...]] = {
    "dead-letters replay": ("dead-letters", "replay", LETTER),
    "migrate --down-to": ("migrate", "--down-to", "base"),
}
"""Commands that change only what is already there."""
MAKING: Mapping[str, tuple[str, ...]] = {
    "migrate": ("migrate",),
    "demo": ("demo",),
    "simulate": ("simulate", "--days", "1", "--guests", "1"),
    "replay": ("replay", "{file}"),
    "up": ("up", "--port", "0"),
    "serve": ("serve", "--port", "0"),
    "work": ("work",),
}
"""Commands that make a database where there is none."""
NEED_WHAT_IS_THERE = {**READING, **CHANGING}
USE_A_DATABASE = {**NEED_WHAT_IS_THERE, **MAKING}
CLASSIFIED = {*NO_PLACE, *KEY, *USE_A_DATABASE}

PYTHONS = re.compile(
    r"Traceback|\w(Error|Exception)\b|\[?Errno|HOLDFAST_DEBUG|invalid literal|object at 0x|<class|Input should"
)
"""What only Python says."""


def every_command() -> set[str]:
    """The names of all commands, those of groups included."""
    group: Any = get_command(app)
    names: set[str] = set()
    for name, each in group.commands.items():
        names |= {f"{name} {inner}" for inner in getattr(each, "commands", {})} or {name}
    return names


def assert_refused(ended: Ended) -> None:
    """It failed with one sentence that a person can act on, and nothing else."""
    assert ended.code in (1, 2), ended
    printed = [line for line in ended.out.splitlines() if not line.startswith("Seed ")]
    assert printed == [], ended
    assert len(ended.sentences) == 1, ended
    (sentence,) = ended.sentences
    assert not PYTHONS.search(sentence), sentence
    assert re.search(r": \w+|\. [A-Z]", sentence), f"it doesn't say what would be right: {sentence}"


def tree(place: Path) -> dict[str, Any]:
    """Everything below, with its bytes, owner and permissions."""
    return {str(path.relative_to(place.parent)): _seen(path) for path in [place, *place.rglob("*")]}


def _seen(path: Path) -> Any:
    status = path.lstat()
    content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    return status.st_mode, status.st_uid, status.st_gid, content


def error_response(code: str, text: str) -> bytes:
    """What PostgreSQL answers instead of letting somebody in."""
    fields = b"".join(
        f"{name}{value}\0".encode() for name, value in (("S", "FATAL"), ("C", code), ("M", text))
    )
    return b"E" + (len(fields) + 5).to_bytes(4, "big") + fields + b"\0"


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """A port where every connection gets this answer and is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_all() -> None:
            while True:
                try:
                    link, _ = listener.accept()
                except OSError:
                    return
                with link:
                    link.recv(1024)
                    link.sendall(answer)

        threading.Thread(target=answer_all, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
