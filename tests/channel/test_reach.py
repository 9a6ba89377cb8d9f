"""No slot that a change touches is further away than where open channels are looked for."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.channel.announce import around_arrivals, touched
from holdfast.channel.slots import slots_of_day
from holdfast.channel.store import is_around
from holdfast.claim.model import Claim, claimed_span
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.pacing.store import read_standing
from holdfast.place.opening.nights import shortest_reaches
from holdfast.place.store import load_venues
from tests.booking.asking import DAY, at, instant

HOUR = timedelta(hours=1)
DAY_MINUTES = 24 * 60
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
LATE = {"weekly": [{"days": WEEK, "open": "23:59", "close": "23:58"}]}
LATE_SLOT = [{"id": "late", "name": "Late", "start": "23:59", "minutes": DAY_MINUTES, "days": WEEK}]
ROOM = {"slug": "r1", "name": "R1", "kind": "room", "seats_min": 1, "seats_max": 4}
LONGEST = {"buffer_before_minutes": DAY_MINUTES, "buffer_after_minutes": DAY_MINUTES}
PACED = {"pacing": [{"parties_max": 9}]}
NOT_AROUND = f"""
    SELECT name, first_on, last_on FROM unnest($1::text[], $2::date[], $3::date[]) AS c (name, first_on, last_on)
     WHERE NOT ({is_around("name", "first_on", "last_on")})
"""


async def fetch(tx: Tx, sql: str, *args: Any) -> list[Any]:
    return await tx.fetch(sql, *args)


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "UTC", "Pacific/Kiritimati"])
@pytest.mark.parametrize("slots", [[], LATE_SLOT])
async def test_it_covers_all_that_is_touched(
    open_house: Any, db: Database, zone: str, slots: list[dict[str, Any]]
) -> None:
    house = await open_house(
        timezone=zone, hours=LATE, slots=slots, resources=[{**ROOM, **LONGEST}], policy=PACED
    )
    [venue] = (await db.run(SYSTEM, load_venues, [UUID(house.venue_id)])).values()
    [room] = venue.resources.values()
    furthest, around = timedelta(), list[tuple[str, date, date]]()
    for hour in range(72):
        span = Span(instant("00:00") + hour * HOUR, instant("00:00") + (hour + 1) * HOUR)
        claim = Claim(venue.tenant_id, room.id, 1, claimed_span(room, span), new_id())
        slots = [*touched(venue, [claim])]
        days = [slot.day for slot in slots]
        around += [(slot.channel, span.start.date(), span.end.date()) for slot in slots]
        furthest = max(furthest, span.start.date() - min(days), max(days) - span.end.date())
        crowded = around_arrivals(venue, [span.start])
        assert max(abs(slot.day - span.start.date()) for slot in crowded) >= timedelta(days=2)
        around += [(slot.channel, span.start.date(), span.start.date()) for slot in crowded]
    assert furthest > timedelta(days=2)
    names, first_on, last_on = zip(*around, strict=True)
    assert await db.run(SYSTEM, fetch, NOT_AROUND, list(names), list(first_on), list(last_on)) == []


async def test_it_covers_the_nights_of_the_shortest_stay(open_house: Any, db: Database) -> None:
    """Whoever arrives before a night may need it too: as long before as the shortest stay of that date is."""
    rules = [{"nights_min": 9, "closed_to_departure": ["MO", "TU", "WE", "TH", "FR"]}]
    house = await open_house(
        kind="hotel",
        stay={"check_in": "15:00", "check_out": "11:00"},
        resources=[ROOM],
        policy={"arrival_rules": rules},
    )
    [venue] = (await db.run(SYSTEM, load_venues, [UUID(house.venue_id)])).values()
    [room] = venue.resources.values()
    span, reach = Span(instant("15:00"), instant("11:00", 1)), shortest_reaches(venue)
    slots = [*touched(venue, [Claim(venue.tenant_id, room.id, 1, span, new_id())])]
    days = [(slot.day - DAY).days for slot in slots]
    assert min(days) == -11  # a Saturday: nine nights would depart on a Monday, fourteen may
    assert all(slot.asked.overlaps(span) or slot.span.overlaps(span) for slot in slots)
    for each in slots_of_day(venue, DAY - timedelta(days=12)):
        assert not each.asked.overlaps(span)
    around = [(slot.channel, (span.start - reach).date(), span.end.date()) for slot in slots]
    names, first_on, last_on = zip(*around, strict=True)
    assert await db.run(SYSTEM, fetch, NOT_AROUND, list(names), list(first_on), list(last_on)) == []


async def test_who_arrives_between_the_slots_is_not_read(open_house: Any, db: Database) -> None:
    """A series, or bookings of one set, can be half a year apart."""
    house = await open_house(resources=[{**ROOM, "units": 9}], policy={**PACED, "max_advance_days": 700})
    for days in (0, 50, 100):
        await house.booked(start=at("19:00", days), party_size=2)
    [venue] = (await db.run(SYSTEM, load_venues, [UUID(house.venue_id)])).values()
    near = [Span(instant("18:00", days), instant("20:00", days)) for days in (100, 0, 1, 0)]
    arrived = await db.run(SYSTEM, read_standing, venue, near)
    assert sorted((each.start, each.covers, each.parties) for each in arrived.rows) == [
        (instant("19:00", days), 2, 1) for days in (0, 100)
    ]
