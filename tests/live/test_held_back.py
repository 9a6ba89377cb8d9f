"""The live picture: what is held back is unavailable to the public until it is released; staff see it as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from fastapi import FastAPI

from holdfast.channel.guests import Rules, times_for_guests
from holdfast.channel.names import PUBLIC_VIEW, STAFF_VIEW
from holdfast.channel.slots import slots_of_day
from holdfast.kernel.ids import new_id
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.port.pricing import LocalPricing
from holdfast.snapshot.shown import changes_at, entry_of
from holdfast.snapshot.take import SlotKey, take_snapshot
from tests.booking.asking import DAY, at, cancel, instant
from tests.conftest import House

DAY_1 = date(2026, 6, 3)
MINUTE = timedelta(minutes=1)


async def sections(
    house: House, who: dict[str, str] | None = None, **query: Any
) -> dict[str, dict[str, Any]]:
    path = f"/clubs/{house.tenant}/venues/{house.document['slug']}/availability"
    response = await house.client.get(path, params={"date": str(DAY)} | query, headers=who)
    assert response.status_code == 200, response.text
    return {each["name"]: each for each in response.json()["sections"]}


def minutes_until(clock: str) -> int:
    return int((instant(clock) - datetime.now(UTC)) / MINUTE)


async def test_the_public_and_staff_see_it_differently(open_house: Any) -> None:
    tables = [{"slug": each, "name": each.upper()} for each in ("t1", "t2")]
    rule = {"resources": ["t2"], "for": "walk_in", "until_minutes": 60}
    late = {"id": "late", "name": "Late", "start": "18:00", "minutes": 120}
    house: House = await open_house(resources=tables, slots=[late], policy={"held_back": [rule]})
    seen = await sections(house)
    assert (seen["T1"]["state"], "heldBackFor" in seen["T1"]) == ("available", False)
    assert (seen["T2"]["state"], seen["T2"]["unitsFree"], seen["T2"]["reason"]) == (
        "unavailable",
        0,
        "held back",
    )
    assert datetime.fromisoformat(seen["T2"]["bookableFrom"]) == instant("17:00")
    assert datetime.fromisoformat(seen["T2"]["bookableUntil"]) == instant("18:30")
    assert "heldBackFor" not in seen["T2"]
    assert "heldBackFor" not in (await sections(house, house.bob))["T1"]
    of_staff = (await sections(house, house.bob))["T2"]
    assert (of_staff["state"], of_staff["unitsFree"], of_staff["heldBackFor"]) == (
        "available",
        1,
        ["walk_in"],
    )
    booking = await house.booked(house.bob, start=at("18:00"), end=at("20:00"), resource_ids=house.ids("t2"))
    assert (await sections(house, house.bob))["T2"]["state"] == "confirmed"
    await cancel(house, booking)
    assert (await sections(house))["T2"]["state"] == "unavailable"


@pytest.mark.parametrize(("held_for", "state"), [("web", "available"), ("members", "unavailable")])
async def test_what_is_for_a_source_of_everybody_is_for_the_public(
    open_house: Any, held_for: str, state: str
) -> None:
    house: House = await open_house(resources=[{"slug": "t1", "name": "T1"}])
    await house.change_policy(held_back=[{"resources": ["t1"], "for": held_for}])
    assert (await sections(house))["T1"]["state"] == state


async def test_a_day_is_released_with_the_first_visit_that_can_be_booked(open_house: Any) -> None:
    house: House = await open_house(resources=[{"slug": "t1", "name": "T1"}])
    for clock, state in (("09:30", "unavailable"), ("10:30", "available")):  # it opens at ten
        rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": minutes_until(clock)}
        await house.change_policy(held_back=[rule])
        assert (await sections(house))["T1"]["state"] == state


async def test_a_snapshot_lasts_until_the_release(app: FastAPI, open_house: Any) -> None:
    rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": 60}
    late = {"id": "late", "name": "Late", "start": "18:00", "minutes": 120}
    house: House = await open_house(resources=[{"slug": "t1"}], slots=[late], policy={"held_back": [rule]})
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    wanted = SlotKey(venue.tenant_id, venue.id, DAY, "late")
    taken = await take_snapshot(app.state.engine.db, wanted, places=app.state.engine.places)
    released = instant("17:00")
    views = (PUBLIC_VIEW, STAFF_VIEW)
    for view in views:
        assert changes_at(replace(taken, at=released - MINUTE), view) == released
        assert changes_at(replace(taken, at=released), view) == instant("18:30") + timedelta(microseconds=1)
    for at_, state, held_for in (
        (released - timedelta(microseconds=1), "unavailable", ["walk_in"]),
        (released, "available", None),
    ):
        for view in views:
            shown = orjson.loads(entry_of(replace(taken, at=at_), view, pricing=LocalPricing()).body)
            [section] = shown["sections"]
            assert section["state"] == (state if view == PUBLIC_VIEW else "available")
            assert section.get("heldBackFor") == (held_for if view == STAFF_VIEW else None)


async def test_it_is_released_although_no_more_may_arrive(app: FastAPI, open_house: Any) -> None:
    """Nobody can book more then, but staff no longer see for whom it is, and guests see another reason."""
    rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": 60}
    late = {"id": "late", "name": "Late", "start": "18:00", "minutes": 120}
    policy = {"held_back": [rule], "pacing": [{"parties_max": 1}], "starts": "slots"}
    house: House = await open_house(resources=[{"slug": "t1"}, {"slug": "t2"}], slots=[late], policy=policy)
    await house.booked(house.bob, date=str(DAY), slot_id="late", resource_ids=house.ids("t2"))
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    wanted = SlotKey(venue.tenant_id, venue.id, DAY, "late")
    taken = await take_snapshot(app.state.engine.db, wanted, places=app.state.engine.places)
    released = instant("17:00")
    for view in (PUBLIC_VIEW, STAFF_VIEW):
        assert changes_at(replace(taken, at=released - MINUTE), view) == released
    for at_, reason, held_for in (
        (released - timedelta(microseconds=1), "held back", ["walk_in"]),
        (released, "no more arrivals", None),
    ):
        seen = [
            orjson.loads(entry_of(replace(taken, at=at_), view, pricing=LocalPricing()).body)["sections"][0]
            for view in (PUBLIC_VIEW, STAFF_VIEW)
        ]
        assert [seen[0]["reason"], seen[1].get("heldBackFor")] == [reason, held_for]


async def test_events_say_the_same(open_house: Any, owner: Any) -> None:
    house: House = await open_house(resources=[{"slug": "t1", "name": "T1"}])
    await house.change_policy(held_back=[{"resources": ["t1"], "for": "walk_in"}])
    await sections(house)
    booking = await house.booked(house.bob, start=at("18:00"))
    await cancel(house, booking)
    rows = await owner.fetch(
        "SELECT payload->>'new_state', payload->>'guests_could', payload->>'guests_cannot' FROM event"
        " WHERE venue_id = $1 AND event_type = 'availability.updated' ORDER BY created_at",
        UUID(house.venue_id),
    )
    assert [tuple(each) for each in rows] == [
        ("confirmed", "false", None),
        ("available", "false", "held back"),
    ]


def times(
    *rules: tuple[str, int], notice: int = 0, advance: int = 365, slots: list[Any] | None = None
) -> list[str]:
    """When guests can book a visit on that day in UTC, from and to, as clock times; earlier days as days before it."""
    document = {
        "slug": "v",
        "name": "V",
        "timezone": "UTC",
        "hours": {"weekly": [{"days": ["WE"], "open": "12:00", "close": "15:00"}]},
        "slots": slots or [],
        "policy": {
            "slot_step_minutes": 60,
            "default_duration_minutes": 60,
            "min_notice_minutes": notice,
            "max_advance_days": advance,
            "starts": "slots" if slots else "any",
            "held_back": [
                {"resources": ["t1"], "for": for_, "until_minutes": until} for for_, until in rules
            ],
        },
        "resources": [{"slug": "t1"}],
    }
    ids = {"t1": UUID(int=1)}
    venue = snapshot(
        parse_document(document), id=new_id(), tenant_id=UUID(int=2), tenant_slug="a", resource_ids=ids
    )
    [slot] = slots_of_day(venue, DAY_1)
    found = times_for_guests(venue, slot, Rules())[ids["t1"]]
    ends = [at_ for each in found for at_ in each]
    return [f"{at_:%H:%M}" if at_.date() == DAY_1 else f"-{(DAY_1 - at_.date()).days}" for at_ in ends]


def test_guests_can_book_what_is_released() -> None:
    assert times(("members", 90)) == ["10:30", "14:00"]
    assert times(("members", 30)) == ["11:30", "12:00", "12:30", "13:00", "13:30", "14:00"]
    assert times(("members", 0)) == ["12:00", "12:00", "13:00", "13:00", "14:00", "14:00"]
    assert times(("web", 0)) == ["-365", "14:00"]
    slots = [{"id": "s", "name": "S", "start": "12:00", "minutes": 180}]
    assert times(("members", 30), slots=slots) == ["11:30", "12:00"]


def test_guests_need_notice_all_the_same() -> None:
    assert times(("members", 90), notice=60) == ["10:30", "11:00", "11:30", "12:00", "12:30", "13:00"]
    assert times(("members", 60), notice=60) == ["11:00", "11:00", "12:00", "12:00", "13:00", "13:00"]
    assert times(("members", 30), notice=60) == []
    assert times(("members", 2 * 24 * 60), advance=1) == ["-1", "14:00"]


def test_what_is_theirs_for_longer_than_it_is_for_others() -> None:
    """Guests may book what is held back for them too; but between the times of two rules, only the others may."""
    slots = [{"id": "s", "name": "S", "start": "12:00", "minutes": 180}]
    rules = ("web", 120), ("members", 60)
    assert times(*rules, slots=slots) == ["-365", "09:59", "11:00", "12:00"]
    assert times(*rules) == ["-365", "14:00"]
