"""One client sends whatever hurts: others are answered as quickly as ever, and memory stays what it was."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.crowd import crowd
from tests.processes import Running, serving
from tests.race.attack import ATTACKS
from tests.raw import get

pytestmark = pytest.mark.alone

ASKED = 40
QUICK_MS = 100.0
GROWN_MIB_MAX = 96.0


@pytest.fixture(scope="module")
async def api(race_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(race_url, tmp_path_factory.mktemp("attacked"), host="0.0.0.0") as running:
        yield running


@contextmanager
def attack(name: str, port: int) -> Iterator[None]:
    """Under way for the block: it has said so, and goes on until the end."""
    words = [sys.executable, "-m", "tests.race.attack", name, str(port)]
    attacker = subprocess.Popen(words, stdout=subprocess.PIPE)
    try:
        assert attacker.stdout is not None
        attacker.stdout.readline()
        yield
        assert attacker.poll() is None, "the attacker gave up"
    finally:
        attacker.kill()
        attacker.communicate()


async def slowest_ms(api: Running) -> float:
    """Of ASKED questions for /healthz, the slowest but three: a machine that is shared pauses by itself."""
    took: list[float] = []
    async with crowd([api.port], 1) as everybody:
        for _ in range(ASKED):
            started = time.perf_counter()
            assert (await everybody.clients[0].ask(get("/healthz"))).status == 200
            took.append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.005)
    return sorted(took)[-4]


def mib(api: Running) -> float:
    status = Path(f"/proc/{api.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@pytest.mark.parametrize("name", ATTACKS)
async def test_others_are_answered(api: Running, name: str) -> None:
    idle, before = await slowest_ms(api), mib(api)
    with attack(name, api.port):
        attacked = await slowest_ms(api)
        grown = mib(api) - before
    print(f"{name}: {idle:.1f} ms idle, {attacked:.1f} ms attacked, {grown:+.0f} MiB")
    assert attacked < max(QUICK_MS, 20 * idle)
    assert grown < GROWN_MIB_MAX
