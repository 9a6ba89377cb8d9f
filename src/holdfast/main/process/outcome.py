"""How commands end: exit code 0 for success, 1 for failure, 2 for wrong usage; one sentence on stderr, no traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.files.acl import PathError
from holdfast.kernel.files.own import reason_of

T = TypeVar("T")

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class Failed(Exception):
    """The command can't be completed; the message says why and what to do."""


@contextmanager
def told() -> Iterator[None]:
    """Turns exceptions in the block into messages on stderr and an exit code.

    With HOLDFAST_DEBUG set, it prints the traceback too.
    """
    try:
        yield
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(INTERRUPTED)
    except Exception as error:
        if os.environ.get("HOLDFAST_DEBUG", "").lower() in ("1", "true", "yes", "on"):
            import traceback

            traceback.print_exc()
        for sentence in sentences(error):
            print(sentence, file=sys.stderr)
        sys.exit(code_of(error))


def sentences(error: Exception) -> list[str]:
    """Returns the messages for an error, one line each."""
    if problems := getattr(error, "problems", None):
        return list(problems)
    meant_to_be_read = (
        isinstance(error, HoldfastError | PathError | Failed)
        or type(error).__name__ == "EmbeddedPostgresError"
    )
    text = " ".join(str(error).split()) or "no details"
    if meant_to_be_read:
        return [text]
    if isinstance(error, OSError) and error.filename:
        return [
            f"{error.filename} can't be used ({reason_of(error)}): check the path, its owner and its permissions."
        ]
    return [f"{type(error).__name__}: {text} (HOLDFAST_DEBUG=1 shows where)"]


def code_of(error: Exception) -> int:
    """Returns 2 if the caller has to change the command or its settings, otherwise 1."""
    return WRONG_USAGE if isinstance(error, InvalidRequest) or hasattr(error, "problems") else FAILED


def run(work: Coroutine[Any, Any, T], *, loop_factory: Callable[[], AbstractEventLoop] | None = None) -> T:
    """Runs the coroutine and returns its value. SIGINT and SIGTERM cancel it, so that it can clean up."""
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)
