"""A block over bookings, with on_conflict "displace": they lose their place, and staff find them another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from holdfast.audit.bookings import BOOKINGS
from holdfast.audit.run import audit
from holdfast.audit.trail import TRAIL
from holdfast.booking.model import check_step
from holdfast.booking.states import (
    DISPLACEABLE,
    OCCUPYING,
    TRANSITIONS,
    InvalidTransition,
    Status,
    displaced_status,
)
from holdfast.kernel.db.database import Database
from holdfast.kernel.embedded import Server
from tests.audit.bookings import step
from tests.audit.conftest import serving
from tests.block.asking import ALLEY, RULES, block, blocked
from tests.booking.asking import at, refused
from tests.conftest import House
from tests.databases import new_database

STEPS = """
    SELECT event_type, payload, actor, channel FROM event
     WHERE subject_id = $1::text::uuid AND payload ->> 'version' = $2 ORDER BY id
"""


async def shown(house: House, booking: dict[str, Any]) -> dict[str, Any]:
    response = await house.client.get(f"/bookings/{booking['id']}", headers=house.bob)
    return response.json()


async def last_step(house: House, booking: dict[str, Any]) -> dict[str, Any]:
    response = await house.client.get(f"/bookings/{booking['id']}/history", headers=house.bob)
    return response.json()["items"][-1]


Served = tuple[str, httpx.AsyncClient, Database]


@pytest.fixture(scope="session")
async def served(server: Server, data_dir: Path) -> AsyncIterator[Served]:
    """A database of its own, because it is audited: in the shared one other tests have moved times."""
    url = await new_database(server, "displaced")
    async with serving(url, data_dir) as (client, db):
        yield url, client, db


@pytest.fixture
def database_url(served: Served) -> str:
    return served[0]


@pytest.fixture
def client(served: Served) -> httpx.AsyncClient:
    return served[1]


@pytest.fixture
def db(served: Served) -> Database:
    return served[2]


async def test_a_booking_goes_to_review_with_alternatives(
    alley: House, database_url: str, db: Database
) -> None:
    there = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5"))
    made = await blocked(alley, "l5", on_conflict="displace")
    assert [(each["id"], each["status"], each["version"]) for each in made["displaced"]] == [
        (there["id"], "MANUAL_REVIEW", 2)
    ]
    after = await shown(alley, there)
    assert (after["status"], after["version"], after["expires_at"]) == ("MANUAL_REVIEW", 2, None)
    last = await last_step(alley, there)
    assert {name: last[name] for name in ("from_status", "to_status", "actor", "action", "reason")} == {
        "from_status": "RESERVED",
        "to_status": "MANUAL_REVIEW",
        "actor": "staff:alice",
        "action": "displace",
        "reason": "displaced_by_block",
    }
    assert last["metadata"]["block_id"] == made["id"]
    offered = last["metadata"]["alternatives"]
    assert len(offered) == 3
    # They really are free: the first one can be booked.
    taken = await alley.booked(start=offered[0]["start"], resource_ids=offered[0]["resource_ids"])
    assert taken["end"] == offered[0]["end"]
    connection = await asyncpg.connect(database_url)
    [event] = await connection.fetch(STEPS, there["id"], "2")
    await connection.close()
    payload = orjson.loads(event["payload"])
    assert (event["event_type"], event["actor"], event["channel"]) == (
        "booking.status_changed", "staff:alice", "bookings",
    )  # fmt: skip
    assert (payload["from_status"], payload["status"], payload["reason"]) == (
        "RESERVED", "MANUAL_REVIEW", "displaced_by_block",
    )  # fmt: skip
    report = await audit(db, checks=[*BOOKINGS, *TRAIL])
    assert report.ok, [(each.check.name, each.violations[:2]) for each in report.failed]


async def test_from_review_people_give_it_a_place_again(alley: House) -> None:
    there = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5"))
    await blocked(alley, "l5", on_conflict="displace")
    body = {"to": "CONFIRMED", "expected_version": 2}
    path = f"/bookings/{there['id']}"
    refused(
        await alley.client.post(f"{path}/status", json=body, headers=alley.bob), 409, "LANE_NOT_AVAILABLE"
    )
    elsewhere = {"resource_ids": alley.ids("l6"), "expected_version": 2}
    moved = await alley.client.put(path, json=elsewhere, headers=alley.bob)
    assert moved.status_code == 200, moved.text
    confirmed = await alley.client.post(
        f"{path}/status", json={**body, "expected_version": 3}, headers=alley.bob
    )
    assert confirmed.json()["status"] == "CONFIRMED"


async def test_a_hold_is_cancelled(alley: House) -> None:
    held = await alley.booked(alley.gina, start=at("12:00"), resource_ids=alley.ids("l5"), hold=True)
    made = await blocked(alley, "l5", on_conflict="displace")
    assert [each["status"] for each in made["displaced"]] == ["CANCELLED"]
    after = await shown(alley, held)
    assert (after["status"], after["cancellation_reason"], after["cancelled_by"]) == (
        "CANCELLED", "displaced_by_block", "staff:alice",
    )  # fmt: skip
    last = await last_step(alley, held)
    assert (last["action"], last["reason"]) == ("cancel", "displaced_by_block")
    assert last["metadata"] == {"block_id": made["id"]}


@pytest.mark.parametrize(
    ("lifecycle", "status"),
    [("deposit", "PENDING"), ("approval", "PENDING_APPROVAL"), ("instant", "CONFIRMED")],
)
async def test_every_kind_that_waits_or_stands_is_displaced(
    open_house: Callable[..., Any], db: Database, lifecycle: str, status: str
) -> None:
    house = await open_house(resources=ALLEY, policy={**RULES, "lifecycle": lifecycle})
    there = await house.booked(start=at("12:00"), resource_ids=house.ids("l5"))
    if status == "CONFIRMED":
        await step(house, there, "CONFIRMED")
    assert (await shown(house, there))["status"] == status
    await blocked(house, "l5", on_conflict="displace")
    after = await shown(house, there)
    assert (after["status"], after["expires_at"]) == ("MANUAL_REVIEW", None)
    report = await audit(db, checks=[*BOOKINGS, *TRAIL])
    assert report.ok, [(each.check.name, each.violations[:2]) for each in report.failed]


async def test_a_party_that_sits_there_stays(alley: House) -> None:
    other = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5"))
    sits = await alley.booked(start=at("14:00"), resource_ids=alley.ids("l5"))
    await step(alley, sits, "CHECKED_IN")
    problem = refused(await block(alley, "l5", on_conflict="displace"), 409, "BLOCK_OVERLAPS_BOOKINGS")
    assert "party is already there" in problem["detail"]
    assert [each["id"] for each in problem["bookings"]] == [sits["id"]]
    assert (await shown(alley, other))["status"] == "RESERVED"


async def test_one_on_several_lanes_loses_them_all(alley: House) -> None:
    await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5", "l6"), party_size=9)
    await blocked(alley, "l5", on_conflict="displace")
    await alley.booked(start=at("12:00"), resource_ids=alley.ids("l6"))


async def test_a_recurring_block_displaces_each_once(alley: House) -> None:
    there = [
        await alley.booked(start=at(f"{hour}:00", day), resource_ids=alley.ids("l5"))
        for day in (0, 1, 3)
        for hour in (10, 16)
    ]
    untouched = await alley.booked(start=at("17:00"), resource_ids=alley.ids("l5"))
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=3", on_conflict="displace")
    assert {each["id"] for each in made["displaced"]} == {each["id"] for each in there[:4]}
    assert (await shown(alley, untouched))["version"] == 1


def test_only_what_occupies_and_has_not_begun_can_be_displaced() -> None:
    for status in Status:
        if status is Status.HELD:
            assert displaced_status(status) is Status.CANCELLED
        elif status in OCCUPYING - {Status.CHECKED_IN}:
            assert displaced_status(status) is Status.MANUAL_REVIEW
            assert status in DISPLACEABLE
        else:
            with pytest.raises(InvalidTransition):
                displaced_status(status)


def test_nobody_can_ask_for_the_step_alone() -> None:
    assert Status.MANUAL_REVIEW not in TRANSITIONS[Status.RESERVED]
    with pytest.raises(InvalidTransition):
        check_step(Status.RESERVED, Status.MANUAL_REVIEW)


async def test_who_asks_by_the_reference_is_told_at_once(alley: House) -> None:
    there = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5"))
    address = f"/bookings/reference/{there['booking_reference']}"
    assert (await alley.client.get(address, headers=alley.bob)).json()["status"] == "RESERVED"
    await blocked(alley, "l5", on_conflict="displace")
    assert (await alley.client.get(address, headers=alley.bob)).json()["status"] == "MANUAL_REVIEW"
