"""POST /bookings/{id}/cancel."""

from __future__ import annotations

import asyncio

import asyncpg

from tests.conftest import House

from .asking import at, cancel, claims, history, read, refused


async def test_it_frees_the_place_at_once(house: House, owner: asyncpg.Connection) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1", "t2"), "party_size": 5}
    booking = await house.booked(**wanted)
    refused(await house.book(**wanted), 409, "TABLE_NOT_AVAILABLE")
    response = await cancel(house, booking, reason="Ill")
    assert response.status_code == 200
    assert response.headers["etag"] == '"2"'
    after = response.json()
    assert (after["status"], after["version"]) == ("CANCELLED", 2)
    assert (after["cancellation_reason"], after["cancelled_by"]) == ("Ill", "staff:bob")
    assert after["cancelled_at"] == after["updated_at"]
    assert await claims(owner, booking) == []
    await house.booked(**wanted)
    last = (await history(house, booking))[-1]
    assert (last["action"], last["reason"], last["actor"]) == ("cancel", "Ill", "staff:bob")


async def test_twice_is_once(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    answers = await asyncio.gather(*(cancel(house, booking) for _ in range(8)))
    assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(200, 2)}
    after = await read(house, booking)
    body = refused(await cancel(house, after), 400, "INVALID_TRANSITION")
    assert (body["from"], body["to"], body["allowed"]) == ("CANCELLED", "CANCELLED", [])
    assert len(await history(house, booking)) == 2


async def test_a_late_cancellation_by_the_guest_notes_its_fee(house: House) -> None:
    await house.change_policy(
        cancellation_cutoff_minutes=365 * 1440,
        cancellation_fee_percent="12.5",
        price_rules=[{"per": "booking", "amount": "100.00"}],
    )
    mine = await house.booked(house.gina, start=at("18:00"))
    await cancel(house, mine, house.gina)
    assert (await history(house, mine))[-1]["metadata"] == {"cancellation_fee": "12.50", "currency": "SEK"}
    theirs = await house.booked(house.gina, start=at("18:00"))
    await cancel(house, theirs)
    assert (await history(house, theirs))[-1]["metadata"] == {}


async def test_a_hold_that_is_given_up_costs_nothing(house: House) -> None:
    await house.change_policy(
        cancellation_cutoff_minutes=365 * 1440,
        cancellation_fee_percent="12.5",
        price_rules=[{"per": "booking", "amount": "100.00"}],
    )
    held = await house.booked(house.gina, start=at("18:00"), hold=True)
    assert (await cancel(house, held, house.gina)).status_code == 200
    assert (await history(house, held))[-1]["metadata"] == {}


async def test_only_who_may_see_it_cancels_it(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    for who in (house.headers("guest", subject="hugo"), {"x-nobody": "1"}):
        refused(await cancel(house, booking, who), 404, "NOT_FOUND")
    assert (await cancel(house, booking, house.gina)).json()["cancelled_by"] == "guest:gina"
