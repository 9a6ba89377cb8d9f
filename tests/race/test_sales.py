"""64 guests want the last of something at once: as many get it as there are."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import asyncpg

from bench.crowd import Crowd
from tests.booking.asking import at
from tests.race.test_places import winners
from tests.wire import book, staff

USES, STOCK = 7, 9
FLOOR = {"slug": "floor", "kind": "section", "seats_max": 6, "units": 100}


async def test_a_code_is_never_used_once_too_often(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    code = {"code": "SPRING", "percent": 10, "uses_max": USES}
    house = await open_house(resources=[FLOOR], policy={"discounts": [code]})
    wanted = {"start": at("18:00"), "discount_code": "spring"}
    token = staff(house)
    answers = await everybody.ask([book(house, token=token, **wanted) for _ in everybody.clients])
    assert Counter(each.status for each in answers) == {201: USES, 400: len(everybody.clients) - USES}
    used = "SELECT count(*) FROM booking WHERE venue_id = $1 AND discount_code = 'SPRING'"
    assert await owner.fetchval(used, house.venue_id) == USES


async def test_an_extra_is_never_taken_once_too_often(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    ball = {"id": "ball", "amount": "1", "stock": STOCK}
    house = await open_house(resources=[FLOOR], policy={"extras": [ball]})
    token = staff(house)
    requests = [
        book(
            house,
            token=token,
            start=at("18:00" if n % 2 else "19:00"),
            extras=[{"id": "ball", "quantity": 2}],
        )
        for n, _ in enumerate(everybody.clients)
    ]
    won = winners(await everybody.ask(requests))
    assert len(won) == STOCK // 2


async def test_changes_compete_for_it_too(open_house: Any) -> None:
    code = {"code": "SPRING", "percent": 10, "uses_max": USES}
    ball = {"id": "ball", "amount": "1", "stock": STOCK}
    house = await open_house(resources=[FLOOR], policy={"discounts": [code], "extras": [ball]})
    bookings = [await house.booked(start=at("18:00")) for _ in range(16)]
    for asked, most in (({"discount_code": "SPRING"}, USES), ({"extras": [{"id": "ball"}]}, STOCK)):
        answers = await asyncio.gather(
            *(
                house.client.put(
                    f"/bookings/{each['id']}",
                    json={"expected_version": each["version"], **asked},
                    headers=house.bob,
                )
                for each in bookings
            )
        )
        assert sorted({each.status_code for each in answers}) in ([200, 400], [200, 409])
        assert sum(each.status_code == 200 for each in answers) == most
        bookings = [
            each.json() if each.status_code == 200 else before
            for each, before in zip(answers, bookings, strict=True)
        ]
