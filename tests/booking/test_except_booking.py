"""A booking that is to be changed is not in its own way: in the check, the views, and suggestions."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.conftest import House

from .asking import DAY, at, change, refused

Json = dict[str, Any]


@pytest.fixture
async def lane(house: House) -> list[str]:
    return house.ids("l1")


async def check(house: House, who: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
    body = {"venue_id": house.venue_id, "party_size": 8, "start": at("18:30"), **wanted}
    return await house.client.post("/bookings/availability/check", json=body, headers=who or house.bob)


async def view(house: House, which: str, who: dict[str, str] | None = None, **query: Any) -> httpx.Response:
    query = {"date": str(DAY)} | query if which == "day" else {"month": f"{DAY:%Y-%m}"} | query
    path = f"/venues/{house.venue_id}/availability/{which}"
    return await house.client.get(path, params=query, headers=who or house.bob)


async def test_in_the_check(house: House, lane: list[str]) -> None:
    booking = await house.booked(house.gina, start=at("18:00"), resource_ids=lane, party_size=8)
    for who in (house.gina, house.bob):
        without = (await check(house, who, resource_ids=lane)).json()
        assert (without["available"], len(without["conflicts"])) == (False, 1)
        found = (await check(house, who, resource_ids=lane, except_booking=booking["id"])).json()
        assert (found["available"], found["conflicts"]) == (True, [])
        assert [each["resource_ids"] for each in found["options"]] == [lane]
    # What it says can be done.
    assert (await change(house, booking, house.gina, start=at("18:30"))).status_code == 200


async def test_others_still_are(house: House, lane: list[str]) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=lane, party_size=8)
    await house.booked(start=at("19:30"), resource_ids=lane, party_size=8)
    found = (await check(house, resource_ids=lane, except_booking=booking["id"])).json()
    assert [each["start"] for each in found["conflicts"]] == [at("19:30")]
    assert found["suggested_slots"][0]["start"] in (at("18:00"), at("18:15"))


async def test_in_suggestions_of_a_refused_change(house: House, lane: list[str]) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=lane, party_size=8)
    await house.booked(start=at("19:30"), resource_ids=lane, party_size=8)
    body = refused(await change(house, booking, start=at("18:30")), 409, "LANE_NOT_AVAILABLE")
    starts = [each["start"] for each in body["suggested_slots"]]
    assert starts == [at("18:00"), at("17:45"), at("17:30")]
    # Somebody else who wants the same at the same time is offered what is free for them.
    other = refused(
        await house.book(start=at("18:30"), resource_ids=lane, party_size=8), 409, "LANE_NOT_AVAILABLE"
    )
    assert not {each["start"] for each in other["suggested_slots"]} & set(starts)
    assert (await change(house, booking, start=starts[1])).status_code == 200


@pytest.mark.parametrize("which", ["day", "month"])
async def test_in_the_views(house: House, which: str) -> None:
    only = [each for each in house.document["resources"] if each["slug"] == "l1"]
    hours = {"weekly": [], "exceptions": []}
    hours["weekly"] = [{"days": [f"{DAY:%a}".upper()[:2]], "open": "18:00", "close": "20:00"}]
    await house.replace({**house.document, "resources": only, "hours": hours})
    booking = await house.booked(house.gina, start=at("18:15"), party_size=8, duration_minutes=90)

    def shown(response: httpx.Response) -> list[Any]:
        assert response.status_code == 200, response.text
        body = response.json()
        return [each["start"] for each in body["starts"]] if which == "day" else body["days"]

    free = [at("18:00"), at("18:15"), at("18:30")] if which == "day" else [str(DAY)]
    assert not set(shown(await view(house, which, house.gina, party_size=8))) & set(free)
    found = shown(await view(house, which, house.gina, party_size=8, except_booking=booking["id"]))
    assert set(found) >= set(free)


async def test_its_guests_do_not_count_as_arriving(house: House) -> None:
    await house.change_policy(pacing_covers_max=8)
    booking = await house.booked(house.gina, start=at("18:00"), resource_ids=house.ids("s1"), party_size=5)
    wanted = {"resource_ids": house.ids("s1"), "party_size": 6, "start": at("18:00")}
    refused(await check(house, **wanted), 400, "PACING_EXCEEDED")
    assert (await check(house, **wanted, except_booking=booking["id"])).json()["available"]
    starts = (await view(house, "day", party_size=6)).json()["starts"]
    assert at("18:00") not in [each["start"] for each in starts]
    starts = (await view(house, "day", party_size=6, except_booking=booking["id"])).json()["starts"]
    assert at("18:00") in [each["start"] for each in starts]


async def test_only_for_who_may_see_it(house: House, charlie: dict[str, str], lane: list[str]) -> None:
    booking = await house.booked(house.gina, start=at("18:00"), resource_ids=lane, party_size=8)
    hugo = house.headers("guest", subject="hugo")
    for who in (hugo, {"x-nobody": "1"}):
        refused(await check(house, who, except_booking=booking["id"]), 404, "NOT_FOUND")
        for which in ("day", "month"):
            refused(await view(house, which, who, except_booking=booking["id"]), 404, "NOT_FOUND")
    refused(await check(house, charlie, except_booking=booking["id"]), 404, "NOT_FOUND")
    body = refused(await check(house, except_booking=house.venue_id), 404, "NOT_FOUND")
    assert body["detail"].startswith("There is no booking")


async def test_of_another_venue_it_is_refused(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    first = house.venue_id
    await house.replace({**house.document, "slug": "annex", "name": "Annex"})
    assert house.venue_id != first
    body = refused(await check(house, house.gina, except_booking=booking["id"]), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "except_booking"
    assert body["detail"] == "except_booking: is a booking at Osteria Nord: give one at Annex, or omit it"


async def test_the_party_of_a_day_is_the_same_as_that_of_a_month(house: House) -> None:
    day, pair = (await view(house, "day")).json(), (await view(house, "day", party_size=2)).json()
    assert day == pair
    assert day["starts"]


async def test_a_change_of_the_time_alone_keeps_the_date(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"), duration_minutes=60)
    after = (await change(house, booking, house.gina, booking_time="20:15")).json()
    assert (after["start"], after["end"]) == (at("20:15"), at("21:15"))
    after = (
        await change(
            house, after, house.gina, booking_date=str(DAY.replace(day=DAY.day)), duration_minutes=90
        )
    ).json()
    assert (after["start"], after["end"]) == (at("20:15"), at("21:45"))
    tomorrow = DAY + timedelta(days=1)
    after = (await change(house, after, house.gina, booking_date=str(tomorrow))).json()
    assert (after["start"], after["end"]) == (at("20:15", 1), at("21:45", 1))
    again = await change(house, after, house.gina, booking_date=str(tomorrow))
    assert again.json()["start"] == after["start"]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"booking_time": "20:00", "start": at("20:00")}, "give only one of"),
        ({"booking_date": str(DAY), "date": str(DAY), "slot_id": "x"}, "give only one of"),
        ({"booking_time": "25:00"}, "must be a time of day"),
    ],
)
async def test_a_time_is_still_said_in_one_way(house: House, wrong: Json, problem: str) -> None:
    booking = await house.booked(start=at("18:00"))
    assert problem in refused(await change(house, booking, **wrong), 400, "INVALID_REQUEST")["detail"]


@pytest.mark.parametrize("alone", [{"booking_time": "20:00"}, {"booking_date": str(DAY)}])
async def test_a_new_booking_needs_both(house: House, alone: Json) -> None:
    body = refused(await house.book(**alone), 400, "INVALID_REQUEST")
    assert body["detail"] == "give booking_date and booking_time together"


@pytest.mark.parametrize("seed", range(3))
async def test_what_is_shown_can_be_changed_to_and_nothing_else(house: House, seed: int) -> None:
    rng = random.Random(seed)
    await house.replace({**house.document, "resources": house.document["resources"][:3]})
    for _ in range(25):  # as many of them as fit
        time = f"{rng.randrange(11, 21)}:{rng.choice(['00', '15', '30', '45'])}"
        await house.book(
            start=at(time), party_size=rng.choice([1, 2, 4, 6]), duration_minutes=rng.choice([60, 90])
        )
    party = rng.choice([2, 4])
    times = [f"{hour}:{minute}" for hour in range(10, 22) for minute in ("00", "15", "30", "45")][:-3]
    rng.shuffle(times)
    tried = [await house.book(house.gina, start=at(each), party_size=party) for each in times[:12]]
    booking = next(each.json() for each in tried if each.status_code == 201)
    shown = await view(house, "day", house.gina, party_size=party, except_booking=booking["id"])
    free = {each["start"] for each in shown.json()["starts"]}
    assert booking["start"] in free
    seen = set[int]()
    for time in times[:20]:
        response = await change(house, booking, house.gina, booking_time=time)
        seen.add(response.status_code)
        assert response.status_code == (200 if at(time) in free else 409), (time, response.text)
        if response.status_code == 200:
            back = await change(house, response.json(), house.gina, start=booking["start"])
            assert back.status_code == 200, back.text
            booking = back.json()
    assert seen == {200, 409}
