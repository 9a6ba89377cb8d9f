"""A month's stay at joined tables is cancelled while 2,000 wait: how soon they get their offers, and who is delayed."""

from __future__ import annotations

import asyncio
import http.client
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from bench import bookings, load
from bench.stand import Stand, VenueAtHand, add_venue
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id

TABLES, COLUMNS, FREED, DAYS = 60, 10, 8, 31
ENTRIES = 2_000
OPENS, SITTINGS, SITTING_MINUTES = 10, 8, 90
SIZES = ((1, 2), (2, 4), (2, 4), (4, 6))
ZONE = ZoneInfo("Europe/Stockholm")
FIRST_OFFER_S_MAX, LOCKED_MS_MAX = 1.0, 100.0
QUIET_S = 2.0
"""If no offer was made for this long, all have been made."""
SETTLED_S_MAX = 120.0


async def measure(stand: Stand, port: int, *, seconds: float) -> dict[str, Any]:
    """Returns the seconds to the first offer and to the last, the longest wait for the venue's lock, and how long
    guests of another tenant wait for bookings and offers, compared with an idle system."""
    owner = await asyncpg.connect(stand.server.url())
    try:
        house = await add_venue(stand, "waitlist", _document())
        stay = await _fill(owner, house, port)
        idle = await _others(stand, port, seconds)
        watching = asyncio.create_task(_longest_wait_ms(stand.server.url(), house.id))
        others = asyncio.create_task(_others(stand, port, seconds))
        await asyncio.sleep(0.2)
        cancelled_at = datetime.now(UTC)
        _ask(port, house, "POST", f"/bookings/{stay}/cancel", {"expected_version": 1})
        offers = await _offers(owner, house)
        busy = await others
        watching.cancel()
        locked_ms = (await asyncio.gather(watching, return_exceptions=True))[0]
    finally:
        await owner.close()
    first_s = (offers[0] - cancelled_at).total_seconds()
    assert isinstance(locked_ms, list)
    return {
        "entries": ENTRIES,
        "offers": len(offers),
        "first_offer_s": round(first_s, 2),
        "last_offer_s": round((offers[-1] - cancelled_at).total_seconds(), 2),
        "lock_waits_ms": {"p50": round(statistics.median(locked_ms), 1), "max": round(max(locked_ms), 1)},
        "others_idle": idle,
        "others_meanwhile": busy,
        "ratio": round(busy["booking_p99_ms"] / idle["booking_p99_ms"], 2),
        "ok": first_s < FIRST_OFFER_S_MAX and max(locked_ms) < LOCKED_MS_MAX,
    }


def _document() -> dict[str, Any]:
    """Tables in rows, each joined with those beside and behind it."""

    def beside(n: int) -> list[str]:
        right = [n + 1] if (n + 1) % COLUMNS else []
        return [f"t{each}" for each in [*right, n + COLUMNS] if each < TABLES]

    return {
        "slug": "waitlist",
        "name": "Waitlist",
        "timezone": ZONE.key,
        "currency": "SEK",
        "policy": {
            "slot_step_minutes": 15,
            "default_duration_minutes": SITTING_MINUTES,
            "offer_ttl_seconds": 3600,
        },
        "hours": {
            "weekly": [
                {"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "10:00", "close": "22:00"}
            ]
        },
        "resources": [
            {
                "slug": f"t{n}",
                "zone": ("hall", "window", "bar")[n % 3],
                "seats_min": SIZES[n % len(SIZES)][0],
                "seats_max": SIZES[n % len(SIZES)][1],
                "sort_order": n,
                "adjacent": beside(n),
            }
            for n in range(TABLES)
        ],
    }


TAKE = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    SELECT $1, resource_id, 1, tstzrange(start_at, start_at + $4), 'booking', gen_random_uuid()
      FROM unnest($2::uuid[]) AS resource_id, unnest($3::timestamptz[]) AS start_at
"""
JOIN = """
    INSERT INTO waitlist_entry (tenant_id, id, venue_id, status, version, party_size, earliest_at, latest_at,
                                duration_minutes, resource_ids, preferences, created_by, created_at, updated_at)
    VALUES ($1, $2, $3, 'WAITING', 1, $4, $5, $6, $7, '{}', $8, 'bench', now(), now())
"""


async def _fill(owner: asyncpg.Connection, house: VenueAtHand, port: int) -> str:
    """Books FREED tables for all days, fills the others, and adds the waitlist. Returns the booking."""
    day = datetime.now(ZONE).replace(hour=OPENS, minute=0, second=0, microsecond=0) + timedelta(days=3)
    length = timedelta(minutes=SITTING_MINUTES)
    starts = [day + timedelta(days=n) + k * length for n in range(DAYS) for k in range(SITTINGS)]
    freed, full = house.resource_ids[:FREED], house.resource_ids[FREED:]
    await owner.execute(TAKE, house.tenant_id, full, starts, length)
    end = (day + timedelta(days=DAYS - 1)).replace(hour=22)
    size = sum(SIZES[n % len(SIZES)][0] for n in range(FREED))
    body = {"venue_id": str(house.id), "start": day.isoformat(), "end": end.isoformat(), "party_size": size}
    stay = _ask(port, house, "POST", "/bookings", {**body, "resource_ids": [str(each) for each in freed]})
    rng = random.Random(0)
    rows = []
    for _ in range(ENTRIES):
        earliest = day + timedelta(days=rng.randrange(DAYS), minutes=15 * rng.randrange(40))
        latest = min(earliest + rng.choice([timedelta(hours=2), timedelta(days=1), timedelta(days=31)]), end)
        zones = rng.choice([[], [], ["hall"], ["window"]])
        preferences = orjson.dumps({"kinds": [], "zones": zones, "attributes": {}}).decode()
        size, minutes = rng.choice([1, 2, 2, 3, 4, 4, 5, 6, 8, 10]), rng.choice([60, 90, 90, 120, 180])
        rows.append(
            (house.tenant_id, new_id(), house.id, size, earliest, max(earliest, latest), minutes, preferences)
        )
    await owner.executemany(JOIN, rows)
    await owner.execute("ANALYZE")
    return stay["id"]


def _ask(port: int, house: VenueAtHand, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"authorization": f"Bearer {house.token}", "content-type": "application/json"}
    connection.request(method, f"/api/v1{path}", orjson.dumps(body), headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status >= 300:
        raise RuntimeError(f"{method} {path} returned {response.status}: {answer[:500]!r}")
    return orjson.loads(answer)


async def _longest_wait_ms(url: str, venue_id: UUID) -> list[float]:
    """Takes the venue's lock over and over until cancelled. Returns the waiting times."""
    connection, waits = await asyncpg.connect(url), list[float]()
    try:
        while True:
            started = time.perf_counter()
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key(venue_id))
                waits.append((time.perf_counter() - started) * 1_000)
            await asyncio.sleep(0.005)
    except asyncio.CancelledError:
        return waits
    finally:
        connection.terminate()


