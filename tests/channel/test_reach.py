"""No slot that a change touches is further away than where open channels are looked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.booking.making.create_store import columns
from holdfast.channel.announce import touched
from holdfast.claim.model import Claim, claimed_span
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.store import load_venues
from tests.booking.asking import instant

HOUR = timedelta(hours=1)
DAY_MINUTES = 24 * 60
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
LATE = {"weekly": [{"days": WEEK, "open": "23:59", "close": "23:58"}]}
LATE_SLOT = [{"id": "late", "name": "Late", "start": "23:59", "minutes": DAY_MINUTES, "days": WEEK}]
ROOM = {"slug": "r1", "name": "R1", "kind": "room", "seats_min": 1, "seats_max": 4}
LONGEST = {"buffer_before_minutes": DAY_MINUTES, "buffer_after_minutes": DAY_MINUTES}


@pytest.mark.parametrize("zone", ["Etc/GMT+12", "UTC", "Pacific/Kiritimati"])
@pytest.mark.parametrize("slots", [[], LATE_SLOT])
async def test_it_covers_all_that_is_touched(
    open_house: Any, db: Database, zone: str, slots: list[dict[str, Any]]
) -> None:
    house = await open_house(timezone=zone, hours=LATE, slots=slots, resources=[{**ROOM, **LONGEST}])
    [venue] = (await db.run(SYSTEM, load_venues, [UUID(house.venue_id)])).values()
    [room] = venue.resources.values()
    furthest = timedelta()
    for hour in range(72):
        span = Span(instant("00:00") + hour * HOUR, instant("00:00") + (hour + 1) * HOUR)
        claim = Claim(venue.tenant_id, room.id, 1, claimed_span(room, span), new_id())
        [_], [_], [first], [last] = columns([(venue.tenant_id, venue.id, span)])
        slots = [*touched(venue, [claim])]
        days, names = [slot.day for slot in slots], [slot.channel for slot in slots]
        assert first <= min(names) <= max(names) <= last
        furthest = max(furthest, span.start.date() - min(days), max(days) - span.end.date())
    assert furthest > timedelta(days=2)
