"""A load that never pauses, for longer than any request may last: nobody is turned away."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

from bench.crowd import Crowd
from tests.booking.asking import at
from tests.conftest import House
from tests.wire import book, staff

SECONDS = 3.0


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
