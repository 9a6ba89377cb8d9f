"""A booking remembers whether its place was asked for or chosen, and a change keeps what it can."""

from __future__ import annotations

import random
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import at, cancel, change, claims, history, move, read, refused

TABLES = {"kinds": ["table"]}


async def test_who_chose(house: House) -> None:
    named = await house.booked(start=at("12:00"), resource_ids=house.ids("t1"))
    found = await house.booked(start=at("12:00"), preferences=TABLES)
    assert (named["chosen_by"], found["chosen_by"]) == ("guest", "house")
    assert (await change(house, named, preferences=TABLES)).json()["chosen_by"] == "house"
    own = (await change(house, found, resource_ids=found["resource_ids"])).json()
    assert (own["chosen_by"], own["resource_ids"]) == ("guest", found["resource_ids"])
    assert (await read(house, own))["chosen_by"] == "guest"
    walk_in = {"venue_id": house.venue_id, "party_size": 2, "preferences": TABLES}
    await house.replace({**house.document, "hours": {"weekly": []}})
    seated = await house.client.post("/walk-ins", json=walk_in, headers=house.bob)
    assert seated.json()["chosen_by"] == "house"


async def test_a_larger_party_gets_a_larger_table(house: House) -> None:
    booking = await house.booked(start=at("18:00"), preferences=TABLES)
    assert booking["resource_ids"] == house.ids("t1")
    four = (await change(house, booking, party_size=4)).json()
    assert (four["resource_ids"], four["chosen_by"]) == (house.ids("t2"), "house")
    three = (await change(house, four, party_size=3)).json()
    assert three["resource_ids"] == house.ids("t2")


async def test_a_smaller_party_gives_the_second_table_back(house: House, owner: asyncpg.Connection) -> None:
    booking = await house.booked(start=at("18:00"), party_size=7, preferences=TABLES)
    assert booking["resource_ids"] == house.ids("t2", "t3")
    two = (await change(house, booking, party_size=2)).json()
    assert two["resource_ids"] in (house.ids("t2"), house.ids("t3"))
    assert [each[0] for each in await claims(owner, booking)] == two["resource_ids"]


async def test_it_goes_where_it_was_asked_to_be(house: House) -> None:
    booking = await house.booked(start=at("18:00"), preferences={"zones": ["window"]})
    await house.booked(start=at("20:00"), resource_ids=house.ids("t1"))
    after = (await change(house, booking, start=at("20:00"))).json()
    assert after["resource_ids"] == house.ids("t2")
    await house.booked(start=at("12:00"), resource_ids=house.ids("t1"))
    await house.booked(start=at("12:00"), resource_ids=house.ids("t2"))
    refused(await change(house, after, start=at("12:00")), 409, "TABLE_NOT_AVAILABLE")
    assert await read(house, after) == after


async def test_what_was_asked_for_by_name_is_refused(house: House) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    assert refused(await change(house, booking, party_size=4), 400, "PARTY_TOO_LARGE")["seats_max"] == 2
    await house.booked(start=at("20:00"), resource_ids=house.ids("t1"))
    body = refused(await change(house, booking, start=at("20:00")), 409, "TABLE_NOT_AVAILABLE")
    assert body["suggested_slots"]


