"""What guests see as available they can book, and why they can't book the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.booking import due
from holdfast.kernel.db.database import Database
from tests.block.asking import block
from tests.booking.asking import DAY, at, cancel, change, instant, refused, tenant_id, tick
from tests.conftest import House
from tests.live.looking import look, section
from tests.processes import until

SITTINGS = [
    {"id": "early", "name": "Early", "start": "18:00", "minutes": 90},
    {"id": "late", "name": "Late", "start": "20:00", "minutes": 120},
]
TABLES = [{"slug": each, "name": each.upper(), "seats_max": 4} for each in ("t1", "t2", "t3")]
GUEST: dict[str, str] = {}


async def seen(house: House, slot: str = "day", *, days: int = 0, who: dict[str, str] = GUEST) -> list[Any]:
    """State and reason of each section."""
    shown = await look(house, who, date=str(DAY + timedelta(days=days)), slotId=slot)
    return [(each["state"], each.get("reason")) for each in shown["sections"]]


@pytest.fixture
async def cellar(open_house: Any) -> House:
    """Three tables and two sittings, at the first of which four guests may arrive."""
    pacing = [{"slots": ["early"], "covers_max": 4}]
    policy = {"pacing": pacing, "starts": "slots"}
    return await open_house(resources=TABLES, slots=SITTINGS, policy=policy)


FREE, FULL, TAKEN = ("available", None), ("unavailable", "no more arrivals"), ("unavailable", None)


async def test_as_many_arrive_as_may(cellar: House) -> None:
    early = {"date": str(DAY), "slot_id": "early"}
    assert await seen(cellar, "early") == [FREE] * 3
    booking = await cellar.booked(**early, party_size=4, resource_ids=cellar.ids("t1"))
    assert await seen(cellar, "early") == [TAKEN, FULL, FULL]
    assert await seen(cellar, "late") == [FREE] * 3
    refused(await cellar.book(cellar.gina, **early, party_size=1), 400, "PACING_EXCEEDED")
    assert [state for state, _ in await seen(cellar, "early", who=cellar.bob)] == [
        "confirmed",
        "available",
        "available",
    ]
    booking = (await change(cellar, booking, party_size=3)).json()
    assert await seen(cellar, "early") == [TAKEN, FREE, FREE]
    await cellar.booked(cellar.gina, **early, party_size=1, resource_ids=cellar.ids("t2"))
    assert await seen(cellar, "early") == [TAKEN, TAKEN, FULL]
    assert (await cancel(cellar, booking)).status_code == 200
    assert await seen(cellar, "early") == [FREE, TAKEN, FREE]


async def test_who_no_longer_arrives_makes_room(cellar: House, db: Database, owner: Any) -> None:
    early = {"date": str(DAY), "slot_id": "early", "party_size": 4}
    tenant = await tenant_id(owner, cellar)

    async def all_free() -> bool:
        return await seen(cellar, "early") == [FREE] * 3

    assert await all_free()
    await cellar.booked(**early, hold=True, resource_ids=cellar.ids("t1"))
    assert await seen(cellar, "early") == [TAKEN, FULL, FULL]
    assert await tick(db, tenant, due.expire, now=instant("12:00", -1)) == 1
    await until(all_free)
    await cellar.booked(**early, resource_ids=cellar.ids("t1"))
    assert await tick(db, tenant, due.no_show, now=instant("19:29")) == 1
    await until(all_free)


async def test_a_part_of_the_evening_fills_up_through_another_slot(open_house: Any) -> None:
    pacing = [{"start": "17:00", "end": "23:00", "parties_max": 1}]
    policy = {"pacing": pacing, "starts": "slots"}
    house: House = await open_house(resources=TABLES, slots=SITTINGS, policy=policy)
    before = [await look(house, GUEST, slotId=each) for each in ("early", "late")]
    await house.booked(date=str(DAY), slot_id="early", resource_ids=house.ids("t1"))
    after = [await look(house, GUEST, slotId=each) for each in ("early", "late")]
    assert [each["version"] for each in before] == [0, 0]
    assert [each["version"] for each in after] == [3, 3]
    assert await seen(house, "late") == [FULL] * 3
    assert await seen(house, "late", days=1) == [FREE] * 3


async def test_where_one_may_still_arrive_it_is_available(open_house: Any) -> None:
    """Of the whole day the starts of one hour are full. Of the last ones, that shortens the time to book."""
    house: House = await open_house(resources=TABLES)
    await house.change_policy(pacing=[{"start": "20:00", "end": "24:00", "covers_max": 2}])
    until = [section(await look(house, GUEST), "T3")["bookableUntil"]]
    await house.booked(start=instant("21:00").isoformat(), resource_ids=house.ids("t1"))
    assert await seen(house) == [TAKEN, FREE, FREE]
    until.append(section(await look(house, GUEST), "T3")["bookableUntil"])
    assert until == sorted(until, reverse=True)
    assert until[1] == instant("19:45").isoformat().replace("+00:00", "Z")


@pytest.fixture
async def inn(open_house: Any) -> House:
    """Two rooms; stays of at least two nights, and nobody arrives on Thursdays. DAY is a Wednesday."""
    rules = [{"nights_min": 2, "closed_to_arrival": ["TH"]}]
    rooms = [{"slug": each, "name": each.upper(), "kind": "room", "seats_max": 2} for each in ("r1", "r2")]
    return await open_house(
        kind="hotel",
        stay={"check_in": "15:00", "check_out": "11:00"},
        resources=rooms,
        policy={"arrival_rules": rules, "max_advance_days": 800},
    )


async def test_nobody_arrives_on_that_date(inn: House) -> None:
    assert await seen(inn) == [FREE, FREE]
    assert await seen(inn, days=1) == [("unavailable", "no arrival")] * 2
    assert [state for state, _ in await seen(inn, days=1, who=inn.bob)] == ["available"] * 2
    refused(await inn.book(inn.gina, arrival=str(DAY + timedelta(days=1)), nights=2), 400, "INVALID_REQUEST")
    assert await seen(inn, days=2) == [FREE, FREE]


async def test_the_next_night_is_taken(inn: House) -> None:
    thursday = DAY + timedelta(days=1)
    over = {"override": ["STAY_NOT_ALLOWED"], "override_reason": "for an old guest"}
    assert await seen(inn) == [FREE, FREE]
    booking = await inn.booked(inn.alice, arrival=str(thursday), nights=1, resource_ids=inn.ids("r1"), **over)
    assert await seen(inn) == [("unavailable", "too few nights free"), FREE]
    refused(
        await inn.book(inn.gina, arrival=str(DAY), nights=2, resource_ids=inn.ids("r1")),
        409,
        "ROOM_NOT_AVAILABLE",
    )
    assert [state for state, _ in await seen(inn, who=inn.bob)] == ["available"] * 2
    assert (await cancel(inn, booking)).status_code == 200
    assert await seen(inn) == [FREE, FREE]


async def test_the_reason_of_a_block_is_that_of_the_night(inn: House) -> None:
    """The shortest stay takes the next night too, which may be closed for something else."""
    for days, reason in ((0, "paint"), (1, "the boiler")):
        times = {"start": at("15:00", days), "end": at("11:00", days + 1)}
        assert (await block(inn, "r1", reason=reason, **times)).status_code == 201
    reasons = [section(await look(inn, date=str(DAY + timedelta(days=n))), "R1")["reason"] for n in (0, 1)]
    assert reasons == ["paint", "the boiler"]
    assert (await seen(inn))[0] == ("unavailable", "closed for maintenance")


async def test_members_see_what_is_theirs(open_house: Any) -> None:
    rule = {"resources": ["t1", "t2"], "for": "members", "until_minutes": 60}
    vip = {"resources": ["t2"], "for": "vip", "until_minutes": 60}
    house: House = await open_house(resources=TABLES, slots=SITTINGS, policy={"held_back": [rule, vip]})
    held = ("unavailable", "held back")
    seen_by = {
        groups: await seen(house, "early", who=house.headers("guest", subject="gina", groups=list(groups)))
        for groups in [(), ("members",), ("vip",), ("vip", "members"), ("others",)]
    }
    assert seen_by == {
        (): [held, held, FREE],
        ("members",): [FREE, FREE, FREE],
        ("vip",): [held, FREE, FREE],
        ("vip", "members"): [FREE, FREE, FREE],
        ("others",): [held, held, FREE],
    }
    elsewhere: House = await open_house(resources=TABLES, slots=SITTINGS)
    stranger = elsewhere.headers("guest", subject="gina", groups=["members"])
    assert await seen(house, "early", who=stranger) == [held, held, FREE]
