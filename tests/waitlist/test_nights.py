"""Waiting for nights: one that has begun is offered for as long as it can be booked."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from holdfast.booking.rules.times import TooSoon
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from holdfast.waitlist.join import Joining, join
from tests.booking.asking import DAY, STOCKHOLM, at, cancel, instant
from tests.conftest import House

from .asking import ask_to_join, entry_of, joined, promoted

ROOM = {"slug": "r1", "name": "Room 1", "kind": "room", "seats_max": 2}


def on(days: int) -> str:
    return str(DAY + timedelta(days=days))


async def inn(open_house: Any, *, check_in: str = "15:00", **policy: Any) -> House:
    """An inn with one room and, unless the policy says otherwise, no notice."""
    stay, policy = {"check_in": check_in, "check_out": "11:00"}, {"max_advance_days": 800, **policy}
    return await open_house(kind="hotel", stay=stay, policy=policy, resources=[ROOM])


@pytest.mark.parametrize(
    ("clock", "days", "until"), [("20:00", 0, "20:15"), ("03:30", 1, "03:45"), ("10:50", 1, "10:59")]
)
async def test_a_night_that_has_begun_is_offered(
    db: Database, open_house: Any, clock: str, days: int, until: str
) -> None:
    house = await inn(open_house)
    taken = await house.booked(arrival=on(0), nights=1)
    entry = await joined(house, arrival=on(0), nights=1)
    assert (entry["earliest"], entry["latest"]) == (at("15:00"), at("10:59", 1))
    assert await promoted(db, house, now=instant(clock, days)) == 0
    await cancel(house, taken)
    assert await promoted(db, house, now=instant(clock, days)) == 1
    offer = (await entry_of(house, entry))["offer"]
    assert (offer["start"], offer["end"]) == (at(clock, days), at("11:00", 1))
    assert offer["expires_at"] == f"{instant(until, days):%FT%TZ}"


async def test_it_is_over_at_check_out(db: Database, open_house: Any) -> None:
    house = await inn(open_house)
    entry = await joined(house, arrival=on(0), nights=1)
    assert await promoted(db, house, now=instant("11:00", 1)) == 0
    assert (await entry_of(house, entry))["status"] == "LAPSED"


async def test_with_notice_nobody_waits_for_a_night_that_has_begun(db: Database, open_house: Any) -> None:
    house = await inn(open_house, min_notice_minutes=60)
    entry = await joined(house, arrival=on(0), nights=1)
    assert entry["latest"] == entry["earliest"] == at("15:00")
    assert await promoted(db, house, now=instant("15:00")) == 0
    assert await promoted(db, house, now=instant("14:00")) == 1


async def test_the_next_guest_is_not_in_the_way_of_what_is_left_of_a_night(
    db: Database, open_house: Any
) -> None:
    house = await inn(open_house, check_in="11:00")
    taken = await house.booked(arrival=on(0), nights=1)
    await house.booked(arrival=on(1), nights=1)
    entry = await joined(house, earliest=at("20:00"), latest=at("22:00"), duration_minutes=24 * 60)
    await cancel(house, taken)
    assert await promoted(db, house, now=instant("19:30")) == 0
    assert await promoted(db, house, now=instant("20:30")) == 1
    offer = (await entry_of(house, entry))["offer"]
    assert (offer["start"], offer["end"]) == (at("20:30"), at("11:00", 1))


async def test_a_night_is_offered_although_clocks_make_it_shorter(db: Database, open_house: Any) -> None:
    house = await inn(open_house, check_in="11:00")
    night = _shorter_night()
    taken = await house.booked(arrival=str(night), nights=1)
    await house.booked(arrival=str(night + timedelta(days=1)), nights=1)
    start = datetime.combine(night, time(11), STOCKHOLM).isoformat()
    entry = await joined(house, earliest=start, latest=start, duration_minutes=24 * 60)
    await cancel(house, taken)
    assert await promoted(db, house) == 1
    assert (await entry_of(house, entry))["offer"]["start"][:10] == str(night)


def _shorter_night() -> date:
    """The next night of 23 hours in Stockholm."""
    days = [DAY + timedelta(days=n) for n in range(400)]
    noons = [datetime.combine(each, time(12), STOCKHOLM).astimezone(UTC) for each in days]
    lengths = [following - noon for noon, following in pairwise(noons)]
    return days[lengths.index(timedelta(hours=23))]


async def test_who_comes_late_can_still_join_for_tonight(db: Database, open_house: Any) -> None:
    house = await inn(open_house)
    venue = await Places(db).venue(UUID(house.venue_id))

    async def joins(clock: str, days: int) -> Any:
        wanted = Joining(id=new_id(), party_size=1, earliest=instant("15:00"), latest=instant("10:59", 1))
        knobs: dict[str, Any] = {"tenants": [venue.tenant_id], "locks": [lock_key(venue.id)]}
        return await db.call(SYSTEM, now=instant(clock, days), **knobs).run(join, wanted, venue=venue)

    for clock, days in (("15:01", 0), ("23:00", 0), ("10:58", 1)):
        assert (await joins(clock, days)).entry.status == "WAITING"
    with pytest.raises(TooSoon):
        await joins("11:00", 1)


async def test_the_last_night_that_is_sold_can_be_waited_for(open_house: Any) -> None:
    house = await inn(open_house, max_advance_days=10)
    last = datetime.now(STOCKHOLM) + timedelta(days=10)
    if last.hour < 15:
        last -= timedelta(days=1)
    assert (await ask_to_join(house, nights=1, arrival=str(last.date()))).status_code == 201
    too_far = await ask_to_join(house, nights=1, arrival=str(last.date() + timedelta(days=1)))
    assert (too_far.status_code, too_far.json()["code"]) == (400, "TOO_FAR_AHEAD")
