"""The views: what they show is what looking at each start alone would show, at random venues."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.assigning.choose import Demand, candidate_sets
from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.booking.finding import availability, scan
from holdfast.booking.finding.day import day_view
from holdfast.booking.finding.look import look
from holdfast.booking.finding.suggest import slot_json
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.opening import slot
from holdfast.place.opening.opened import starts_of_day
from holdfast.place.opening.spans import DAYS
from holdfast.place.store import load_venues
from holdfast.place.venue import Venue
from tests.conftest import House

from .asking import DAY, STOCKHOLM, in_one

TAKE = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at)
    SELECT tenant_id, id, $2, tstzrange($3, $4), 'booking', gen_random_uuid(), $5 FROM resource WHERE id = $1
        ON CONFLICT DO NOTHING
"""
TABLES = 40  # more than one page of the ledger


@pytest.mark.parametrize("seed", range(8))
async def test_day_and_month_have_what_each_start_alone_has(
    seed: int, db: Database, owner: asyncpg.Connection, open_house: Callable[..., Any]
) -> None:
    rng = random.Random(seed)
    house: House = await open_house(**_document(rng))
    await _take(rng, owner, house)
    days = [DAY + timedelta(days=n) for n in range(-2, 6)]
    for party_size, minutes in ((2, None), (rng.randrange(1, 9), 60), (rng.randrange(3, 14), 90), (2, 1500)):
        same = await db.run(SYSTEM, _both, UUID(house.venue_id), days, party_size, minutes)
        assert same[0] == same[1], f"seed {seed}, party of {party_size} for {minutes} minutes"
        assert same[2] == same[3]


