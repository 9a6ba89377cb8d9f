"""The same request sent many times at once is one request."""

from __future__ import annotations

from collections import Counter
from typing import Any

import asyncpg

from bench.crowd import Answer, Crowd
from holdfast.kernel.ids import new_id
from tests.booking.asking import at
from tests.conftest import House
from tests.wire import book, cancel, change, staff

TIMES = 50
ROUNDS = 12
STORED = "SELECT count(*) FROM booking WHERE venue_id = $1"


def _same(answers: list[Answer], status: int) -> dict[str, Any]:
    """The one answer that all of them are."""
    assert Counter(each.status for each in answers) == {status: len(answers)}
    assert len({each.body for each in answers}) == 1
    assert len({each.header("etag") for each in answers}) == 1
    return answers[0].json()


async def test_fifty_submits_are_one_booking(
    house: House, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    token = staff(house)
    for day in range(ROUNDS):
        key = f"once-{new_id()}"
        # Without a table: if it were done again there would be another one for it.
        request = book(house, token=token, key=key, start=at("19:00", day))
        first = _same(await everybody.ask([request] * TIMES), 201)
        assert _same(await everybody.ask([request] * TIMES), 201) == first
        assert await owner.fetchval(STORED, house.venue_id) == day + 1

        other = book(house, token=token, key=key, start=at("19:00", day), party_size=3)
        answers = await everybody.ask([other] * TIMES)
        assert _same(answers, 409)["code"] == "IDEMPOTENCY_CONFLICT"
        assert await owner.fetchval(STORED, house.venue_id) == day + 1


async def test_two_requests_under_one_key_are_one_booking_and_refusals(
    house: House, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    token = staff(house)
    for day in range(ROUNDS):
        key = f"two-{new_id()}"
        bodies = [book(house, token=token, key=key, start=at("19:00", day), party_size=n) for n in (1, 2)]
        answers = await everybody.ask([bodies[n % 2] for n in range(TIMES)])
        mine, yours = sorted((answers[0::2], answers[1::2]), key=lambda each: each[0].status)
        _same(mine, 201)
        assert _same(yours, 409)["code"] == "IDEMPOTENCY_CONFLICT"
        assert await owner.fetchval(STORED, house.venue_id) == day + 1


async def test_fifty_changes_and_cancellations_are_one(house: House, everybody: Crowd) -> None:
    token = staff(house)
    for day in range(ROUNDS):
        booking = await house.booked(start=at("19:00", day), resource_ids=house.ids("t3"))
        later = change(booking, token=token, key=f"put-{new_id()}", start=at("20:00", day))
        changed = _same(await everybody.ask([later] * TIMES), 200)
        assert (changed["version"], changed["start"]) == (2, at("20:00", day))
        gone = cancel(changed, token=token, key=f"cancel-{new_id()}")
        cancelled = _same(await everybody.ask([gone] * TIMES), 200)
        assert (cancelled["version"], cancelled["status"]) == (3, "CANCELLED")


async def test_one_key_at_many_venues_is_one_booking(
    open_house: Any, everybody: Crowd, owner: asyncpg.Connection
) -> None:
    """Nothing but the key is shared: no venue's lock helps here."""
    house: House = await open_house()
    venues = [house.venue_id]
    for n in range(5):
        await house.replace({**house.document, "slug": f"osteria-{n}"})
        venues.append(house.venue_id)
    token = staff(house)
    for day in range(ROUNDS):
        keys = [f"venues-{new_id()}" for _ in range(len(everybody.clients) // 2)]
        # Of two servers each has three venues, and what one writes first, the other writes last.
        asked = [(key, n % 3) for n, key in enumerate(keys)]
        both = [
            (key, venues[venue])
            for one, two in zip(asked, reversed(asked), strict=True)
            for key, venue in (one, (two[0], two[1] + 3))
        ]
        answers = await everybody.ask(
            [book(house, token=token, key=key, start=at("19:00", day), venue_id=venue) for key, venue in both]
        )
        assert {each.status for each in answers} <= {201, 409}, [
            each.body for each in answers if each.status > 409
        ]
        for key in keys:
            mine = [answer for answer, pair in zip(answers, both, strict=True) if pair[0] == key]
            made = {each.body for each in mine if each.status == 201}
            assert len(made) == 1
            assert [each.json()["code"] for each in mine if each.status == 409] == ["IDEMPOTENCY_CONFLICT"]
        count = "SELECT count(*) FROM booking WHERE idempotency_key = ANY ($1)"
        assert await owner.fetchval(count, keys) == len(keys)
