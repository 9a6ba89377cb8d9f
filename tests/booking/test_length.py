"""How long a booking lasts: the usual length of its party, unless one is asked for that the venue allows."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.booking.rules.length import DurationNotAllowed, check_length
from holdfast.place.policy import Policy
from tests.conftest import House

from .asking import DAY, at, change, refused

BY_PARTY = [{"party_size_max": 2, "minutes": 60}, {"party_size_max": 4, "minutes": 120}]


async def test_guests_who_do_not_choose_get_the_usual_length(house: House) -> None:
    await house.change_policy(guests_choose_duration=False, durations=BY_PARTY)
    for asked in ({"duration_minutes": 300}, {"end": at("18:01")}):
        body = refused(await house.book(house.gina, start=at("18:00"), **asked), 400, "INVALID_REQUEST")
        assert (body["usual_minutes"], body["rule"]) == (60, "DURATION_NOT_ALLOWED")
        assert "60 minutes" in body["detail"]
        assert body["errors"][0]["field"] == "duration_minutes"
    usual = await house.booked(house.gina, start=at("18:00"))
    said = await house.booked(house.gina, start=at("18:00"), duration_minutes=60)
    assert [each["duration_minutes"] for each in (usual, said)] == [60, 60]
    assert (await house.booked(start=at("18:00"), duration_minutes=300))["duration_minutes"] == 300
    refused(await change(house, usual, house.gina, duration_minutes=45), 400, "INVALID_REQUEST")
    assert (await change(house, usual, house.gina, start=at("19:00"))).json()["duration_minutes"] == 60


async def test_views_and_the_check_ask_the_same(house: House) -> None:
    await house.change_policy(guests_choose_duration=False, durations=BY_PARTY)
    path = f"/venues/{house.venue_id}/availability/day?date={DAY}&party_size=2&duration_minutes="
    assert (await house.client.get(path + "60")).status_code == 200
    refused(await house.client.get(path + "90"), 400, "INVALID_REQUEST")
    assert (await house.client.get(path + "90", headers=house.bob)).status_code == 200
    body = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "duration_minutes": 90}
    check = "/bookings/availability/check"
    refused(await house.client.post(check, json=body), 400, "INVALID_REQUEST")
    assert (await house.client.post(check, json=body, headers=house.bob)).status_code == 200
    window = {"earliest": at("18:00"), "latest": at("19:00")}
    waiting = {"venue_id": house.venue_id, "party_size": 2, "duration_minutes": 90, **window}
    refused(await house.client.post("/waitlist", json=waiting, headers=house.gina), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    ("minutes", "allowed"), [(15, False), (30, True), (40, False), (45, True), (135, False)]
)
async def test_shortest_longest_and_step(house: House, minutes: int, allowed: bool) -> None:
    lengths = {"duration_minutes_min": 30, "duration_minutes_max": 120, "duration_step_minutes": 15}
    await house.change_policy(**lengths)
    response = await house.book(start=at("18:00"), duration_minutes=minutes)
    if allowed:
        assert response.status_code == 201
    else:
        body = refused(response, 400, "INVALID_REQUEST")
        assert {name: body[name] for name in lengths} == lengths


@given(
    minutes=st.integers(1, 500),
    least=st.integers(1, 90),
    more=st.integers(0, 300),
    step=st.integers(1, 60),
    choose=st.booleans(),
    is_staff=st.booleans(),
)
def test_a_length_is_allowed_if_it_is_usual_or_in_the_range_and_on_the_step(
    minutes: int, least: int, more: int, step: int, choose: bool, is_staff: bool
) -> None:
    policy = Policy(
        duration_minutes_min=least,
        duration_minutes_max=90 + more,
        duration_step_minutes=step,
        guests_choose_duration=choose,
    )
    in_range = minutes in range(least, 90 + more + 1) and minutes in range(0, 1000, step)
    allowed = minutes == 90 or (in_range and (choose or is_staff))
    with nullcontext() if allowed else pytest.raises(DurationNotAllowed) as refusal:
        check_length(timedelta(minutes=minutes), policy, usual=usual_minutes(policy, 2), is_staff=is_staff)
    assert allowed or refusal.value.fields["usual_minutes"] == 90


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"duration_minutes_min": 100}, "policy.default_duration_minutes"),
        ({"duration_minutes_min": 50, "duration_minutes_max": 40}, "policy.duration_minutes_min"),
        ({"duration_step_minutes": 0}, "policy.duration_step_minutes"),
        ({"guests_choose_duration": "no"}, "policy.guests_choose_duration"),
    ],
)
async def test_a_policy_that_contradicts_itself_is_refused(
    house: House, policy: dict[str, Any], field: str
) -> None:
    document = {**house.document, "policy": policy}
    response = await house.client.post("/venues/import", json=document, headers=house.alice)
    assert [each["field"] for each in refused(response, 400, "INVALID_REQUEST")["errors"]] == [field]


async def test_another_party_gets_its_usual_length_unless_one_was_asked_for(house: House) -> None:
    await house.change_policy(durations=BY_PARTY)
    usual = await house.booked(start=at("12:00"))
    larger = (await change(house, usual, party_size=4)).json()
    assert (larger["duration_minutes"], larger["start"]) == (120, usual["start"])
    moved = (await change(house, larger, start=at("13:00"))).json()
    assert moved["duration_minutes"] == 120
    assert (await change(house, moved, party_size=1)).json()["duration_minutes"] == 60
    asked = await house.booked(start=at("16:00"), duration_minutes=75)
    assert (await change(house, asked, party_size=4)).json()["duration_minutes"] == 75
    later = await house.booked(start=at("20:00"))
    longer = (await change(house, later, end=at("21:30"))).json()
    assert (await change(house, longer, party_size=4)).json()["duration_minutes"] == 90


async def test_a_slot_keeps_its_length_whoever_comes(house: House) -> None:
    slots = [{"id": "late", "name": "Late", "start": "20:00", "minutes": 100}]
    await house.replace({**house.document, "slots": slots})
    booking = await house.booked(date=DAY.isoformat(), slot_id="late")
    after = (await change(house, booking, party_size=4)).json()
    assert (after["duration_minutes"], after["slot_id"]) == (100, "late")


async def test_a_series_at_the_usual_length(house: House) -> None:
    await house.change_policy(durations=BY_PARTY)
    wanted = {
        "venue_id": house.venue_id,
        "party_size": 2,
        "start": at("12:00"),
        "rrule": "FREQ=DAILY;COUNT=2",
    }
    made = await house.client.post("/series", json=wanted, headers=house.bob)
    assert made.status_code == 201, made.text
    query = {"from": at("00:00"), "to": at("00:00", days=3)}
    path = f"/bookings/venue/{house.venue_id}"
    listed = (await house.client.get(path, params=query, headers=house.bob)).json()["items"]
    assert len(listed) == 2
    for booking in listed:
        assert (booking["duration_minutes"], booking["chosen_by"]) == (60, "house")
        assert (await change(house, booking, party_size=4)).json()["duration_minutes"] == 120
