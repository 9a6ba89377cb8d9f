"""The live picture: what is held back is unavailable to the public until it is released; staff see it as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from fastapi import FastAPI

from holdfast.channel.held_back import kept_from_guests
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.port.pricing import LocalPricing
from holdfast.snapshot.cache import TTL_S
from holdfast.snapshot.shown import entry_of, lasts_s
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
    assert (seen["T1"]["state"], "heldBackUntil" in seen["T1"]) == ("available", False)
    assert (seen["T2"]["state"], seen["T2"]["unitsFree"], seen["T2"]["reason"]) == (
        "unavailable",
        0,
        "held back",
    )
    assert datetime.fromisoformat(seen["T2"]["heldBackUntil"]) == instant("17:00")
    assert "heldBackFor" not in seen["T2"]
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


async def test_a_snapshot_is_cached_until_the_release_at_most(app: FastAPI, open_house: Any) -> None:
    rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": 60}
    late = {"id": "late", "name": "Late", "start": "18:00", "minutes": 120}
    house: House = await open_house(resources=[{"slug": "t1"}], slots=[late], policy={"held_back": [rule]})
    venue = await app.state.engine.places.venue(UUID(house.venue_id))
    wanted = SlotKey(venue.tenant_id, venue.id, DAY, "late")
    taken = await take_snapshot(app.state.engine.db, wanted, places=app.state.engine.places)
    released = instant("17:00")
    for before, lasts in ((60, TTL_S), (TTL_S, TTL_S), (5, 5), (0, TTL_S), (-5, TTL_S)):
        assert lasts_s(replace(taken, at=released - timedelta(seconds=before))) == lasts
    [section] = orjson.loads(entry_of(replace(taken, at=released), "guest", pricing=LocalPricing()).body)[
        "sections"
    ]
    assert section["state"] == "available"


async def test_events_say_the_same(open_house: Any, owner: Any) -> None:
    house: House = await open_house(resources=[{"slug": "t1", "name": "T1"}])
    await house.change_policy(held_back=[{"resources": ["t1"], "for": "walk_in"}])
    await sections(house)
    booking = await house.booked(house.bob, start=at("18:00"))
    await cancel(house, booking)
    rows = await owner.fetch(
        "SELECT payload->>'new_state', payload->>'held_back' FROM event"
        " WHERE venue_id = $1 AND event_type = 'availability.updated' ORDER BY created_at",
        UUID(house.venue_id),
    )
    assert [tuple(each) for each in rows] == [("confirmed", "true"), ("available", "true")]


def times(until: int, *, opens: str, closes: str, step: int, slots: list[Any] | None = None) -> list[str]:
    """When guests are kept out on that day in UTC, from and to, as clock times; those before are left out."""
    document = {
        "slug": "v",
        "name": "V",
        "timezone": "UTC",
        "hours": {"weekly": [{"days": ["WE"], "open": opens, "close": closes}]},
        "slots": slots or [],
        "policy": {
            "slot_step_minutes": step,
            "default_duration_minutes": 60,
            "held_back": [{"resources": ["t1"], "for": "members", "until_minutes": until}],
        },
        "resources": [{"slug": "t1"}],
    }
    ids = {"t1": UUID(int=1)}
    venue = snapshot(
        parse_document(document), id=new_id(), tenant_id=UUID(int=2), tenant_slug="a", resource_ids=ids
    )

    def instant_of(clock: str) -> datetime:
        return datetime.fromisoformat(f"{DAY_1} {clock}:00+00:00")

    found = kept_from_guests(venue, DAY_1, Span(instant_of(opens), instant_of(closes)))[ids["t1"]]
    return [f"{at:%H:%M}" for each in found for at in each if at.date() == DAY_1]


def test_guests_are_kept_out_while_no_visit_to_come_is_released() -> None:
    assert times(90, opens="12:00", closes="15:00", step=60) == ["10:30"]
    assert times(30, opens="12:00", closes="15:00", step=60) == ["11:30", "12:00", "12:30", "13:00", "13:30"]
    assert times(0, opens="12:00", closes="15:00", step=60) == ["14:00"]
    slots = [{"id": "s", "name": "S", "start": "12:00", "minutes": 180}]
    assert times(30, opens="12:00", closes="15:00", step=60, slots=slots) == ["11:30"]