@pytest.mark.parametrize(
    "asked",
    [
        {"guest_name": "Georgina"},
        {"party_size": 1},
        {"start": at("18:00"), "guest_name": "Said again"},
        {"start": at("18:00"), "end": at("19:30"), "party_size": 2},
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
async def test_what_touches_neither_time_nor_place_asks_no_rule_of_today(
    house: House, owner: asyncpg.Connection, asked: dict[str, Any], is_named: bool
) -> None:
    where = {"resource_ids": house.ids("t1")} if is_named else {"preferences": TABLES}
    booking = await house.booked(start=at("18:00"), **where)
    for clock in ("16:30", "19:30"):
        await house.booked(start=at(clock), resource_ids=house.ids("t1"))
    before = await claims(owner, booking)
    await house.change_policy(
        buffer_after_minutes=60,
        slot_step_minutes=1440,
        min_notice_minutes=365 * 1440,
        duration_minutes_max=90,
        pacing_covers_max=1,
    )
    weekly = [{"days": ["MO"], "open": "01:00", "close": "02:00"}]
    await house.replace({**house.document, "hours": {"weekly": weekly}})
    response = await change(house, booking, **asked)
    assert response.status_code == 200, response.text
    after = response.json()
    assert await claims(owner, booking) == before
    assert (after["start"], after["end"], after["resource_ids"]) == (
        booking["start"],
        booking["end"],
        booking["resource_ids"],
    )
    assert "local_start" not in (await history(house, booking))[-1]["metadata"]["changed"]


async def test_the_price_stays_unless_time_party_or_place_change(house: House) -> None:
    booking = await house.booked(start=at("18:00"), preferences=TABLES)
    await house.change_policy(price_rules=[{"per": "guest", "amount": "10"}])
    same = (await change(house, booking, start=at("18:00"), resource_ids=house.ids("t1"))).json()
    assert (same["total_price"], same["chosen_by"]) == ("0.00", "guest")
    assert (await change(house, same, party_size=1)).json()["total_price"] == "10.00"


async def test_who_says_the_same_preferences_again_is_not_moved(house: House) -> None:
    first = await house.booked(start=at("18:00"), preferences=TABLES)
    booking = await house.booked(start=at("18:00"), preferences=TABLES)
    assert booking["resource_ids"] == house.ids("t2")
    assert (await cancel(house, first)).status_code == 200
    later = (await change(house, booking, start=at("18:15"), preferences=TABLES)).json()
    assert (later["start"], later["resource_ids"]) == (at("18:15"), house.ids("t2"))
    anything = (await change(house, later, preferences={})).json()
    assert anything["resource_ids"] == house.ids("t1")


async def test_who_says_the_time_of_its_slot_again_stays_in_it(house: House) -> None:
    slots = [{"id": "late", "name": "Late", "start": "20:37", "minutes": 83}]
    await house.replace({**house.document, "slots": slots})
    booking = await house.booked(date=at("18:00")[:10], slot_id="late", preferences=TABLES)
    for again in ({"start": booking["start"]}, {"start": booking["start"], "end": booking["end"]}):
        booking = (await change(house, booking, **again)).json()
        assert booking["slot_id"] == "late"
    four = (await change(house, booking, start=booking["start"], party_size=4)).json()
    assert (four["slot_id"], four["end"], four["resource_ids"]) == ("late", booking["end"], house.ids("t2"))
    moved = (await change(house, four, start=at("18:00"))).json()
    assert (moved["slot_id"], moved["duration_minutes"]) == (None, 83)


SEATS = {"t1": 2, "t2": 4, "t3": 4}
SETS = [("t1",), ("t2",), ("t3",), ("t1", "t2"), ("t2", "t3"), ("t1", "t2", "t3")]
CLOCKS = ["17:00", "17:45", "18:30", "19:15", "20:00"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_change_is_refused_only_if_nothing_fits_and_moves_only_if_it_must(
    house: House, seed: int
) -> None:
    """Compared with what a human would find on the plan."""
    dice = random.Random(seed)
    slugs = {id_: slug for slug, id_ in house.resources.items()}
    held: dict[str, tuple[dict[str, Any], set[str]]] = {}

    def free(slug: str, start: str, end: str, but: str) -> bool:
        return not any(
            slug in on and each["start"] < end and start < each["end"]
            for id_, (each, on) in held.items()
            if id_ != but
        )

    for _ in range(25):
        party, start = dice.randint(1, 9), at(dice.choice(CLOCKS))
        if len(held) < 3:
            response = await house.book(start=start, party_size=party, preferences=TABLES)
            before, on, end, but = None, set[str](), "", ""
        else:
            but = dice.choice([*held])
            before, on = held[but]
            response = await change(house, before, party_size=party, start=start)
        end = at(f"{int(start[11:13]) + 1}:{int(start[14:16]) + 30}")
        fit = [set(each) for each in SETS if sum(SEATS[one] for one in each) >= party]
        open_ = [each for each in fit if all(free(one, start, end, but) for one in each)]
        assert (response.status_code < 300) == bool(open_), response.text
        if response.status_code >= 300:
            assert before is None or await read(house, before) == before
            continue
        booking = response.json()
        now = {slugs[id_] for id_ in booking["resource_ids"]}
        assert now in open_
        if on in open_ and len(on) == min(map(len, fit)):
            assert now == on
        held[booking["id"]] = (booking, now)


async def test_a_displaced_booking_is_shown_other_places(house: House) -> None:
    booking = await house.booked(start=at("18:00"), preferences=TABLES)
    block = {
        "venue_id": house.venue_id,
        "resource_ids": booking["resource_ids"],
        "start": at("10:00"),
        "end": at("23:00"),
        "reason": "Paint",
        "on_conflict": "displace",
    }
    made = await house.client.post("/chain/maintenance-blocks", json=block, headers=house.alice)
    assert made.status_code == 201, made.text
    last = (await history(house, booking))[-1]
    assert last["metadata"]["alternatives"][0]["start"] == booking["start"]
    shown = await read(house, booking)
    confirmed = await change(house, shown, resource_ids=last["metadata"]["alternatives"][0]["resource_ids"])
    assert (await move(house, confirmed.json(), "CONFIRMED")).status_code == 200
