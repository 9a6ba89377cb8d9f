"""Anonymous queries at a venue of 1,000 resources: their cost, and what ten such clients cost bookings elsewhere."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Coroutine, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import orjson

from bench import bookings, load, reads
from bench.crowd import Client
from bench.stand import Stand, VenueAtHand, add_venue

RESOURCES, COLUMNS = 1_000, 40
SIZES = ((1, 2), (2, 4), (2, 4), (4, 6))
ZONE = ZoneInfo("Europe/Stockholm")
OPENS, SITTINGS, SITTING_MINUTES, DAYS_FULL = 10, 4, 180, 62
BOOKERS, READERS, ASKED_EACH, ROUNDS = 4, 2, 10, 3
OUT_OF_RANGE_CPU_MS_MAX, RATIO_MAX = 20.0, 2.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

TAKE = """
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id)
    SELECT $1, resource_id, 1, tstzrange(start_at, start_at + $4), 'booking', gen_random_uuid()
      FROM unnest($2::uuid[]) AS resource_id, unnest($3::timestamptz[]) AS start_at
"""


async def measure(stand: Stand, port: int, *, seconds: float) -> dict[str, Any]:
    """Returns the API's CPU time for each query, and the p99 of bookings at other venues: while idle, and while ASKERS
    send queries without pause, for days outside and inside the bookable range. The ratio is the median of ROUNDS."""
    house = await add_venue(stand, "views", _document())
    await _fill(stand, house)
    far, near = _out_of_range(house), _in_range(house)
    cost = {name: await _cost(stand, port, [asked]) for name, asked in (far | near).items()}
    cost["snapshot_of_another_day"] = await _cost(stand, port, _snapshots(house))
    rounds = [await _round(stand, port, far, near, seconds) for _ in range(ROUNDS)]
    ratios = {
        name: sorted(round(each[name]["p99_ms"] / each["idle"]["p99_ms"], 2) for each in rounds)
        for name in ("while_out_of_range", "while_in_range")
    }
    cpu_ms = max(cost[name]["cpu_ms"] for name in far)
    ratio = max(each[ROUNDS // 2] for each in ratios.values())
    return {
        "cost": cost,
        "out_of_range_cpu_ms_max": cpu_ms,
        "bookings": rounds,
        "ratios": ratios,
        "ratio": ratio,
        "ok": cpu_ms < OUT_OF_RANGE_CPU_MS_MAX and ratio <= RATIO_MAX,
    }


async def _round(
    stand: Stand, port: int, far: Mapping[str, bytes], near: Mapping[str, bytes], seconds: float
) -> dict[str, dict[str, Any]]:
    """Measures bookings at other venues, one situation after the other so that they don't compete for the CPU."""
    return {
        "idle": await _booked(stand, port, seconds),
        "while_out_of_range": await _booked_while(stand, port, far, seconds),
        "while_in_range": await _booked_while(stand, port, near, seconds),
        "days_elsewhere": await _days(stand, port, seconds),
        "days_elsewhere_while_in_range": await _while_asked(port, near, seconds, _days(stand, port, seconds)),
    }


def _out_of_range(house: VenueAtHand) -> dict[str, bytes]:
    path = f"/venues/{house.id}/availability"
    found = {f"month_{month}": _get(f"{path}/month?month={month}") for month in ("2000-01", "2199-01")}
    found |= {
        f"day_{day}": _get(f"{path}/day?date={day}&party_size=2") for day in ("2000-01-01", "2199-01-01")
    }
    check = {"venue_id": str(house.id), "start": "2199-01-01T12:00:00Z", "party_size": 2}
    return found | {"check_2199": _post("/bookings/availability/check", check)}


def _in_range(house: VenueAtHand) -> dict[str, bytes]:
    path, day = f"/venues/{house.id}", datetime.now(ZONE).date() + timedelta(days=5)
    full, free = _month_after(day), _month_after(day + timedelta(days=DAYS_FULL + 31))
    evening = f"{day}T18:00:00+00:00"
    check = {"venue_id": str(house.id), "start": evening, "party_size": 2}
    return {
        "month_full": _get(f"{path}/availability/month?month={full:%Y-%m}&party_size=2"),
        "month_full_of_8": _get(f"{path}/availability/month?month={full:%Y-%m}&party_size=8"),
        "month_free": _get(f"{path}/availability/month?month={free:%Y-%m}&party_size=2"),
        "day_full": _get(f"{path}/availability/day?date={day}&party_size=2"),
        "day_free": _get(f"{path}/availability/day?date={free}&party_size=2"),
        "check_full": _post("/bookings/availability/check", check),
        "venue": _get(path),
        "resources": _get(f"{path}/resources?limit=500"),
        "resource": _get(f"/resources/{house.resource_ids[0]}"),
        "policy": _get(f"{path}/policy"),
        "hours_effective": _get(f"{path}/hours/effective?from={day}&to={day + timedelta(days=365)}"),
        "snapshot": _get(f"/clubs/{house.tenant}/venues/views/availability?date={day}"),
    }


