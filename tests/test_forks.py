"""A fork is like a new interpreter: as the system shows both, and in how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forks import Forked, run

SHOW = """
import json, os, resource, signal, sys, threading
it = "fork" if "tests.forks" in " ".join(sys.orig_argv) else "new"
status = dict(line.rstrip().partition(":")[::2] for line in open("/proc/self/status"))
same = ("PPid", "Uid", "Gid", "Groups", "Umask", "SigBlk", "SigIgn", "SigCgt", "CapEff", "NoNewPrivs", "Threads")
shown = {name: status[name].strip() for name in same}
shown |= {"cwd": os.getcwd(), "environ": dict(os.environ), "argv": sys.argv[1:], "main": __name__}
shown |= {"group": os.getpgrp(), "session": os.getsid(0), "files": resource.getrlimit(resource.RLIMIT_NOFILE)}
shown |= {"open": [int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")]}
shown |= {"streams": [[s.encoding, s.errors, s.line_buffering] for s in (sys.stdin, sys.stdout)]}
shown |= {"interrupt": signal.getsignal(signal.SIGINT) is signal.default_int_handler}
print("SHOWN", json.dumps([it, shown], sort_keys=True), file=sys.stderr)
sys.exit(7)
"""


def ended(process: subprocess.Popen[Any]) -> tuple[int, str]:
    with process:
        _, said = process.communicate(SHOW, timeout=60)
    (shown,) = [line for line in said.splitlines() if "SHOWN" in line]
    return process.returncode, shown.partition("SHOWN")[2]


@pytest.mark.skipif(sys.platform != "linux", reason="there nothing is forked")
def test_the_system_shows_a_fork_as_it_shows_a_new_interpreter(tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "HOME"} | {"HOLDFAST_X": "ö"}
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    given = {**pipes, "text": True, "cwd": tmp_path, "env": environ}
    # A shell that runs the tests in the background has interrupts ignored, which only a new interpreter inherits.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, shown = ended(Forked(["-q"], module="code", **given))
        usual_code, usual = ended(subprocess.Popen([sys.executable, "-m", "code", "-q"], **given))
    finally:
        signal.signal(signal.SIGINT, before)
    fork, new = json.loads(shown), json.loads(usual)
    assert (fork[0], new[0]) == ("fork", "new")
    assert fork[1] == new[1]
    assert code == usual_code == 7


def test_it_is_stopped_goes_on_and_is_killed() -> None:
    process = Forked([], module="code", stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with process:
        process.send_signal(signal.SIGSTOP)
        pid, status = os.waitpid(process.pid, os.WUNTRACED)
        assert (pid, os.WIFSTOPPED(status)) == (process.pid, True)
        process.send_signal(signal.SIGCONT)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL


def test_other_variables_of_python_need_a_new_interpreter() -> None:
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    process = Forked([], module="code", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)
    with process:
        said, _ = process.communicate(
            "import sys\nprint(sys.orig_argv[1:], sys.flags.hash_randomization)\n", 60
        )
    assert "['-m', 'code'] 0" in said.replace(">>> ", ""), said


def test_a_wrong_command_is_refused_as_by_a_new_interpreter() -> None:
    done = run(["nonsense"], timeout_s=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: python -m holdfast [OPTIONS] COMMAND [ARGS]...")
