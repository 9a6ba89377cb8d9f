"""Optimistic locking: expected_version or If-Match, and the ETag that says what it is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from holdfast.booking import store
from holdfast.booking.model import Guest
from holdfast.booking.store import Step
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import VersionConflict
from tests.conftest import House

from .asking import at, change, history, read, refused, tenant_id

CALLS = [("PUT", "", {"guest_name": "x"}), ("POST", "/cancel", {}), ("POST", "/status", {"to": "CONFIRMED"})]


async def ask(
    house: House,
    call: tuple[str, str, dict[str, Any]],
    booking: dict[str, Any],
    match: str | None = None,
    **more: Any,
) -> httpx.Response:
    method, path, body = call
    headers = house.bob | ({} if match is None else {"if-match": match})
    return await house.client.request(
        method, f"/bookings/{booking['id']}{path}", json={**body, **more}, headers=headers
    )


@pytest.mark.parametrize("call", CALLS)
async def test_a_version_is_required(house: House, call: Any) -> None:
    booking = await house.booked(start=at("18:00"))
    problem = refused(await ask(house, call, booking), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "expected_version"
    assert await read(house, booking) == booking


@pytest.mark.parametrize("call", CALLS)
async def test_another_version_is_a_conflict_that_names_the_current_one(house: House, call: Any) -> None:
    booking = await house.booked(start=at("18:00"))
    booking = (await change(house, booking, guest_name="a")).json()
    for stale in ({"expected_version": 1}, {"expected_version": 3}, {"match": '"1"'}):
        problem = refused(await ask(house, call, booking, **stale), 409, "VERSION_CONFLICT")
        assert problem["current_version"] == 2
    assert await read(house, booking) == booking


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("form", ['"1"', 'W/"1"', "1"])
async def test_if_match_does_as_well(house: House, call: Any, form: str) -> None:
    booking = await house.booked(start=at("18:00"))
    response = await ask(house, call, booking, form)
    assert response.status_code == 200, response.text
    assert response.headers["etag"] == '"2"'


@pytest.mark.parametrize("form", ["*", "", '""', '"x"', "-1", '"1", "2"', '"99999999999999999999"', '"²"'])
async def test_an_if_match_that_is_no_version_is_refused(house: House, form: str) -> None:
    booking = await house.booked(start=at("18:00"))
    path = f"/bookings/{booking['id']}/cancel"
    headers = {**house.bob, "if-match": form.encode("latin-1")}
    problem = refused(await house.client.post(path, json={}, headers=headers), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "If-Match"


async def test_the_etag_is_the_version_wherever_one_booking_is_shown(house: House) -> None:
    booking = (await change(house, await house.booked(start=at("18:00")), guest_name="x")).json()
    for path in (f"/bookings/{booking['id']}", f"/bookings/reference/{booking['booking_reference']}"):
        response = await house.client.get(path, headers=house.bob)
        assert (response.headers["etag"], response.json()["version"]) == ('"2"', 2)


async def test_of_many_with_the_same_version_one_wins(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    answers = await asyncio.gather(*(change(house, booking, guest_name=f"n{n}") for n in range(12)))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 11
    winner = next(answer.json() for answer in answers if answer.status_code == 200)
    assert await read(house, booking) == winner
    assert len(await history(house, booking)) == 2


async def test_the_statement_itself_writes_no_version_twice(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await house.booked(start=at("18:00"))
    tenant = await tenant_id(owner, house)

    async def again(tx: Tx) -> None:
        before = await store.find(tx, UUID(booking["id"]))
        after = replace(before, version=before.version + 1, guest=Guest(name="x"))
        step = Step(booking=after, from_status=before.status, action="update", actor="system")
        await store.save(tx, [step])
        await store.save(tx, [replace(step, booking=replace(after, version=after.version + 1))])
        await store.save(tx, [replace(step, booking=replace(after, version=after.version + 2))])
        await store.save(tx, [replace(step, booking=replace(after, version=after.version + 9))])

    with pytest.raises(VersionConflict):
        await db.call(SYSTEM, tenants=[tenant]).run(again)
    assert await read(house, booking) == booking
    assert len(await history(house, booking)) == 1