def _snapshots(house: VenueAtHand) -> list[bytes]:
    first = datetime.now(ZONE).date() + timedelta(days=6)
    path = f"/clubs/{house.tenant}/venues/views/availability?date="
    return [_get(f"{path}{first + timedelta(days=n)}") for n in range(ASKED_EACH + 1)]


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def _get(path: str) -> bytes:
    return load.http("GET", path)


def _post(path: str, body: Mapping[str, Any]) -> bytes:
    return load.http("POST", path, body=orjson.dumps(body))


async def _cost(stand: Stand, port: int, requests: Sequence[bytes]) -> dict[str, Any]:
    """Returns the API's CPU time per request, in milliseconds, as the mean of ASKED_EACH; the first is not counted."""
    client, following = Client(port), cycle(requests)
    await client.ask(next(following))
    before = _cpu_s(stand.pids[port])
    answers = [await client.ask(next(following)) for _ in range(ASKED_EACH)]
    cpu_ms = (_cpu_s(stand.pids[port]) - before) * 1_000 / ASKED_EACH
    client.close()
    return {
        "cpu_ms": round(cpu_ms, 1),
        "ms": round(sum(each.ms for each in answers) / ASKED_EACH, 1),
        "bytes": max(len(each.body) for each in answers),
        "statuses": sorted({each.status for each in answers}),
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def _booked(stand: Stand, port: int, seconds: float) -> dict[str, Any]:
    made = await bookings.measure(stand, port, clients=BOOKERS, seconds=seconds)
    return bookings.figures(made, clients=BOOKERS)


async def _days(stand: Stand, port: int, seconds: float) -> dict[str, Any]:
    """Measures day views of venues with room, by READERS clients."""
    streams = [reads.days(stand, salt=f"views-{n}") for n in range(READERS)]
    seen = await load.run(port, streams, seconds=seconds)
    statuses = {str(status): count for status, count in sorted(seen.statuses.items())}
    return {"p50_ms": round(seen.quantile_ms(0.5), 1), "p99_ms": round(seen.quantile_ms(0.99), 1), **statuses}


async def _booked_while(
    stand: Stand, port: int, asked: Mapping[str, bytes], seconds: float
) -> dict[str, Any]:
    return await _while_asked(port, asked, seconds, _booked(stand, port, seconds))


async def _while_asked(
    port: int, asked: Mapping[str, bytes], seconds: float, measured: Coroutine[Any, Any, dict[str, Any]]
) -> dict[str, Any]:
    """Measures while ASKERS in a separate process send these requests without pause."""
    words = [sys.executable, "-m", "bench.askers", str(port), str(seconds + 1.5)]
    asking = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE)
    requests = orjson.dumps([each.decode("latin-1") for each in asked.values()])
    told = asyncio.create_task(asking.communicate(requests))
    await asyncio.sleep(1.0)
    found = await measured
    answers, _ = await told
    return {**found, "views": orjson.loads(answers)}


def _document() -> dict[str, Any]:
    """Tables in rows, each joined with those beside and behind it; every tenth has its own hours."""

    def beside(n: int) -> list[str]:
        right = [n + 1] if (n + 1) % COLUMNS else []
        return [f"t{each}" for each in [*right, n + COLUMNS] if each < RESOURCES]

    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    weekly = [{"days": days, "open": "10:00", "close": "22:00"}]
    closed = date(2199, 1, 1)
    exceptions = [{"date": str(closed + timedelta(days=2 * n)), "closed": True} for n in range(180)]
    return {
        "slug": "views",
        "name": "Views",
        "timezone": ZONE.key,
        "currency": "SEK",
        "policy": {"slot_step_minutes": 15, "default_duration_minutes": 90, "max_advance_days": 365},
        "hours": {"weekly": weekly, "exceptions": exceptions},
        "resources": [
            {
                "slug": f"t{n}",
                "seats_min": SIZES[n % len(SIZES)][0],
                "seats_max": SIZES[n % len(SIZES)][1],
                "sort_order": n,
                "adjacent": beside(n),
                **(
                    {"hours": {"weekly": [{"days": days, "open": "10:30", "close": "21:45"}]}}
                    if n % 10 == 9
                    else {}
                ),
            }
            for n in range(RESOURCES)
        ],
    }


async def _fill(stand: Stand, house: VenueAtHand) -> None:
    """Occupies every table from opening to closing for DAYS_FULL days, sitting by sitting."""
    day = datetime.now(ZONE).replace(hour=OPENS, minute=0, second=0, microsecond=0)
    length = timedelta(minutes=SITTING_MINUTES)
    starts = [day + timedelta(days=n) + k * length for n in range(DAYS_FULL) for k in range(SITTINGS)]
    owner = await asyncpg.connect(stand.server.url())
    try:
        await owner.execute(TAKE, house.tenant_id, house.resource_ids, starts, length)
        await owner.execute("ANALYZE")
    finally:
        await owner.close()
