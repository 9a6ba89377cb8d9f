"""`python -m holdfast` as a fork of a process that has imported it: a tenth of the CPU.

A fork is a process like any other: a child of the tests with a pid, environment, directory, streams and exit code of
its own. What only a new interpreter shows (the entry point, what is imported when, other users' imports) needs one.

1. The first `Forked` of a test process starts `python -m tests.forks`, which imports all of Holdfast and waits.
2. For each `Forked` it forks twice. The process in between ends at once; the tests adopt the other, which goes on.
3. It ends when the tests do, with the other end of its socket.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENVIRON = dict(os.environ)
"""As it was before any test changed it."""
LAZY = ("alembic.command", "sqlalchemy.ext.asyncio", "uvicorn.lifespan.on", "uvloop")
NOT_IMPORTED = ("holdfast.__main__", "holdfast.migrations")
PR_SET_CHILD_SUBREAPER = 36
REQUEST_BYTES_MAX = 1 << 20


class Forked(subprocess.Popen[Any]):
    """`python -m <module> <words>`. `options`: of Popen, for streams, text, `env` and `cwd`; no others.

    A new interpreter where the environment has other PYTHON variables than the one that forks, and on another system.
    """

    def __init__(self, words: Sequence[str], *, module: str = "holdfast", **options: Any) -> None:
        assert options.keys() <= {"stdin", "stdout", "stderr", "text", "env", "cwd"}, options
        environ = options.get("env") or os.environ
        self._is_fork = sys.platform == "linux" and _of_python(environ) == _of_python(ENVIRON)
        super().__init__([*([] if self._is_fork else [sys.executable, "-m"]), module, *words], **options)

    def _execute_child(self, args: list[str], *given: Any) -> None:
        if not self._is_fork:
            super()._execute_child(args, *given)  # pyright: ignore[reportAttributeAccessIssue]
            return
        cwd, environ, streams = given[4], given[5], given[9:15]
        asked = {
            "words": args,
            "cwd": str(cwd or os.getcwd()),
            "environ": dict(os.environ if environ is None else environ),
        }
        # Of each pair the child's end; without one, our own stream.
        ends = [streams[0], streams[3], streams[5]]
        self.pid = _forking().fork(asked, [own if end == -1 else end for own, end in enumerate(ends)])
        self._child_created = True
        self._close_pipe_fds(*streams)  # pyright: ignore[reportAttributeAccessIssue]


def run(words: Sequence[str], *, timeout_s: float, **options: Any) -> subprocess.CompletedProcess[str]:
    """What the command printed, and its exit code, when it has ended."""
    with Forked(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(list(words), process.returncode, out, err)


def _of_python(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith("PYTHON")}


class Forking:
    """The process that forks, as the tests see it."""

    def __init__(self) -> None:
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, "-m", "tests.forks", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=ENVIRON, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )
        self._lock = threading.Lock()

    def fork(self, asked: dict[str, Any], streams: list[int]) -> int:
        """The pid of a new child of this process."""
        with self._lock:
            # Only now: other orphans are no business of the tests.
            _adopt_orphans(True)
            try:
                socket.send_fds(self._link, [json.dumps(asked).encode()], streams)
                return int(self._link.recv(64))
            finally:
                _adopt_orphans(False)

    def end(self) -> None:
        self._link.close()
        self._process.wait()


@cache
def _forking() -> Forking:
    forking = Forking()
    atexit.register(forking.end)
    return forking


def _adopt_orphans(adopt: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


# --- in the process that forks, and in the forks -----------------------------------------------


def _import_all() -> None:
    import holdfast

    for module in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)
    for name in LAZY:
        importlib.import_module(name)
    _warm_up()
    assert len(os.listdir("/proc/self/task")) == 1, (
        "a fork has one thread: nobody would do what the others did"
    )
    gc.collect()
    gc.freeze()


def _warm_up() -> None:
    """Has what a first application makes once for all that follow: it takes more than twice as long as the second."""
    from holdfast.kernel.config import Settings
    from holdfast.main.http.app import create_app

    create_app(Settings.model_construct())


def _serve(link: socket.socket) -> dict[str, Any] | None:
    """Forks at each request. Returns what was asked in a fork, and nothing in the process itself when it is over."""
    while True:
        message, streams, *_ = socket.recv_fds(link, REQUEST_BYTES_MAX, 3)
        if not message:
            return None
        asked = json.loads(message)
        pid = _fork()
        if pid == 0:
            link.close()
            _become(asked, streams)
            return asked
        for stream in streams:
            os.close(stream)
        link.send(str(pid).encode())


def _fork() -> int:
    """0 in the fork, which begins when its parent has ended; its pid here."""
    parent = os.getpid()
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        between = os.getpid()
        pid = os.fork()
        if pid:
            os.write(tell, str(pid).encode())
            os._exit(0)
        os.close(told)
        os.close(tell)
        while os.getppid() in (between, parent):
            time.sleep(0.0005)
        return 0
    os.close(tell)
    os.waitpid(between, 0)
    with os.fdopen(told) as said:
        return int(said.read())


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _import_all()
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        module, *words = asked["words"]
        sys.argv[1:] = words
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
