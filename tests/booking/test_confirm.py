"""POST /bookings/{id}/confirm, and steps that were taken already."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tests.conftest import House

from .asking import at, cancel, change, claims, history, move, read, refused

LIFECYCLES = {
    "instant": "RESERVED",
    "assigned": "RESERVED",
    "deposit": "PENDING",
    "approval": "PENDING_APPROVAL",
}


async def confirm(
    house: House, booking: dict[str, Any], who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    return await house.client.post(f"/bookings/{booking['id']}/confirm", json=body, headers=who or house.bob)


async def held(house: House, **wanted: Any) -> dict[str, Any]:
    return await house.booked(
        house.gina, start=at("18:00"), resource_ids=house.ids("t1"), hold=True, **wanted
    )


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
async def test_it_takes_the_next_step_of_the_lifecycle(
    house: House, owner: asyncpg.Connection, lifecycle: str
) -> None:
    await house.change_policy(lifecycle=lifecycle)
    hold = await held(house)
    response = await confirm(house, hold, house.gina)
    assert response.status_code == 200, response.text
    after = response.json()
    assert (after["status"], after["version"]) == (LIFECYCLES[lifecycle], 2)
    assert response.headers["etag"] == '"2"'
    assert after["expires_at"] != hold["expires_at"]
    assert len(await claims(owner, after)) == 1
    last = (await history(house, hold))[-1]
    assert (last["from_status"], last["to_status"], last["actor"]) == (
        "HELD",
        LIFECYCLES[lifecycle],
        "guest:gina",
    )


async def test_once_it_is_done_it_answers_the_booking_as_it_is(house: House) -> None:
    hold = await held(house)
    first = (await confirm(house, hold, house.gina, expected_version=1)).json()
    for body in ({}, {"expected_version": 1}, {"expected_version": 2}):
        again = await confirm(house, hold, house.gina, **body)
        assert (again.status_code, again.json()) == (200, first)
    # Changed since, the step of version 1 is still the one that was asked for.
    changed = (await change(house, first, house.gina, guest_name="Gina")).json()
    again = await confirm(house, hold, house.gina, expected_version=1)
    assert (again.status_code, again.json()["version"]) == (200, changed["version"])
    checked_in = (await move(house, changed, "CHECKED_IN")).json()
    assert (await confirm(house, hold)).json()["status"] == checked_in["status"]
    assert [row["action"] for row in await history(house, hold)] == ["create", "status", "update", "check_in"]


async def test_a_version_that_was_never_the_holds_is_refused(house: House) -> None:
    hold = await held(house)
    assert (
        refused(await confirm(house, hold, expected_version=2), 409, "VERSION_CONFLICT")["current_version"]
        == 1
    )
    hold = (await change(house, hold, house.gina, guest_name="Gina")).json()
    refused(await confirm(house, hold, expected_version=1), 409, "VERSION_CONFLICT")
    assert (await confirm(house, hold, expected_version=2)).status_code == 200
    # Version 1 became 2 by a change of the name.
    body = refused(await confirm(house, hold, expected_version=1), 409, "VERSION_CONFLICT")
    assert body["current_version"] == 3
    refused(await confirm(house, hold, expected_version=2**31 - 1), 409, "VERSION_CONFLICT")


async def test_if_match_says_the_version_too(house: House) -> None:
    hold = await held(house)
    path = f"/bookings/{hold['id']}/confirm"
    wrong = await house.client.post(path, headers={**house.gina, "if-match": '"7"'})
    refused(wrong, 409, "VERSION_CONFLICT")
    both = await house.client.post(
        path, json={"expected_version": 1}, headers={**house.gina, "if-match": '"7"'}
    )
    refused(both, 400, "INVALID_REQUEST")
    assert (await house.client.post(path, headers={**house.gina, "if-match": '"1"'})).status_code == 200


async def test_what_is_over_is_not_confirmed(house: House, owner: asyncpg.Connection) -> None:
    hold = await held(house)
    await cancel(house, hold, house.gina)
    body = refused(await confirm(house, hold, house.gina), 400, "INVALID_TRANSITION")
    assert (body["from"], body["to"], body["allowed"]) == ("CANCELLED", "RESERVED", [])
    assert body["detail"] == "This booking was cancelled, so it can't be confirmed: make a new one."
    hold = await held(house)
    for table, column in (("booking", "id"), ("claim", "owner_id")):
        await owner.execute(f"UPDATE {table} SET expires_at = now() WHERE {column} = $1", UUID(hold["id"]))
    body = refused(await confirm(house, hold, house.gina), 400, "INVALID_TRANSITION")
    assert body["from"] == "EXPIRED"
    # Its place is somebody else's now, who made it expire.
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    body = refused(await confirm(house, hold, house.gina), 400, "INVALID_TRANSITION")
    assert body["detail"].startswith("This booking expired before it was confirmed")


async def test_only_who_may_see_it_confirms_it(house: House, charlie: dict[str, str]) -> None:
    hold = await held(house)
    for who in (house.headers("guest", subject="hugo"), charlie, {"x-nobody": "1"}):
        refused(await confirm(house, hold, who), 404, "NOT_FOUND")
    assert (await read(house, hold))["status"] == "HELD"


async def test_a_repeated_key_gets_the_first_answer(house: House) -> None:
    hold = await held(house)
    first = await confirm(house, hold, house.gina, idempotency_key="k")
    await cancel(house, first.json(), house.gina)
    again = await confirm(house, hold, house.gina, idempotency_key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    refused(
        await confirm(house, hold, house.gina, idempotency_key="k", expected_version=1),
        409,
        "IDEMPOTENCY_CONFLICT",
    )


async def test_of_many_at_once_one_confirms_and_all_get_it(house: House) -> None:
    hold = await held(house)
    answers = await asyncio.gather(*(confirm(house, hold, house.gina, expected_version=1) for _ in range(8)))
    assert {(each.status_code, each.json()["version"]) for each in answers} == {(200, 2)}
    assert len(await history(house, hold)) == 2


async def test_no_hold_without_a_token(house: House) -> None:
    body = refused(await house.book({}, start=at("18:00"), hold=True), 401, "UNAUTHENTICATED")
    assert body["detail"] == "To hold a place, sign in; or book it at once, without hold."
    assert (await house.book({}, start=at("18:00"))).status_code == 201


STEPS = {"CONFIRMED": "RESERVED", "CHECKED_IN": "CONFIRMED", "NO_SHOW": "CONFIRMED", "CANCELLED": "CONFIRMED"}


@pytest.mark.parametrize("to", STEPS)
async def test_a_step_that_is_done_is_done_once(house: House, to: str) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    if STEPS[to] == "CONFIRMED":
        booking = (await move(house, booking, "CONFIRMED")).json()
    first = await move(house, booking, to)
    assert first.status_code == 200, first.text
    again = await move(house, booking, to)
    assert (again.status_code, again.json()) == (200, first.json())
    # Who read it as it is asks for a step that there is none of.
    refused(await move(house, first.json(), to), 400, "INVALID_TRANSITION")
    older = {**booking, "version": booking["version"] - 1}
    if older["version"]:
        refused(await move(house, older, to), 409, "VERSION_CONFLICT")
    # What guests may not do they are not told is done.
    answer = await move(house, booking, to, house.gina)
    if to == "CANCELLED":
        assert answer.status_code == 200
    else:
        refused(answer, 403, "FORBIDDEN")
    rows = [row["to_status"] for row in await history(house, booking)]
    assert rows.count(to) == 1


async def test_another_step_of_the_version_before_is_a_conflict(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    assert (await move(house, booking, "CONFIRMED")).status_code == 200
    refused(await cancel(house, booking), 409, "VERSION_CONFLICT")
    refused(await move(house, booking, "CHECKED_IN"), 409, "VERSION_CONFLICT")


async def test_steps_take_keys(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    first = await move(house, booking, "CONFIRMED", idempotency_key="k")
    assert (await move(house, first.json(), "CHECKED_IN")).status_code == 200
    again = await move(house, booking, "CONFIRMED", idempotency_key="k")
    assert (again.status_code, again.json()) == (200, first.json())
    refused(await move(house, booking, "CANCELLED", idempotency_key="k"), 409, "IDEMPOTENCY_CONFLICT")