@pytest.mark.parametrize("seed", range(4))
async def test_a_month_in_the_smallest_parts_is_the_same(
    seed: int,
    db: Database,
    owner: asyncpg.Connection,
    open_house: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transaction for each page of a few resources and days, as where one takes long."""
    rng = random.Random(1_000 + seed)
    house: House = await open_house(**_document(rng))
    await _take(rng, owner, house)
    venue_id, parts = UUID(house.venue_id), 0
    venue = (await db.run(SYSTEM, load_venues, [venue_id]))[venue_id]

    async def read(verb: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal parts
        parts += 1
        return await db.call(SYSTEM, tenants=[venue.tenant_id]).run(verb, *args, **kwargs)

    days = [DAY + timedelta(days=n) for n in range(-2, 6)]
    for party_size, minutes in ((2, None), (rng.randrange(1, 9), 60), (rng.randrange(3, 14), 600)):
        asked: dict[str, Any] = {"party_size": party_size, "duration_minutes": minutes}
        monkeypatch.setattr(scan, "PART_S", 0.0)
        monkeypatch.setattr(scan, "RESOURCES_FIRST", 1)
        monkeypatch.setattr(scan, "RESOURCE_DAYS_AT_ONCE_MAX", rng.choice([1, 40]))
        monkeypatch.setattr(availability, "DAYS_A_PART", rng.choice([1, 3]))
        monkeypatch.setattr(availability, "STARTS_AT_ONCE_MAX", rng.choice([60, 4_000]))
        shown = await availability.days_with_room(read, venue, days=days, **asked)
        alone = {day: await db.run(SYSTEM, _alone, venue, day, party_size, minutes) for day in days}
        assert shown == [day for day in days if alone[day]], (seed, asked)
    assert parts >= 3


async def _both(tx: Tx, venue_id: UUID, days: list[date], party_size: int, minutes: int | None) -> list[Any]:
    """The day views and each start alone, the days with room by the month view and by the day views."""
    venue = (await load_venues(tx, [venue_id]))[venue_id]
    asked: dict[str, Any] = {"party_size": party_size, "duration_minutes": minutes}
    views = [await day_view(tx, venue, day=day, **asked) for day in days]
    shown = [[{**each, "price": None} for each in view["starts"]] for view in views]
    alone = [await _alone(tx, venue, day, party_size, minutes) for day in days]
    with_room = await availability.days_with_room(partial(in_one, tx), venue, days=days, **asked)
    return [shown, alone, with_room, [day for day, starts in zip(days, alone, strict=True) if starts]]


async def _alone(
    tx: Tx, venue: Venue, day: date, party_size: int, minutes: int | None
) -> list[dict[str, Any]]:
    try:
        sets = candidate_sets(venue, Demand(party_size))
    except HoldfastError:
        return []
    long = minutes or usual_minutes(venue.policy, party_size)
    length, windows = timedelta(minutes=long), slot.windows_on(venue, day) if venue.slots else ()
    times = {*starts_of_day(venue, sets, day, duration_minutes=long)}
    times |= {each.span.start for each in windows if each.span.duration == length}
    asked: list[tuple[Span, str | None]] = [(Span(start, start + length), None) for start in times]
    if minutes is None and venue.slots:
        asked += [(each.span, each.id) for each in windows]
    around = Span(
        datetime.combine(day, datetime.min.time(), STOCKHOLM),
        datetime.combine(day + timedelta(days=5), datetime.min.time(), STOCKHOLM),
    )
    outlook = await look(tx, venue, sets, around)
    found = [
        (span, slot_id, free)
        for span, slot_id in sorted(asked, key=lambda each: (each[0], each[1] or ""))
        if (free := outlook.free(sets, span, party_size=party_size, slot_id=slot_id)) is not None
    ]
    return [slot_json(free, venue) | {"slot_id": slot_id, "price": None} for _, slot_id, free in found]


def _document(rng: random.Random) -> dict[str, Any]:
    weekly = [{"days": list(DAYS), "open": "11:00", "close": rng.choice(["22:00", "24:00", "03:00"])}]
    exceptions = [{"date": str(DAY + timedelta(days=1)), "closed": True}]
    own = [
        None,
        {"weekly": [{"days": list(DAYS), "open": "12:10", "close": "21:00"}]},
        {"weekly": [{"days": ["WE", "FR"], "open": "18:00", "close": "02:00"}]},
    ]
    count = rng.choice([1, 3, TABLES])
    tables = [
        {
            "slug": f"t{n}",
            "kind": "table",
            "seats_max": rng.choice([2, 4, 6]),
            "units": rng.choice([1, 1, 1, 3]),
            "adjacent": [f"t{n + 1}"] if n % 3 == 0 and n + 1 < count else [],
            "hours": rng.choice(own),
            "buffer_after_minutes": rng.choice([None, 0, 20]),
        }
        for n in range(count)
    ]
    slots = [
        {"id": "early", "name": "Early", "start": "17:35", "minutes": 120},
        {"id": "same", "name": "Same", "start": "17:35", "minutes": 120},
        {"id": "late", "name": "Late", "start": "23:00", "minutes": 90, "days": ["WE", "TH"]},
    ]
    return {
        "policy": {
            "slot_step_minutes": rng.choice([15, 30, 45]),
            "default_duration_minutes": rng.choice([90, 600]),
            "buffer_before_minutes": rng.choice([0, 10]),
            "pacing_covers_max": rng.choice([None, 10]),
            "max_advance_days": (DAY - datetime.now(STOCKHOLM).date()).days + rng.choice([3, 300]),
        },
        "hours": {"weekly": weekly, "exceptions": exceptions},
        "slots": rng.choice([[], slots]),
        "resources": tables,
    }


async def _take(rng: random.Random, owner: asyncpg.Connection, house: House) -> None:
    """Most of some days is taken, some of it by holds that are over; and a few bookings, which count as arrivals."""
    midnight = datetime.combine(DAY, datetime.min.time(), STOCKHOLM)
    over = datetime.now(STOCKHOLM) - timedelta(minutes=1)
    for resource_id in house.resources.values():
        for day in (-2, 0, 2):
            for unit in (1, 2, 3, 4):
                start = midnight + timedelta(days=day, hours=8, minutes=rng.randrange(0, 240))
                end = start + timedelta(minutes=rng.randrange(120, 1200))
                await owner.execute(
                    TAKE, UUID(resource_id), unit, start, end, rng.choice([None, None, None, over])
                )
    for _ in range(3):
        await house.book(start=(midnight + timedelta(days=3, hours=18)).isoformat(), party_size=2)
