"""The database is gone and comes back: the API waits for it, and tells everybody so."""

from __future__ import annotations

import asyncio
import signal
import time

import pytest

from bench.crowd import Crowd
from holdfast.kernel.embedded import EmbeddedPostgres, Server
from tests.conftest import House
from tests.crash.conftest import audited
from tests.crash.test_hanging import everything, told_in_time
from tests.processes import Running, send, status

pytestmark = pytest.mark.alone

AGAIN_S_MAX = 3.0


async def test_killed_and_started_again(
    busy_house: House,
    api: Running,
    clients: Crowd,
    harmed: Server,
    postgres: EmbeddedPostgres,
    crash_url: str,
) -> None:
    requests = await everything(busy_house)
    usual = await clients.ask(requests[5:])
    await asyncio.sleep(2.1)
    send(signal.SIGKILL, harmed.pid)
    for _ in range(3):
        told_in_time(await clients.ask(requests), usual)
        assert await asyncio.to_thread(status, api.port, "/healthz", timeout_s=1) == 200
        assert await asyncio.to_thread(status, api.port, "/readyz", timeout_s=2) == 503

    await asyncio.to_thread(postgres.start)
    back = time.monotonic()
    while (await clients.ask(requests[:1]))[0].status != 201:
        assert time.monotonic() - back < AGAIN_S_MAX
        await asyncio.sleep(0.05)
    assert await asyncio.to_thread(status, api.port, "/readyz") == 200
    await audited(crash_url)
