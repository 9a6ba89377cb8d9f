"""Stays whose first night has begun: they start now, whether they are booked or moved, and arrive now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.booking.change import change as change_booking
from holdfast.booking.deciding.known import Refused
from holdfast.booking.deciding.wish import Change
from holdfast.booking.making.create import Booked, create
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id
from holdfast.place.places import Places
from tests.conftest import House

from .asking import DAY, at, instant
from .test_orders import blocked

ROOMS = [{"slug": f"r{n}", "name": f"Room {n}", "kind": "room", "seats_max": 2} for n in range(3)]
STAY = {"check_in": "15:00", "check_out": "11:00"}


async def inn(open_house: Callable[..., Any], rooms: int, **policy: Any) -> House:
    return await open_house(kind="hotel", stay=STAY, policy=policy, resources=ROOMS[:rooms])


class Tonight:
    """What is done at a time of DAY, as its clock says."""

    def __init__(self, db: Database, house: House, clock: str) -> None:
        self.db, self.places, self.venue_id = db, Places(db), UUID(house.venue_id)
        self.now = instant(clock)

    async def run(self, verb: Callable[..., Any], *args: Any, **more: Any) -> Any:
        venue = await self.places.venue(self.venue_id)
        call = self.db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], now=self.now)
        return await call.run(verb, *args, **more)

    async def booked(self, count: int = 1) -> list[Any]:
        """The outcomes of that many stays for two, in one set."""
        venue = await self.places.venue(self.venue_id)
        each = {"tenant_id": venue.tenant_id, "venue_id": venue.id, "actor": SYSTEM, "party_size": 2}
        wanted = [Wanted(id=new_id(), when=When(arrival=DAY, nights=1), **each) for _ in range(count)]
        return await self.run(create, wanted, places=self.places)

    async def moved(self, booking: dict[str, Any]) -> Any:
        venue = await self.places.venue(self.venue_id)
        asked = Change(
            booking_id=UUID(booking["id"]),
            expected_version=booking["version"],
            when=When(arrival=DAY, nights=1),
        )
        return await self.run(change_booking, asked, venue=venue)


async def test_a_stay_that_is_moved_to_tonight_starts_now(
    db: Database, open_house: Callable[..., Any]
) -> None:
    """The room may have been closed until a moment ago."""
    house = await inn(open_house, 1)
    leak = {"start": at("12:00"), "end": at("19:00"), "reason": "Leak"}
    await blocked(house, {"venue_id": house.venue_id, "resource_ids": house.ids("r0"), **leak})
    booking = await house.booked(arrival=str(DAY + timedelta(days=3)), nights=1)
    after = await Tonight(db, house, "20:10").moved(booking)
    assert (after.start_at, after.end_at) == (instant("20:10"), instant("11:00", 1))
    again = await Tonight(db, house, "21:00").moved({**booking, "version": after.version})
    assert again.start_at == instant("20:10")  # when it arrived


@pytest.mark.parametrize("at_once", [False, True])
async def test_limits_on_arrivals_count_who_arrives_now(
    db: Database, open_house: Callable[..., Any], *, at_once: bool
) -> None:
    house = await inn(open_house, 3, pacing_covers_max=2)
    tonight = Tonight(db, house, "20:10")
    outcomes = await tonight.booked(2) if at_once else [*await tonight.booked(), *await tonight.booked()]
    assert [type(each) for each in outcomes] == [Booked, Refused]
    assert outcomes[1].error.code == "PACING_EXCEEDED"
    other = await house.booked(arrival=str(DAY + timedelta(days=3)), nights=1)
    with pytest.raises(type(outcomes[1].error)):
        await tonight.moved(other)
    assert isinstance((await Tonight(db, house, "20:15").booked())[0], Booked)
