"""Every change writes one event, in its own transaction, without personal data."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import asyncpg
import pytest

from holdfast.booking import due
from holdfast.kernel.db.database import Database
from tests.conftest import House

from .asking import at, cancel, change, instant, move, refused, tenant_id, tick

SECRETS = {
    "guest_name": "Gudrun Geheim",
    "guest_email": "gudrun@geheim.example",
    "guest_phone": "+46 70 1234567",
    "special_requests": "Geheim allergies",
    "internal_notes": "Geheim notes",
    "metadata": {"geheim": "Geheim"},
}


async def told(owner: asyncpg.Connection, booking: dict[str, Any]) -> list[asyncpg.Record]:
    return await owner.fetch("SELECT * FROM event WHERE subject_id = $1 ORDER BY id", booking["id"])


async def test_one_for_each_change(house: House, owner: asyncpg.Connection) -> None:
    booking = await house.booked(start=at("18:00"), hold=True, guest_id="gina", **SECRETS)
    booking = (await move(house, booking, "RESERVED")).json()
    booking = (await change(house, booking, start=at("19:00"), guest_name="Gudrun Geheimer")).json()
    booking = (await move(house, booking, "CONFIRMED")).json()
    booking = (await move(house, booking, "CHECKED_IN")).json()
    booking = (
        await move(house, booking, "COMPLETED", reason="Geheim reason", metadata={"x": "Geheim"})
    ).json()
    events = await told(owner, booking)
    assert [event["event_type"] for event in events] == [
        "booking.created",
        "booking.status_changed",
        "booking.updated",
        "booking.confirmed",
        "booking.checked_in",
        "booking.completed",
    ]
    payloads = [json.loads(event["payload"]) for event in events]
    assert [payload["version"] for payload in payloads] == [1, 2, 3, 4, 5, 6]
    statuses = ["HELD", "RESERVED", "RESERVED", "CONFIRMED", "CHECKED_IN", "COMPLETED"]
    assert [payload["status"] for payload in payloads] == statuses
    assert [payload["from_status"] for payload in payloads] == [None, *statuses[:-1]]
    for event, payload in zip(events, payloads, strict=True):
        assert str(event["venue_id"]) == payload["venue_id"] == house.venue_id
        assert event["actor"] == "staff:bob"
        assert payload["booking_reference"] == booking["booking_reference"]
        text = str(dict(event)).lower()
        assert not [word for word in ("geheim", "gudrun", "1234567") if word in text]


async def test_one_for_each_end(house: House, owner: asyncpg.Connection, db: Database) -> None:
    tenant = await tenant_id(owner, house)
    cancelled = await house.booked(start=at("18:00"))
    held = await house.booked(start=at("18:00"), hold=True)
    away = await house.booked(start=at("18:00"))
    await cancel(house, cancelled, reason="Geheim")
    await tick(db, tenant, due.expire, now=instant("12:00"))
    await tick(db, tenant, due.no_show, now=instant("20:00"))
    for booking, kind, actor in (
        (cancelled, "booking.cancelled", "staff:bob"),
        (held, "booking.expired", "system"),
        (away, "booking.no_show", "system"),
    ):
        events = await told(owner, booking)
        assert [event["event_type"] for event in events] == ["booking.created", kind]
        assert events[-1]["actor"] == actor
        assert "Geheim" not in str(dict(events[-1]))


async def test_a_change_tells_the_time_before_if_that_changed(
    house: House, owner: asyncpg.Connection
) -> None:
    booking = await house.booked(start=at("18:00"), end=at("19:00"), resource_ids=house.ids("t2"))
    booking = (await change(house, booking, start=at("19:00"))).json()
    booking = (await change(house, booking, end=at("21:00"))).json()
    booking = (await change(house, booking, guest_name="Ada", party_size=3)).json()
    await cancel(house, booking)
    payloads = [json.loads(event["payload"]) for event in await told(owner, booking)]
    before = [
        (instant_of(payload["previous_start"]), instant_of(payload["previous_end"]))
        for payload in payloads[1:4]
    ]
    assert before == [
        (instant("18:00"), instant("19:00")),
        (instant("19:00"), instant("20:00")),
        (None, None),
    ]
    assert not [name for payload in (payloads[0], payloads[4]) for name in payload if "previous" in name]


def instant_of(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said)


async def test_none_for_what_was_refused(house: House, owner: asyncpg.Connection) -> None:
    tenant = await tenant_id(owner, house)
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    before = await owner.fetchval("SELECT count(*) FROM event WHERE tenant_id = $1", tenant)
    keyed = {**house.bob, "idempotency-key": "k"}
    refused(await house.book(keyed, start=at("18:10")), 400, "OFF_SLOT_STEP")
    refused(await house.book(start=at("18:00"), resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")
    refused(await change(house, booking, keyed, start=at("18:10")), 400, "OFF_SLOT_STEP")
    refused(await move(house, booking, "EXPIRED"), 400, "INVALID_TRANSITION")
    refused(await cancel(house, {**booking, "version": 9}), 409, "VERSION_CONFLICT")
    assert await owner.fetchval("SELECT count(*) FROM event WHERE tenant_id = $1", tenant) == before


@pytest.mark.parametrize("times", [2])
async def test_one_however_often_it_is_asked_under_a_key(
    house: House, owner: asyncpg.Connection, times: int
) -> None:
    who = {**house.bob, "idempotency-key": "k"}
    for _ in range(times):
        booking = await house.booked(who, start=at("18:00"))
    for _ in range(times):
        await change(house, booking, who, start=at("19:00"))
    for _ in range(times):
        await cancel(house, {**booking, "version": 2}, who)
    assert len(await told(owner, booking)) == 3


async def test_it_carries_the_trace_of_the_request(house: House, owner: asyncpg.Connection) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    traced = house.bob | {"traceparent": parent}
    booking = await house.booked(traced, start=at("18:00"), resource_ids=house.ids("t1"))
    booking = (await change(house, booking, traced, guest_name="Ada")).json()
    await move(house, booking, "CONFIRMED", traced)
    assert [row["traceparent"] for row in await told(owner, booking)] == [parent] * 3
