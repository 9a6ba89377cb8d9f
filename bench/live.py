"""Live channels: how soon readers get an event, what a stream costs, and what streams cost bookings."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from bench import bookings, fan_out
from bench.readers import Readers, more_files, readers
from bench.stand import Stand
from holdfast.event.number import Numberer
from holdfast.kernel.db.database import Database

EVENTS_PER_S = 100
STEADY_STREAMS, STEADY_P95_MS_MAX = 1_000, 100.0
MANY_STREAMS, MANY_P95_MS_MAX = 5_000, 500.0
SHOTS = 15
COST_ROUNDS = 6
BOOKING_RATIO_MIN = 0.92

EVENT = """
    WITH counted AS (
        UPDATE channel SET version = version + 1 WHERE tenant_id = $1 AND venue_id = $2 AND name = $3
        RETURNING epoch, version
    ), told AS (
    INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at, channel, epoch,
                       version)
    SELECT $1, gen_random_uuid(), 'availability.updated', $2, $4::uuid,
           jsonb_build_object('section_id', $4::uuid, 'slot_id', 'day', 'date', split_part($3::text, ':', 1),
                              'previous_state', 'available', 'new_state', 'confirmed', 'units_free', 0,
                              'changed_by', 'staff:bench', 'reason', 'booking.created', 'updated_at', now()),
           'staff:bench', now(), $3, epoch, version FROM counted
 RETURNING tenant_id, id, version
    ), queued AS (INSERT INTO event_new (tenant_id, event_id) SELECT tenant_id, id FROM told)
    SELECT version FROM told
