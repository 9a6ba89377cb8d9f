"""POST /bookings/{id}/status: one step of the state machine, with its stamps, claims and rights."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking import due
from holdfast.kernel.db.database import Database
from tests.conftest import House

from .asking import at, cancel, claims, history, instant, move, read, refused, tenant_id, tick
from .test_states import TABLE


async def test_the_way_of_a_visit(house: House, owner: asyncpg.Connection) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    before = await claims(owner, booking)
    for to, stamp in (
        ("CONFIRMED", "confirmed_at"),
        ("CHECKED_IN", "checked_in_at"),
        ("COMPLETED", "completed_at"),
    ):
        assert booking[stamp] is None
        response = await move(house, booking, to, reason="because", metadata={"n": 1})
        assert response.status_code == 200
        after = response.json()
        assert (after["status"], after["version"]) == (to, booking["version"] + 1)
        assert response.headers["etag"] == f'"{after["version"]}"'
        assert after[stamp] == after["updated_at"]
        assert await claims(owner, booking) == ([] if to == "COMPLETED" else before)
        booking = after
    assert await read(house, booking) == booking
    last = (await history(house, booking))[-1]
    assert (last["from_status"], last["to_status"], last["action"]) == ("CHECKED_IN", "COMPLETED", "complete")
    assert (last["reason"], last["metadata"], last["actor"]) == ("because", {"n": 1}, "staff:bob")


async def test_nobody_leaves_before_having_come(house: House, owner: asyncpg.Connection) -> None:
    """The clock of the server that checked the party in was ahead."""
    booking = await house.booked(start=at("18:00"))
    here = (await move(house, booking, "CHECKED_IN")).json()
    ahead = await owner.fetchval(
        "UPDATE booking SET checked_in_at = checked_in_at + interval '2 minutes' WHERE id = $1 RETURNING checked_in_at",
        UUID(booking["id"]),
    )
    gone = (await move(house, here, "COMPLETED")).json()
    assert datetime.fromisoformat(gone["completed_at"]) == ahead
    assert datetime.fromisoformat(gone["updated_at"]) < ahead


@pytest.mark.parametrize(
    "status", ["RESERVED", "CONFIRMED", "CHECKED_IN", "COMPLETED", "CANCELLED", "NO_SHOW"]
)
async def test_an_illegal_step_says_which_are_allowed(house: House, status: str) -> None:
    path = {
        "RESERVED": [], "CONFIRMED": ["CONFIRMED"], "CHECKED_IN": ["CHECKED_IN"], "CANCELLED": ["CANCELLED"],
        "COMPLETED": ["CHECKED_IN", "COMPLETED"], "NO_SHOW": ["NO_SHOW"],
    }  # fmt: skip
    booking = await house.booked(start=at("18:00"))
    for to in path[status]:
        booking = (await move(house, booking, to)).json()
    allowed = TABLE[status][1].split()
    for to in sorted(set(TABLE) - set(allowed)):
        body = refused(await move(house, booking, to), 400, "INVALID_TRANSITION")
        assert (body["from"], body["to"], sorted(body["allowed"])) == (status, to, sorted(allowed))
    assert await read(house, booking) == booking
    assert len(await history(house, booking)) == len(path[status]) + 1


@pytest.mark.parametrize(
    ("lifecycle", "onward"),
    [("instant", "RESERVED"), ("deposit", "PENDING"), ("approval", "PENDING_APPROVAL")],
)
async def test_a_guest_turns_a_hold_into_a_booking(house: House, lifecycle: str, onward: str) -> None:
    await house.change_policy(lifecycle=lifecycle)
    held = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("t1"), hold=True)
    for to in {"RESERVED", "PENDING", "PENDING_APPROVAL", "CONFIRMED"} - {onward}:
        refused(await move(house, held, to, house.gina), 403, "FORBIDDEN")
    response = await move(house, held, onward, house.gina)
    assert response.status_code == 200, response.text
    booked = response.json()
    assert booked["status"] == onward
    assert booked["expires_at"] != held["expires_at"]
    refused(await house.book(start=at("18:00"), resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")


async def test_guests_take_no_other_step(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    for to in ("CONFIRMED", "CHECKED_IN", "NO_SHOW"):
        refused(await move(house, booking, to, house.gina), 403, "FORBIDDEN")
    other = house.headers("guest", subject="hugo")
    refused(await move(house, booking, "CANCELLED", other), 404, "NOT_FOUND")
    assert (await move(house, booking, "CANCELLED", house.gina)).status_code == 200


async def test_the_pipelines_statuses_are_not_set_by_hand(house: House) -> None:
    await house.change_policy(lifecycle="deposit")
    pending = await house.booked(start=at("18:00"))
    refused(await move(house, pending, "CAPACITY_VERIFIED"), 403, "FORBIDDEN")
    assert (await read(house, pending))["version"] == 1


async def test_a_converted_hold_is_no_longer_swept(
    house: House, owner: asyncpg.Connection, db: Database
) -> None:
    held = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"), hold=True)
    booked = (await move(house, held, "RESERVED")).json()
    assert booked["expires_at"] is None
    tenant = await tenant_id(owner, house)
    assert await tick(db, tenant, due.expire, now=instant("17:00")) == 0
    expiries = await owner.fetch("SELECT expires_at FROM claim WHERE owner_id = $1", held["id"])
    assert [row[0] for row in expiries] == [None]


async def test_who_is_displaced_finds_a_place_again_or_is_told(
    house: House, owner: asyncpg.Connection
) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    booking = (await move(house, await house.booked(**wanted), "CONFIRMED")).json()
    booking = (await move(house, booking, "MANUAL_REVIEW", reason="Water damage")).json()
    assert await claims(owner, booking) == []
    other = await house.booked(**wanted)
    body = refused(await move(house, booking, "CONFIRMED"), 409, "TABLE_NOT_AVAILABLE")
    assert body["conflicts"][0]["owner_id"] == other["id"]
    assert body["suggested_slots"]
    assert (await read(house, booking))["status"] == "MANUAL_REVIEW"
    assert (await cancel(house, other)).status_code == 200
    response = await move(house, booking, "CONFIRMED")
    assert response.status_code == 200, response.text
    assert len(await claims(owner, booking)) == 1


async def test_approval_and_payment_are_steps_of_staff(house: House) -> None:
    await house.change_policy(lifecycle="approval")
    asked = await house.booked(house.gina, start=at("18:00"))
    assert (await move(house, asked, "CONFIRMED")).json()["status"] == "CONFIRMED"
    denied = await house.booked(house.gina, start=at("18:00"))
    after = (await move(house, denied, "CANCELLED", reason="No")).json()
    assert (after["cancellation_reason"], after["cancelled_by"]) == ("No", "staff:bob")
    await house.change_policy(lifecycle="deposit")
    unpaid = await house.booked(house.gina, start=at("18:00"))
    paid = (await move(house, unpaid, "RESERVED")).json()
    assert (paid["status"], paid["expires_at"]) == ("RESERVED", None)
