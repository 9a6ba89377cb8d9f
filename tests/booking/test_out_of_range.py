"""What lies out of the bookable days is answered without looking at the ledger or at the hours of those days."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest

from holdfast.booking.finding import availability
from holdfast.booking.finding.availability import STARTS_AT_ONCE_MAX
from holdfast.booking.finding.scan import RESOURCES_FIRST
from holdfast.booking.routes.requests import YEAR_MAX, YEAR_MIN
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.place.opening import hours
from holdfast.place.store import load_venues
from holdfast.place.venue import Venue
from tests.conftest import House

from .asking import DAY, STOCKHOLM, in_one, refused

AHEAD = 60
SUGGESTED_DAYS_MAX = 18
"""A refusal names the nearest start that is right: it looks for it in a week."""
TODAY = datetime.now(UTC).date()
FIRST, LAST = date(YEAR_MIN, 1, 1), date(YEAR_MAX, 12, 31)
QUESTIONS = 40


def far(rng: random.Random) -> date:
    """A day on which nothing can be booked, at least a month away from those on which something can."""
    before, after = TODAY - timedelta(days=40), TODAY + timedelta(days=AHEAD + 40)
    days = rng.choice([(FIRST, before), (after, LAST), (FIRST, FIRST), (LAST, LAST)])
    return days[0] + timedelta(days=rng.randrange((days[1] - days[0]).days + 1))


class LookedAt:
    """How many opening days were looked at in the block."""

    def __enter__(self) -> LookedAt:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        self.days = self._now() - self._before

    def _now(self) -> int:
        looked = hours.steps.cache_info()
        return looked.hits + looked.misses


async def venue_of(db: Database, house: House) -> Venue:
    return (await db.run(SYSTEM, load_venues, [UUID(house.venue_id)]))[UUID(house.venue_id)]


@pytest.fixture
async def large(open_house: Callable[..., Any]) -> House:
    """60 tables side by side, slots every day, and exceptions in the far future."""
    closed = [{"date": f"2199-01-{n:02}", "closed": True} for n in range(2, 30, 2)]
    week = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    return await open_house(
        policy={"slot_step_minutes": 1, "max_advance_days": AHEAD, "duration_minutes_max": 86_400},
        hours={"weekly": [{"days": week, "open": "00:00", "close": "24:00"}], "exceptions": closed},
        slots=[{"id": f"s{n}", "name": f"S{n}", "start": f"{n:02}:30", "minutes": 90} for n in range(24)],
        resources=[
            {"slug": f"t{n:02}", "seats_max": 4, "adjacent": [f"t{n + 1:02}"] if n < 59 else []}
            for n in range(60)
        ],
    )


async def view(house: House, name: str, day: date, party_size: int, minutes: int | None) -> httpx.Response:
    when = {"month": f"{day:%Y-%m}"} if name == "month" else {"date": day.isoformat()}
    params: dict[str, Any] = when | {"party_size": party_size}
    if minutes is not None:
        params["duration_minutes"] = minutes
    return await house.client.get(f"/venues/{house.venue_id}/availability/{name}", params=params)


async def statements_of(
    db: Database, venue: Venue, name: str, day: date, party_size: int, minutes: int | None
) -> int:
    """How many the view sends, which must find something exactly where bookings can be made."""

    async def verb(tx: Tx) -> int:
        before, asked = tx.round_trips, {"party_size": party_size, "duration_minutes": minutes}
        if name == "day":
            found = await availability.free_starts(tx, venue, day=day, **asked)
        else:
            days = [day.replace(day=1) + timedelta(days=n) for n in range(28)]
            found = await availability.days_with_room(partial(in_one, tx), venue, days=days, **asked)
        assert bool(found) == (abs((day - DAY).days) < AHEAD)
        return tx.round_trips - before

    return await db.run(SYSTEM, verb)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["day", "month"])
async def test_a_view_of_days_that_cannot_be_booked_looks_at_none(
    name: str, seed: int, db: Database, large: House
) -> None:
    rng = random.Random(seed)
    venue = await venue_of(db, large)
    assert await statements_of(db, venue, name, DAY, 2, None) > 0
    for _ in range(QUESTIONS):
        asked = far(rng), rng.choice([1, 2, 4, 17, 100_000]), rng.choice([None, 1, 90, 1_440, 86_400])
        with LookedAt() as looked:
            assert await statements_of(db, venue, name, *asked) == 0, (seed, asked)
        assert looked.days == 0, (seed, asked)
    with LookedAt() as looked:
        response = await view(large, name, *asked)
    assert looked.days <= SUGGESTED_DAYS_MAX  # to say why, not for each start
    assert response.status_code == 200
    assert response.json()["starts" if name == "day" else "days"] == []


async def test_years_that_no_booking_can_have_are_refused(large: House) -> None:
    for year in ("0001", "1900", str(YEAR_MIN - 1), str(YEAR_MAX + 1), "9999"):
        path = f"/venues/{large.venue_id}/availability"
        for asked in (f"/day?date={year}-06-01&party_size=2", f"/month?month={year}-06"):
            with LookedAt() as looked:
                refused(await large.client.get(path + asked), 400, "INVALID_REQUEST")
            assert looked.days == 0


async def test_a_check_out_of_range_looks_for_the_nearest_start_in_a_few_days(large: House) -> None:
    rng = random.Random(1)
    for _ in range(QUESTIONS):
        day = far(rng)
        body = {"venue_id": large.venue_id, "start": f"{day}T18:00:00Z", "party_size": rng.randrange(1, 5)}
        with LookedAt() as looked:
            response = await large.client.post("/bookings/availability/check", json=body)
        refused(response, 400, "TOO_SOON" if day < TODAY else "TOO_FAR_AHEAD")
        assert looked.days <= SUGGESTED_DAYS_MAX, day


async def test_a_month_that_begins_before_the_last_bookable_day_ends_with_it(large: House) -> None:
    """Clipping leaves out no day that can be booked, and shows none that can't."""
    last = datetime.now(STOCKHOLM) + timedelta(days=AHEAD)
    shown: set[str] = set()
    day = TODAY.replace(day=1)
    while day <= last.date():
        shown.update((await view(large, "month", day, 2, 90)).json()["days"])
        day = (day + timedelta(days=31)).replace(day=1)
    first = datetime.now(STOCKHOLM).date()
    days = {(first + timedelta(days=n)).isoformat() for n in range((last.date() - first).days + 1)}
    # The last and the first of them may have no start left by now.
    assert days - shown <= {max(days), min(days)}
    assert shown <= days


async def test_a_view_of_a_large_venue_with_room_reads_the_ledger_once(db: Database, large: House) -> None:
    """However many resources there are: the first, which are free everywhere, are enough."""
    assert len(large.resources) > RESOURCES_FIRST
    venue = await venue_of(db, large)
    assert await statements_of(db, venue, "day", DAY, 2, 90) == 1
    days = 28 * 1_440  # a start each minute
    assert await statements_of(db, venue, "month", DAY, 2, 90) <= -(-days // STARTS_AT_ONCE_MAX)
