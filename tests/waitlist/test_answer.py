"""Accepting, declining, leaving: each once, and what it does to the booking."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.kernel.db.database import Database
from tests.booking.asking import at, claims, history, read, refused
from tests.conftest import House

from .asking import Json, answer, entry_of, events_of, joined, promoted


async def offered(db: Database, house: House, who: dict[str, str] | None = None) -> Json:
    entry = await joined(house, house.gina if who is None else who, guest_name="Gina")
    assert await promoted(db, house) == 1
    entry = await entry_of(house, entry)
    assert entry["status"] == "OFFERED"
    return entry


@pytest.mark.parametrize(
    ("lifecycle", "status"),
    [
        ("instant", "RESERVED"),
        ("deposit", "PENDING"),
        ("approval", "PENDING_APPROVAL"),
        ("assigned", "RESERVED"),
    ],
)
async def test_accepting_makes_the_hold_a_booking(
    db: Database, house: House, owner: asyncpg.Connection, lifecycle: str, status: str
) -> None:
    await house.change_policy(lifecycle=lifecycle)
    entry = await offered(db, house)
    before = await claims(owner, {"id": entry["booking_id"]})
    response = await answer(house, entry, "accept", house.gina)
    assert response.status_code == 200, response.text
    accepted = response.json()
    assert (accepted["status"], accepted["offer"], accepted["version"]) == ("ACCEPTED", None, 3)
    assert response.headers["etag"] == '"3"'
    assert accepted["booking_id"] == entry["booking_id"]
    assert accepted == await entry_of(house, entry, house.gina)
    booking = await read(house, {"id": entry["booking_id"]}, house.gina)
    assert booking["status"] == status
    assert await claims(owner, booking) == before
    assert (await history(house, booking))[-1]["actor"] == "guest:gina"
    [*_, event] = await events_of(owner, entry)
    assert (event["event_type"], event["actor"]) == ("waitlist.accepted", "guest:gina")


@pytest.mark.parametrize(
    ("how", "status"), [("accept", "RESERVED"), ("decline", "CANCELLED"), ("leave", "CANCELLED")]
)
async def test_the_booking_is_seen_so_at_once_by_its_reference(
    db: Database, house: House, how: str, status: str
) -> None:
    entry = await offered(db, house)
    booking = await read(house, {"id": entry["booking_id"]})
    path = f"/bookings/reference/{booking['booking_reference']}"
    assert (await house.client.get(path, headers=house.bob)).json()["status"] == "HELD"
    assert (await answer(house, entry, how, house.gina)).status_code == 200
    assert (await house.client.get(path, headers=house.bob)).json()["status"] == status


async def test_declining_gives_it_back_and_to_the_next(
    db: Database, house: House, owner: asyncpg.Connection
) -> None:
    entry = await offered(db, house)
    response = await answer(house, entry, "decline", house.gina)
    assert response.status_code == 200, response.text
    assert (response.json()["status"], response.json()["offer"]) == ("DECLINED", None)
    booking = await read(house, {"id": entry["booking_id"]})
    assert (booking["status"], booking["cancelled_by"]) == ("CANCELLED", "guest:gina")
    assert booking["cancellation_reason"] == "The offer was declined."
    assert await claims(owner, booking) == []
    assert (await events_of(owner, entry))[-1]["event_type"] == "waitlist.declined"
    following = await joined(house)
    assert await promoted(db, house) == 1
    assert (await entry_of(house, following))["offer"]["resource_ids"] == entry["offer"]["resource_ids"]
    assert (await entry_of(house, entry))["status"] == "DECLINED"


async def test_leaving(db: Database, house: House, owner: asyncpg.Connection) -> None:
    entry = await joined(house, house.gina)
    response = await answer(house, entry, "leave", house.gina)
    assert response.status_code == 200, response.text
    assert (response.json()["status"], response.json()["position"]) == ("LEFT", None)
    assert (await events_of(owner, entry))[-1]["event_type"] == "waitlist.left"
    assert await promoted(db, house) == 0


async def test_leaving_gives_an_offer_back(db: Database, house: House) -> None:
    entry = await offered(db, house)
    assert (await answer(house, entry, "leave", house.gina)).json()["status"] == "LEFT"
    booking = await read(house, {"id": entry["booking_id"]})
    assert (booking["status"], booking["cancellation_reason"]) == (
        "CANCELLED",
        "The guest left the waitlist.",
    )


@pytest.mark.parametrize("how", ["accept", "decline", "leave"])
async def test_the_same_again_answers_the_same(
    db: Database, house: House, owner: asyncpg.Connection, how: str
) -> None:
    entry = await offered(db, house)
    first = await answer(house, entry, how, house.gina)
    count = len(await events_of(owner, entry))
    assert first.json() == (await answer(house, entry, how, house.gina)).json()
    assert len(await events_of(owner, entry)) == count == 3


@pytest.mark.parametrize(
    ("done", "asked"),
    [(a, b) for a in ("accept", "decline", "leave") for b in ("accept", "decline", "leave") if a != b],
)
async def test_what_is_final_stays(db: Database, house: House, done: str, asked: str) -> None:
    entry = await offered(db, house)
    final = (await answer(house, entry, done)).json()
    body = refused(await answer(house, entry, asked), 400, "INVALID_TRANSITION")
    assert (body["from"], body["allowed"]) == (final["status"], [])
    assert body["to"] == {"accept": "ACCEPTED", "decline": "DECLINED", "leave": "LEFT"}[asked]
    assert await entry_of(house, entry) == final


@pytest.mark.parametrize("how", ["accept", "decline"])
async def test_there_is_nothing_to_answer_before_an_offer(house: House, how: str) -> None:
    entry = await joined(house, house.gina)
    body = refused(await answer(house, entry, how, house.gina), 400, "INVALID_TRANSITION")
    assert (body["from"], body["allowed"]) == ("WAITING", ["OFFERED", "LAPSED", "LEFT"])
    assert await entry_of(house, entry) == entry


async def age(owner: asyncpg.Connection, entry: Json) -> None:
    """Makes the offer expire, without any tick having run."""
    for table, key in (("booking", "id"), ("claim", "owner_id")):
        await owner.execute(
            f"UPDATE {table} SET expires_at = now() - interval '1 second' WHERE {key} = $1",
            UUID(entry["booking_id"]),
        )


@pytest.mark.parametrize("how", ["accept", "decline"])
async def test_an_offer_past_its_time_is_no_longer_answered(
    db: Database, house: House, owner: asyncpg.Connection, how: str
) -> None:
    entry = await offered(db, house)
    await age(owner, entry)
    for _ in range(2):
        body = refused(await answer(house, entry, how, house.gina), 409, "OFFER_EXPIRED")
        assert datetime.fromisoformat(body["expired_at"])
    assert (await entry_of(house, entry))["status"] == "LAPSED"
    assert [row["event_type"] for row in await events_of(owner, entry)][-1] == "waitlist.lapsed"


async def test_nor_can_it_be_left(db: Database, house: House, owner: asyncpg.Connection) -> None:
    entry = await offered(db, house)
    await age(owner, entry)
    body = refused(await answer(house, entry, "leave", house.gina), 400, "INVALID_TRANSITION")
    assert body["from"] == "LAPSED"
    assert (await entry_of(house, entry))["status"] == "LAPSED"


async def test_staff_answer_for_those_who_are_not_signed_in(db: Database, house: House) -> None:
    entry = await offered(db, house, {})
    refused(await answer(house, entry, "accept", {}), 404, "NOT_FOUND")
    refused(await answer(house, entry, "accept", house.gina), 404, "NOT_FOUND")
    assert (await answer(house, entry, "accept", house.bob)).json()["status"] == "ACCEPTED"


async def test_of_many_who_answer_at_once_one_is_first(
    db: Database, house: House, owner: asyncpg.Connection
) -> None:
    entry = await offered(db, house)
    hows = ["accept", "decline", "leave"] * 3
    answers = await asyncio.gather(*(answer(house, entry, how) for how in hows))
    final = (await entry_of(house, entry))["status"]
    won = {"ACCEPTED": "accept", "DECLINED": "decline", "LEFT": "leave"}[final]
    assert [each.status_code for each in answers] == [200 if how == won else 400 for how in hows]
    assert len(await events_of(owner, entry)) == 3
    booking = await read(house, {"id": entry["booking_id"]})
    assert booking["status"] == ("RESERVED" if won == "accept" else "CANCELLED")


async def test_an_unknown_entry_is_not_found(house: House) -> None:
    unknown: dict[str, Any] = {"id": "018f0000-0000-7000-8000-000000000000"}
    for how in ("accept", "decline", "leave"):
        refused(await answer(house, unknown, how), 404, "NOT_FOUND")
    assert (await house.client.get("/waitlist/nonsense", headers=house.bob)).status_code == 400


async def test_a_late_booking_elsewhere_does_not_matter(db: Database, house: House) -> None:
    """Accepting need not read the ledger again, because the hold has kept the place."""
    entry = await offered(db, house)
    taken = {"start": at("18:00"), "resource_ids": entry["offer"]["resource_ids"]}
    refused(await house.book(**taken), 409, "TABLE_NOT_AVAILABLE")
    assert (await answer(house, entry, "accept")).status_code == 200
    refused(await house.book(**taken), 409, "TABLE_NOT_AVAILABLE")
