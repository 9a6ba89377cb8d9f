"""A load that never pauses, for longer than any request may last: nobody is turned away."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bench.crowd import Crowd, crowd
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S
from tests.booking.asking import at
from tests.conftest import House
from tests.processes import serving
from tests.race.conftest import CLIENTS
from tests.wire import book, staff

pytestmark = pytest.mark.alone

SECONDS = 3.0


@pytest.fixture(params=[1, 2], ids=["one server", "two servers"])
async def everybody(request: pytest.FixtureRequest, race_url: str, data_dir: Path) -> AsyncIterator[Crowd]:
    """Their requests have no more than the usual time."""
    async with AsyncExitStack() as running:
        servers = [
            await running.enter_async_context(
                serving(race_url, data_dir, request_deadline_s=REQUEST_DEADLINE_S)
            )
            for _ in range(request.param)
        ]
        yield await running.enter_async_context(crowd([each.port for each in servers], CLIENTS))


async def test_nobody_is_turned_away(open_house: Any, everybody: Crowd) -> None:
    count = len(everybody.clients)
    tables = [{"slug": f"t{n:02}", "name": f"T{n}", "kind": "table", "seats_max": 4} for n in range(count)]
    house: House = await open_house(resources=tables)
    token, until = staff(house), time.monotonic() + SECONDS
    statuses: Counter[int] = Counter()

    async def one(number: int) -> None:
        made, table = 0, house.ids(f"t{number:02}")
        while time.monotonic() < until:
            start = at(f"{10 + made % 10}:00", made // 10)
            request = book(house, token=token, start=start, duration_minutes=60, resource_ids=table)
            statuses[(await everybody.clients[number].ask(request)).status] += 1
            made += 1

    await asyncio.gather(*(one(number) for number in range(count)))
    assert statuses.keys() == {201}, statuses
