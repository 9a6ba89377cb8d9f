"""All that can happen at a venue, once: every type of event that there is."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from holdfast.booking import due
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from tests.block import asking as blocks
from tests.booking import asking as bookings
from tests.booking.asking import DAY, at, instant
from tests.conftest import House
from tests.series import asking as series
from tests.waitlist import asking as waitlist

Json = dict[str, Any]
SLOT = "slot_evening"
SLOTS = [{"id": SLOT, "name": "Evening", "days": ["WE"], "start": "18:00", "minutes": 120}]
DOCUMENT: Json = {
    "slots": SLOTS,
    "policy": {"slot_step_minutes": 15, "default_duration_minutes": 120, "max_advance_days": 200},
}
OFFERED_FOR = timedelta(days=1)


async def everything(house: House, db: Database) -> None:
    """Most of it touches the states of SLOT on DAY. `db` is where the house's API keeps it."""
    await of_bookings(house, db)
    await of_blocks(house)
    await of_series(house)
    await of_the_waitlist(house, db)


async def of_bookings(house: House, db: Database) -> None:
    visit = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    visit = ok(await bookings.change(house, visit, party_size=1))
    for status in ("CONFIRMED", "CHECKED_IN", "COMPLETED"):
        visit = ok(await bookings.move(house, visit, status))
    visit = await house.booked(start=at("18:00"), resource_ids=house.ids("t2"))
    ok(await bookings.cancel(house, visit))
    hold = await house.booked(start=at("18:00"), resource_ids=house.ids("t2"), hold=True)
    visit = ok(await bookings.move(house, hold, "RESERVED"))
    await tick(db, house, due.no_show, now=datetime.fromisoformat(visit["end"]))
    hold = await house.booked(start=at("18:00"), resource_ids=house.ids("t3"), hold=True)
    await tick(db, house, due.expire, now=datetime.fromisoformat(hold["expires_at"]))


async def of_blocks(house: House) -> None:
    block = await blocks.blocked(house, "t3", start=at("17:00"), end=at("21:00"))
    block = ok(await blocks.change(house, block, reason="painting"))
    assert (await blocks.remove(house, block)).is_success


async def of_series(house: House) -> None:
    made = await series.made(house, rrule="FREQ=WEEKLY;COUNT=2", resource_ids=house.ids("l1"))
    made = ok(await series.change(house, made, scope="all", changes={"party_size": 3}))
    ok(await series.cancel(house, made, scope="all"))


async def of_the_waitlist(house: House, db: Database) -> None:
    for how in ("accept", "decline"):
        entry = await waitlist.joined(house)
        assert await waitlist.promoted(db, house) == 1
        ok(await waitlist.answer(house, entry, how))
    entry = await waitlist.joined(house)
    assert (await waitlist.answer(house, entry, "leave")).is_success
    await waitlist.joined(house, earliest=at("20:00"), latest=at("20:30"))
    await waitlist.promoted(db, house)
    await waitlist.promoted(db, house, now=instant("21:00"))  # what was offered has lapsed


async def tick(db: Database, house: House, verb: Any, *, now: datetime) -> None:
    assert await bookings.tick(db, await tenant_id(db, house), verb, now=now) > 0


async def tenant_id(db: Database, house: House) -> UUID:
    async def verb(tx: Any) -> UUID:
        return await tx.fetchval("SELECT id FROM tenant WHERE slug = $1", house.tenant)

    return await db.call(SYSTEM).run(verb)


def ok(response: httpx.Response) -> Json:
    assert response.is_success, response.text
    return response.json()


def channels(house: House) -> tuple[str, str]:
    """The names of the slot's channel and of the venue's channel of bookings."""
    slug = house.venue["slug"]
    return f"availability:{house.tenant}:{slug}:{DAY}:{SLOT}", f"chain.bookings.{house.tenant}.{slug}"
