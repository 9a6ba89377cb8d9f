"""Fair use in views and suggestions, and what is stored for it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from fastapi import FastAPI

from holdfast.booking.deciding.known import Refused
from holdfast.booking.finding import suggest as suggesting
from holdfast.booking.making.usage_store import FORGOTTEN_AFTER, forget
from holdfast.booking.model import Guest as BookedFor
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.wanted import Prepared, Wanted, When
from holdfast.kernel.actor import SYSTEM, Actor
from holdfast.kernel.db.database import Database
from holdfast.kernel.ids import new_id

from .asking import DAY, STOCKHOLM, at, cancel, instant, refused
from .callers import FLOOR, MEMBERS


async def test_the_day_view_shows_what_whoever_asks_may_book(bound: Any) -> None:
    _, guest = await bound({"per": "guest", "at_once_max": 1, "hours_per_week_max": 3})
    gina, day = guest("gina"), DAY.isoformat()
    everything = {each["start"] for each in (await guest("nina").day(day))["starts"]}
    made = await gina.booked(start=at("12:00"))
    shown = await gina.day(day)
    hidden = {at(f"{10 + n // 4}:{n % 4 * 15:02}") for n in range(3, 14)}  # 10:45 to 13:15
    assert everything - {each["start"] for each in shown["starts"]} == hidden
    assert {
        each["start"] for each in (await gina.day(day, except_booking=made["id"]))["starts"]
    } == everything
    await gina.booked(start=at("15:00"))
    shown = await gina.day(day)
    assert (shown["starts"], shown["reason"]) == ([], "QUOTA_EXCEEDED")
    assert (await gina.day((DAY + timedelta(days=5)).isoformat()))["starts"]
    assert (await guest().day(day))["reason"] is None
    assert (await gina.day(day, party_size=7))["reason"] == "PARTY_TOO_LARGE"


async def test_suggestions_are_within_it(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "at_once_max": 1})
    await house.replace({**house.document, "resources": [{**FLOOR, "units": 1}]})
    gina = guest("gina")
    await house.booked(start=at("18:00"), duration_minutes=60)
    await gina.booked(start=at("19:00"), duration_minutes=60)
    body = refused(await gina.book(start=at("18:15"), duration_minutes=45), 409, "SECTION_NOT_AVAILABLE")
    assert body["suggested_slots"]
    await house.replace({**house.document, "resources": [{**FLOOR, "units": 2}]})
    await house.booked(start=at("18:00"), duration_minutes=60)
    body = refused(await gina.book(start=at("18:15"), duration_minutes=45), 409, "SECTION_NOT_AVAILABLE")
    suggested = {each["start"] for each in body["suggested_slots"]}
    assert suggested == {at("17:15"), at("17:00"), at("16:45")}
    body = refused(
        await guest("nina").book(start=at("18:15"), duration_minutes=45), 409, "SECTION_NOT_AVAILABLE"
    )
    assert at("19:00") in {each["start"] for each in body["suggested_slots"]}


async def test_addresses_and_groups_are_stored_where_they_count_and_forgotten(
    bound: Any, owner: asyncpg.Connection, db: Database
) -> None:
    house, guest = await bound({"per": "guest", "groups": [*MEMBERS], "open_bookings_max": 9})
    gina = guest("gina", groups=("members", "juniors"))
    counted = "SELECT host(booked_ip), booked_groups FROM booking WHERE id = $1"
    made = await gina.booked(start=at("12:00"))
    assert tuple(await owner.fetchrow(counted, made["id"])) == (None, ["members"])
    rules = [{"per": "group", "groups": ["juniors"], "at_once_max": 9}, {"per": "address", "at_once_max": 9}]
    await house.change_policy(fair_use=rules)
    made = await gina.booked(start=at("12:00"))
    assert tuple(await owner.fetchrow(counted, made["id"])) == ("203.0.113.7", ["juniors"])
    assert "203.0.113.7" not in str(made)
    staff = await house.booked(start=at("12:00"))
    assert tuple(await owner.fetchrow(counted, staff["id"])) == (None, [])
    done = await cancel(house, made, gina.headers)
    assert done.status_code == 200
    assert tuple(await owner.fetchrow(counted, made["id"])) == (None, [])

    old, new = [await gina.booked(start=at("12:00", day)) for day in (0, 1)]
    back = "UPDATE booking SET start_at = $2::timestamptz - interval '1 hour', end_at = $2 WHERE id = $1"
    now = datetime.now(STOCKHOLM)
    await owner.execute(back, old["id"], now - FORGOTTEN_AFTER - timedelta(hours=1))
    await owner.execute(back, new["id"], now - FORGOTTEN_AFTER + timedelta(hours=1))
    assert await db.run(SYSTEM, forget, 1_000) >= 1
    assert tuple(await owner.fetchrow(counted, old["id"])) == (None, [])
    assert tuple(await owner.fetchrow(counted, new["id"])) == ("203.0.113.7", ["juniors"])


async def test_those_who_are_refused_the_same_share_suggestions_unless_rules_tell_them_apart(
    bound: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, _ = await bound()
    await house.replace({**house.document, "resources": [{**FLOOR, "units": 1}]})
    await house.booked(start=at("18:00"))
    engine, computed = app.state.engine, 0

    async def suggest(*_: Any) -> list[Any]:
        nonlocal computed
        computed += 1
        return []

    async def refusal(guest_id: str) -> Prepared:
        venue = await engine.places.venue(UUID(house.venue_id))
        actor = Actor("guest", guest_id, (venue.tenant_id,))
        when = When(start=instant("18:00"))
        about = {"id": new_id(), "tenant_id": venue.tenant_id, "venue_id": venue.id, "party_size": 2}
        outcome = await engine.create(Wanted(actor=actor, guest=BookedFor(id=guest_id), when=when, **about))
        assert isinstance(outcome, Refused)
        assert isinstance(outcome.error, Suggestible)
        assert outcome.error.wanted is not None
        return outcome.error.wanted

    monkeypatch.setattr(suggesting, "suggest", suggest)
    for rules, more in (([], 1), ([{"per": "guest", "open_bookings_max": 9}], 2)):
        await house.change_policy(fair_use=rules)
        wanted, before = [await refusal(each) for each in ("gina", "nina")], computed
        await asyncio.gather(*(engine.suggestions.near(each) for each in wanted))
        assert computed - before == more
