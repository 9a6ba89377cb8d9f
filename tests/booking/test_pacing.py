"""Bounds on what arrives: by time of day, slot and source, in guests and in parties."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest

from tests.conftest import House

from .asking import DAY, at, cancel, change, refused

NAMES = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
OWN = NAMES[DAY.weekday()]
FLOOR = {"slug": "s1", "name": "S1", "kind": "section", "seats_max": 10, "units": 99}
SLOTS = [
    {"id": "early", "name": "Early", "start": "18:07", "minutes": 90},
    {"id": "late", "name": "Late", "start": "20:07", "minutes": 120},
]


async def starts(house: House, who: dict[str, str] | None = None, **query: Any) -> list[dict[str, Any]]:
    asked = {"date": DAY.isoformat(), "party_size": 2, **query}
    path = f"/venues/{house.venue_id}/availability/day"
    response = await house.client.get(path, params=asked, headers=who)
    assert response.status_code == 200, response.text
    return response.json()["starts"]


async def check(house: House, **wanted: Any) -> httpx.Response:
    body = {"venue_id": house.venue_id, "party_size": 2, **wanted}
    return await house.client.post("/bookings/availability/check", json=body)


async def test_guests_and_parties_of_a_band(house: House) -> None:
    rule = {"start": "18:00", "end": "19:00", "days": [OWN], "covers_max": 6, "parties_max": 2}
    await house.change_policy(pacing=[rule])
    first = await house.booked(start=at("18:00"))
    body = refused(await house.book(start=at("18:45"), party_size=5), 400, "PACING_EXCEEDED")
    assert body["rule_exceeded"] == rule
    assert (body["covers_booked"], body["parties_booked"]) == (2, 1)
    await house.booked(start=at("18:45"))
    body = refused(await house.book(start=at("18:30"), party_size=1), 400, "PACING_EXCEEDED")
    assert (body["covers_booked"], body["parties_booked"], body["parties_max"]) == (4, 2, 2)
    for clock, days in (("17:45", 0), ("19:00", 0), ("18:30", 1)):
        await house.booked(start=at(clock, days))
    assert (await cancel(house, first)).status_code == 200
    await house.booked(start=at("18:30"))


async def test_a_change_that_counts_already_is_not_bound(house: House) -> None:
    await house.change_policy(pacing=[{"start": "18:00", "end": "19:00", "covers_max": 4}])
    one, _ = [await house.booked(start=at("18:00"), resource_ids=house.ids("s1")) for _ in range(2)]
    other = await house.booked(start=at("20:00"), resource_ids=house.ids("s1"))
    refused(await change(house, other, start=at("18:30")), 400, "PACING_EXCEEDED")
    one = (await change(house, one, start=at("18:30"))).json()
    refused(await change(house, one, party_size=3), 400, "PACING_EXCEEDED")
    assert (await change(house, one, party_size=1)).status_code == 200
    assert (await change(house, other, start=at("18:30"), party_size=1)).status_code == 200


async def test_each_slot_and_each_source(house: House) -> None:
    pacing = [{"slots": ["early", "late"], "parties_max": 1}, {"sources": ["web"], "covers_max": 2}]
    await house.replace({**house.document, "slots": SLOTS, "policy": {"pacing": pacing}})
    early, late = ({"date": DAY.isoformat(), "slot_id": each} for each in ("early", "late"))
    await house.booked(**early)
    refused(await house.book(**early), 400, "PACING_EXCEEDED")
    await house.booked(**late)
    await house.booked(start=at("12:00"), source="web")
    body = refused(await house.book(start=at("14:00"), source="web"), 400, "PACING_EXCEEDED")
    assert "web" in body["detail"]
    await house.booked(start=at("14:00"), source="phone")
    assert "early" not in {each["slot_id"] for each in await starts(house)}
    assert await starts(house, source="web") == []
    assert (await starts(house))[0]["start"] == at("10:00")
    refused(await check(house, start=at("15:00"), source="web"), 400, "PACING_EXCEEDED")
    assert (await check(house, start=at("15:00"))).json()["available"]


async def test_the_night_of_an_opening_day(open_house: Any) -> None:
    weekly = [{"days": NAMES, "open": "18:00", "close": "04:00"}]
    rule = {"start": "23:00", "end": "02:00", "days": [OWN], "parties_max": 1}
    house = await open_house(
        hours={"weekly": weekly}, policy={"pacing": [rule], "default_duration_minutes": 60}
    )
    await house.booked(start=at("23:30"))
    refused(await house.book(start=at("25:30")), 400, "PACING_EXCEEDED")
    await house.booked(start=at("26:00"))
    await house.booked(start=at("00:30"))  # the night before


async def test_walk_ins_are_counted_and_bound_where_they_are_named(house: House) -> None:
    await house.replace(
        {**house.document, "hours": {"weekly": []}, "policy": {"pacing": [{"parties_max": 1}]}}
    )
    wanted = {"venue_id": house.venue_id, "party_size": 2}
    for _ in range(2):
        made = await house.client.post("/walk-ins", json=wanted, headers=house.bob)
        assert made.status_code == 201, made.text
    await house.change_policy(pacing=[{"parties_max": 2, "sources": ["walk_in"]}])
    refused(await house.client.post("/walk-ins", json=wanted, headers=house.bob), 400, "PACING_EXCEEDED")


async def test_the_waitlist_offers_what_may_be_booked(house: House) -> None:
    await house.change_policy(pacing=[{"start": "18:00", "end": "20:00", "parties_max": 0 + 1}])
    window = {"earliest": at("18:00"), "latest": at("18:00"), "resource_ids": house.ids("t1")}
    taken = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    wanted = {"venue_id": house.venue_id, "party_size": 2, **window}
    joined = await house.client.post("/waitlist", json=wanted, headers=house.gina)
    assert joined.status_code == 201, joined.text
    moved = await change(house, taken, resource_ids=house.ids("t2"))
    assert moved.status_code == 200
    seen = await house.client.get(f"/waitlist/{joined.json()['id']}", headers=house.gina)
    assert seen.json()["status"] == "WAITING"


BANDS = [("17:00", "18:30"), ("18:00", "20:00"), (None, "19:00"), ("19:30", None), (None, None)]
CLOCKS = ["17:00", "17:45", "18:15", "19:00", "19:30", "20:15"]
SOURCES = ["web", "phone", "api"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_plain_count_refuses_the_same(open_house: Any, seed: int) -> None:
    """What is refused, and what the day view shows, by counting every booking for every rule."""
    dice = random.Random(seed)
    rules = []
    for start, end in dice.sample(BANDS, 3):
        rule: dict[str, Any] = {"covers_max": dice.randint(4, 14)} if dice.random() < 0.6 else {}
        if not rule or dice.random() < 0.5:
            rule["parties_max"] = dice.randint(1, 4)
        rule |= {"start": start} if start else {}
        rule |= {"end": end} if end else {}
        rule |= {"sources": dice.sample(SOURCES, 2)} if dice.random() < 0.5 else {}
        rule |= {"days": [OWN]} if dice.random() < 0.5 else {}
        rules.append(rule)
    house = await open_house(resources=[FLOOR], policy={"pacing": rules})
    booked: list[tuple[str, str, int]] = []

    def fits(clock: str, source: str, party: int) -> bool:
        for rule in rules:
            start, end, sources = rule.get("start", "00"), rule.get("end", "24"), rule.get("sources", SOURCES)
            if not start <= clock < end or source not in sources:
                continue
            here = [size for at_, by, size in booked if start <= at_ < end and by in sources]
            if sum(here) + party > rule.get("covers_max", 999) or len(here) + 1 > rule.get(
                "parties_max", 999
            ):
                return False
        return True

    for _ in range(14):
        clock, source, party = dice.choice(CLOCKS), dice.choice(SOURCES), dice.randint(1, 4)
        response = await house.book(start=at(clock), source=source, party_size=party)
        expected = fits(clock, source, party)
        assert (response.status_code == 201) == expected, (rules, booked, response.text)
        if expected:
            booked.append((clock, source, party))
    for source in SOURCES[::2]:
        shown = {each["start"] for each in await starts(house, source=source)}
        assert {clock for clock in CLOCKS if at(clock) in shown} == {
            clock for clock in CLOCKS if fits(clock, source, 2)
        }


async def test_guests_book_slots_alone(house: House) -> None:
    await house.replace({**house.document, "slots": SLOTS, "policy": {"starts": "slots"}})
    body = refused(await house.book(house.gina, start=at("18:00")), 400, "OFF_SLOT_STEP")
    assert body["nearest_slots"] == [
        {"slot_id": "early", "start": at("18:07")[:16] + at("18:07")[19:]},
        {"slot_id": "late", "start": at("20:07")[:16] + at("20:07")[19:]},
    ]
    assert "Early" in body["detail"]
    for way in (
        {"start": at("18:07")},
        {"booking_date": DAY.isoformat(), "booking_time": "18:07"},
        {"date": DAY.isoformat(), "slot_id": "early"},
        {"start": at("18:07"), "end": at("19:37")},
    ):
        booking = await house.booked(house.gina, **way)
        assert (booking["slot_id"], booking["end"]) == ("early", at("19:37"))
    wrong = {"start": at("18:07"), "duration_minutes": 60}
    assert "90" in refused(await house.book(house.gina, **wrong), 400, "INVALID_REQUEST")["detail"]
    refused(await change(house, booking, house.gina, start=at("19:00")), 400, "OFF_SLOT_STEP")
    late = (await change(house, booking, house.gina, start=at("20:07"))).json()
    assert (late["slot_id"], late["duration_minutes"]) == ("late", 120)
    assert (await house.booked(start=at("18:00")))["slot_id"] is None
    assert {each["slot_id"] for each in await starts(house)} == {"early", "late"}
    staff = {each["slot_id"] for each in await starts(house, house.bob)}
    assert staff == {None, "early", "late"}
    refused(await check(house, start=at("18:00")), 400, "OFF_SLOT_STEP")
    assert (await check(house, start=at("20:07"))).json()["available"]


async def test_suggestions_to_guests_are_slots(house: House) -> None:
    await house.replace({**house.document, "slots": SLOTS, "policy": {"starts": "slots"}})
    t1 = house.ids("t1")
    await house.booked(start=at("18:00"), end=at("19:45"), resource_ids=t1)
    body = refused(
        await house.book(house.gina, start=at("18:07"), resource_ids=t1), 409, "TABLE_NOT_AVAILABLE"
    )
    assert body["suggested_slots"]
    for each in body["suggested_slots"]:
        assert each["start"] in (at("18:07"), at("20:07"))
        wanted = {"start": each["start"], "resource_ids": each["resource_ids"]}
        again = await house.booked(house.gina, **wanted)
        assert again["end"] == each["end"]
        await cancel(house, again)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "covers_max"),
        ({"covers_max": 0}, "covers_max"),
        ({"covers_max": 1, "days": ["XX"]}, "pacing.0.days.0"),
        ({"covers_max": 1, "start": "25:00"}, "start"),
        ({"covers_max": 1, "sources": ["fax"]}, "pacing.0.sources.0"),
        ({"covers_max": 1, "sources": []}, "sources"),
    ],
)
async def test_a_rule_that_bounds_nothing_is_refused(house: House, rule: dict[str, Any], field: str) -> None:
    document = {**house.document, "policy": {"pacing": [rule]}}
    response = await house.client.post("/venues/import", json=document, headers=house.alice)
    error = refused(response, 400, "INVALID_REQUEST")["errors"][0]
    assert error["field"].endswith(field), error
