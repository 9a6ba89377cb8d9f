"""Snapshots of availability: over HTTP, from memory and from the database; and the latency of a lookup in Redis."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

from bench import load
from bench.stand import Stand, generator
from holdfast.snapshot.cache import ENTRIES_MAX, CachedSnapshot
from holdfast.snapshot.freshness import Revision
from holdfast.snapshot.redis_cache import RedisCache

CLIENTS = 16
FEW = 100
"""Popular slots: they stay in memory."""
DAYS = 2 * ENTRIES_MAX // 100
"""That many days at each of the 100 venues are twice what memory holds: requested in turn, none is found there."""
BODY_BYTES = 7_000
"""About the size of a snapshot with 30 sections."""
REDIS_READY_S_MAX = 5.0


def slots(stand: Stand) -> list[bytes]:
    """Returns an anonymous request for each of the slots."""
    first = datetime.now(UTC).date() + timedelta(days=2)
    return [
        load.http(
            "GET", f"/clubs/{venue.tenant}/venues/{venue.id}/availability?date={first + timedelta(days=n)}"
        )
        for n in range(DAYS)
        for venue in stand.venues
    ]


async def opened(port: int, wanted: list[bytes]) -> None:
    """Requests each once, which opens its channel."""
    await load.run(port, [iter(wanted[n::CLIENTS]) for n in range(CLIENTS)])


async def in_turn(port: int, wanted: list[bytes], *, seconds: float) -> dict[str, Any]:
    """Requests them in turn, so that the next one is never in memory."""
    readers: list[Iterator[bytes]] = [cycle(wanted[n::CLIENTS]) for n in range(CLIENTS)]
    return await _figures(port, readers, seconds=seconds)


async def at_random(stand: Stand, port: int, wanted: list[bytes], *, seconds: float) -> dict[str, Any]:
    """Requests FEW of them at random, over and over."""
    few = wanted[:FEW]
    await opened(port, few)
    readers = [_choices(generator(stand, salt=n), few) for n in range(CLIENTS)]
    return await _figures(port, readers, seconds=seconds)


def _choices(rng: random.Random, wanted: list[bytes]) -> Iterator[bytes]:
    while True:
        yield rng.choice(wanted)


async def _figures(port: int, readers: list[Iterator[bytes]], *, seconds: float) -> dict[str, Any]:
    before = await asyncio.to_thread(_counted, port)
    result = await load.run(port, readers, seconds=seconds)
    after = await asyncio.to_thread(_counted, port)
    reads = max(result.statuses.total(), 1)
    return {
        "clients": CLIENTS,
        "reads_per_s": round(result.per_s(200)),
        "p50_ms": round(result.quantile_ms(0.5), 2),
        "p99_ms": round(result.quantile_ms(0.99), 2),
        "from": {
            source: round((after[source] - before.get(source, 0)) / reads, 3)
            for source in sorted(after)
            if after[source] > before.get(source, 0)
        },
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
    }


def _counted(port: int) -> dict[str, float]:
    """Returns the number of snapshots by source."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    found = re.findall(r'^holdfast_live_snapshots_total\{source="(\w+)"\} ([\d.e+]+)', text, re.MULTILINE)
    return {source: float(value) for source, value in found}


async def in_redis(*, seconds: float) -> dict[str, Any] | None:
    """Measures how long a process without a snapshot waits for Redis; None if Redis is not installed."""
    async with _redis() as url:
        if url is None:
            return None
        cache = RedisCache(url)
        entry = CachedSnapshot.of(Revision("00000000-00000000", 1, 1), b"x" * BODY_BYTES)
        async with asyncio.timeout(REDIS_READY_S_MAX):
            while await cache.get("slot") is None:
                await cache.put("slot", entry)
                await asyncio.sleep(0.01)
        times_ms: list[float] = []
        until = time.perf_counter() + seconds

        async def look() -> None:
            while (began := time.perf_counter()) < until:
                if await cache.get("slot") is not None:
                    times_ms.append((time.perf_counter() - began) * 1000)
                else:
                    await asyncio.sleep(0.01)  # it took too long, so the cache skips Redis for a while

        await asyncio.gather(*(look() for _ in range(CLIENTS)))
        await cache.close()
    times_ms.sort()
    return {
        "clients": CLIENTS,
        "gets_per_s": round(len(times_ms) / seconds),
        "p50_ms": round(times_ms[len(times_ms) // 2], 2),
        "p99_ms": round(times_ms[len(times_ms) * 99 // 100], 2),
    }


@asynccontextmanager
async def _redis() -> AsyncIterator[str | None]:
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    place = Path(tempfile.mkdtemp(prefix="holdfast-bench-redis-"))
    socket = place / "redis.sock"
    process = await asyncio.create_subprocess_exec(
        program,
        *("--port", "0", "--unixsocket", str(socket), "--dir", str(place), "--save", "", "--daemonize", "no"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"unix://{socket}"
    finally:
        process.terminate()
        await process.wait()
        shutil.rmtree(place, ignore_errors=True)