"""

Tell = Callable[[], Awaitable[int]]
"""Emits an event and returns its version."""


async def measure(stand: Stand, *, seconds: float) -> dict[str, Any]:
    """Returns all figures, as JSON."""
    streams = min(MANY_STREAMS, more_files())
    async with stand.api() as port:
        steady = await _steady(stand, port, seconds=seconds)
        many = await _many(stand, port, streams)
    async with fan_out.serving(stand.data_dir) as bare:
        steady["bare"] = await _steady_bare(bare, seconds=seconds)
        many["bare"] = await _many_bare(bare, streams)
    for each in (steady, many):
        each["ratio"] = round(each["p95_ms"] / each["bare"]["p95_ms"], 2)
    steady["ok"] = steady["p95_ms"] < STEADY_P95_MS_MAX and steady["lost"] == 0
    many["ok"] = many["p95_ms"] < MANY_P95_MS_MAX and many["lost"] == many["drops"] == 0
    cost = await _cost(stand, seconds=seconds)
    return {
        "steady_100_per_s": steady,
        "one_to_many": many,
        "bookings": cost,
        "ratio": many["ratio"],
        "ok": steady["ok"] and many["ok"] and cost["ok"],
    }


# --- the same for Holdfast and for the bare server --------------------------------------------


async def _at_a_pace(tell: Tell, open_: Readers, *, seconds: float) -> dict[str, Any]:
    """Measures delivery of EVENTS_PER_S events per second."""
    told_at: dict[int, float] = {}
    open_.came.clear()
    started = time.perf_counter()
    for n in range(int(seconds * EVENTS_PER_S)):
        await asyncio.sleep(max(0.0, started + n / EVENTS_PER_S - time.perf_counter()))
        now = time.perf_counter()
        told_at[await tell()] = now
    await open_.got(len(told_at) * len(open_.all), within_s=10)
    return _figures(told_at, open_)


async def _one_by_one(tell: Tell, open_: Readers) -> dict[str, Any]:
    """Measures delivery of SHOTS events, each after all readers have the one before."""
    told_at: dict[int, float] = {}
    open_.came.clear()
    for _ in range(SHOTS):
        await asyncio.sleep(0.3)
        now = time.perf_counter()
        told_at[await tell()] = now
        await open_.got(len(told_at) * len(open_.all), within_s=10)
    return _figures(told_at, open_)


def _figures(told_at: dict[int, float], open_: Readers) -> dict[str, Any]:
    took = sorted((at - told_at[version]) * 1000 for at, version in open_.came if version in told_at)
    expected = len(told_at) * len(open_.all)

    def quantile(share: float) -> float:
        return round(took[min(int(len(took) * share), len(took) - 1)], 1)

    return {
        "streams": len(open_.all),
        "events": len(told_at),
        "deliveries": len(took),
        "lost": expected - len(took),
        "ended": open_.ended,
        "p50_ms": quantile(0.5),
        "p95_ms": quantile(0.95),
        "p99_ms": quantile(0.99),
    }


# --- Holdfast ---------------------------------------------------------------------------------


async def _steady(stand: Stand, port: int, *, seconds: float) -> dict[str, Any]:
    async with _channel(stand) as (name, tell), readers(port, [_get(name)] * STEADY_STREAMS) as open_:
        return await _at_a_pace(tell, open_, seconds=seconds)


async def _many(stand: Stand, port: int, streams: int) -> dict[str, Any]:
    before = _rss_kb(stand.pids[port])
    async with _channel(stand) as (name, tell), readers(port, [_get(name)] * streams) as open_:
        kb = (_rss_kb(stand.pids[port]) - before) / streams
        found = await _one_by_one(tell, open_)
        drops = await asyncio.to_thread(_metric, port, "holdfast_live_drops_total")
        return {**found, "drops": int(drops), "kb_per_stream": round(kb, 1)}


def _get(*names: str, token: str | None = None) -> bytes:
    head = f"GET /api/v1/live?{'&'.join(f'channel={name}' for name in names)} HTTP/1.1\r\nHost: localhost\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n"


@asynccontextmanager
async def _channel(stand: Stand) -> AsyncIterator[tuple[str, Tell]]:
    """An availability channel, and a function that emits an event on it: committed by another process, so that only the
    tail finds it."""
    venue = stand.venues[0]
    day = str(datetime.now(UTC).date() + timedelta(days=30))
    connection = await asyncpg.connect(stand.server.url())
    told: UUID = venue.resource_ids[0]
    try:
        statement = await connection.prepare(EVENT)

        async def tell() -> int:
            return await statement.fetchval(venue.tenant_id, venue.id, f"{day}:day", told)

        yield f"availability:{venue.tenant}:{venue.id}:{day}:day", tell
    finally:
        await connection.close()


def _rss_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def _metric(port: int, name: str) -> float:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    return next((float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} ")), 0.0)


# --- the bare server --------------------------------------------------------------------------


async def _steady_bare(port: int, *, seconds: float) -> dict[str, Any]:
    async with readers(port, [_get("x")] * STEADY_STREAMS) as open_, fan_out.teller(port) as tell:
        return await _at_a_pace(tell, open_, seconds=seconds)


async def _many_bare(port: int, streams: int) -> dict[str, Any]:
    async with readers(port, [_get("x")] * streams) as open_, fan_out.teller(port) as tell:
        return await _one_by_one(tell, open_)


# --- what bookings pay ------------------------------------------------------------------------


async def _cost(stand: Stand, *, seconds: float) -> dict[str, Any]:
    """Measures bookings with live channels, with a stream on each venue's channel, and without: bookings per second and
    CPU time of the API per booking. Returns the median ratios of the rounds; every other one begins with streams."""
    rounds = []
    for number in range(COST_ROUNDS):
        both = [("without", _booked_without), ("with", _booked_with)]
        if number % 2:
            both.reverse()
        rounds.append({name: await booked(stand, seconds) for name, booked in both})
    ratio, cpu_ratio = (
        round(median(each["with"][name] / each["without"][name] for each in rounds), 3)
        for name in ("bookings_per_s", "cpu_us_per_booking")
    )
    ok = ratio >= BOOKING_RATIO_MIN
    return {"streams": len(stand.venues), "rounds": rounds, "ratio": ratio, "cpu_ratio": cpu_ratio, "ok": ok}


async def _booked_with(stand: Stand, seconds: float) -> dict[str, float]:
    requests = [
        _get(f"chain.bookings.{venue.tenant}.{venue.id}", token=venue.token) for venue in stand.venues
    ]
    async with stand.api() as port, readers(port, requests) as open_:
        return await _booked(stand, port, seconds) | {"told": len(open_.came)}


async def _booked_without(stand: Stand, seconds: float) -> dict[str, float]:
    async with stand.api(live="false") as port:
        booked = await _booked(stand, port, seconds)
    await _number_all(stand)  # otherwise the next measurement with streams would have to number these too
    return booked


async def _number_all(stand: Stand) -> None:
    db = await Database.connect(stand.server.url())
    try:
        while not (await Numberer(db).number()).is_complete:
            pass
    finally:
        await db.close()


async def _booked(stand: Stand, port: int, seconds: float) -> dict[str, float]:
    await bookings.warm_up(stand, port)
    before = _cpu_s(stand.pids[port])
    result = await bookings.measure(stand, port, clients=64, seconds=seconds)
    cpu_s = _cpu_s(stand.pids[port]) - before
    booked = result.statuses[201]
    return {"bookings_per_s": round(result.per_s(201)), "cpu_us_per_booking": round(cpu_s / booked * 1e6)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