OFFERED = """
    SELECT written_at FROM event
     WHERE tenant_id = $1 AND venue_id = $2 AND event_type = 'waitlist.offered' ORDER BY written_at
"""


async def _offers(owner: asyncpg.Connection, house: VenueAtHand) -> list[datetime]:
    """Returns when each offer was made, once there are no more."""
    offers: list[Any] = []
    give_up_at = time.monotonic() + SETTLED_S_MAX
    while time.monotonic() < give_up_at:
        await asyncio.sleep(QUIET_S)
        found = await owner.fetch(OFFERED, house.tenant_id, house.id)
        if found and len(found) == len(offers):
            break
        offers = found
    return [row["written_at"] for row in offers]


async def _others(stand: Stand, port: int, seconds: float) -> dict[str, float]:
    """Returns the waiting times of other tenants' guests: for a booking, and for an offer after a cancellation."""
    offers = asyncio.create_task(_offered_ms(stand, port, seconds))
    made = await load.run(port, [bookings.requests(stand, salt=new_id()) for _ in range(4)], seconds=seconds)
    return {
        "booking_p50_ms": round(made.quantile_ms(0.5), 1),
        "booking_p99_ms": round(made.quantile_ms(0.99), 1),
        "offer_p50_ms": round(statistics.median(await offers)),
        "offer_max_ms": round(max(await offers)),
    }


async def _offered_ms(stand: Stand, port: int, seconds: float) -> list[float]:
    """Returns the milliseconds from cancelling the only place to its offer to the waiting entry, over and over."""
    venue, ends = stand.venues[-1], time.monotonic() + seconds
    found: list[float] = []
    while time.monotonic() < ends:
        found.append(await asyncio.to_thread(_offered_once_ms, venue, port, len(found)))
    return found


def _offered_once_ms(venue: VenueAtHand, port: int, number: int) -> float:
    start = (datetime.now(ZONE) + timedelta(days=1_450 + number % 40)).replace(
        hour=12, minute=0, second=0, microsecond=0
    )
    where = {
        "venue_id": str(venue.id),
        "party_size": 2,
        "resource_ids": [str(venue.resource_ids[number % 30])],
    }
    booking = _ask(port, venue, "POST", "/bookings", {**where, "start": start.isoformat()})
    window = {"earliest": start.isoformat(), "latest": start.isoformat()}
    entry = _ask(port, venue, "POST", "/waitlist", {**where, **window})
    _ask(port, venue, "POST", f"/bookings/{booking['id']}/cancel", {"expected_version": 1})
    began = time.perf_counter()
    while _ask(port, venue, "GET", f"/waitlist/{entry['id']}", {})["status"] == "WAITING":
        time.sleep(0.005)
        if time.perf_counter() - began > SETTLED_S_MAX:
            break
    took_ms = (time.perf_counter() - began) * 1_000
    _ask(port, venue, "DELETE", f"/waitlist/{entry['id']}", {})
    return took_ms
