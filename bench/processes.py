"""Compares one API process with two on the same database, in every round.

Two must not write fewer bookings than one, although their sets need the locks of the same venues. Additional clients
try to book at a venue whose lock is held the whole time; that must not delay other venues.
"""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any

import asyncpg
import orjson

from bench import bookings, load, reads
from bench.stand import Stand, VenueAtHand
from holdfast.kernel.db.tx import lock_key
from holdfast.kernel.ids import new_id

ROUNDS = 5
BOOKERS, READERS, UNLUCKY = 64, 16, 4
RATIO_MIN = 0.9
TRANSACTIONS_MAX = 0.16
STUCK_RATIO_MIN = 0.9


async def measure(made: Stand, *, seconds: float) -> dict[str, Any]:
    """Returns the figures of ROUNDS rounds, each with one process and with two, and the median ratios."""
    rounds = []
    for number in range(ROUNDS):
        # They take turns being first, so that the second does not always pay for what the first leaves behind.
        counts = (1, 2) if number % 2 else (2, 1)
        both = {count: await _round(made, count, seconds=seconds) for count in counts}
        rounds.append({"one": both[1], "two": both[2]})
    ratio = median(each["two"]["bookings_per_s"] / each["one"]["bookings_per_s"] for each in rounds)
    reads_ratio = median(each["two"]["reads_per_s"] / each["one"]["reads_per_s"] for each in rounds)
    stuck = {name: median(each[name]["stuck_ratio"] for each in rounds) for name in ("one", "two")}
    transactions = median(each["two"]["transactions_per_booking"] for each in rounds)
    return {
        "rounds": rounds,
        "ratio": round(ratio, 3),
        "transactions_per_booking_two": transactions,
        "reads_ratio": round(reads_ratio, 3),
        "stuck_ratio": stuck,
        "ok": ratio >= RATIO_MIN
        and transactions <= TRANSACTIONS_MAX
        and reads_ratio >= 1
        and min(stuck.values()) >= STUCK_RATIO_MIN,
    }


async def _round(made: Stand, count: int, *, seconds: float) -> dict[str, Any]:
    async with AsyncExitStack() as running:
        ports = [await running.enter_async_context(made.api()) for _ in range(count)]
        await asyncio.gather(*(bookings.warm_up(made, port) for port in ports))
        before = await _sets(ports)
        booked = await _booked(made, ports, seconds=seconds)
        sets = await _sets(ports) - before
        looked = await _read(made, ports, seconds=seconds / 2)
        async with _stuck(made, ports):
            beside = await _booked(made, ports, seconds=seconds / 2)
    made_count = sum(each.statuses[201] for each in booked)
    per_s, beside_per_s = (sum(each.per_s(201) for each in many) for many in (booked, beside))
    statuses = sum((each.statuses for each in [*booked, *beside]), Counter[int]())
    return {
        "bookings_per_s": round(per_s),
        "transactions_per_booking": round(sets / max(made_count, 1), 3),
        "p99_ms": round(max(each.quantile_ms(0.99) for each in booked), 1),
        "reads_per_s": round(sum(each.per_s(200) for each in looked)),
        "beside_stuck_per_s": round(beside_per_s),
        "stuck_ratio": round(beside_per_s / per_s, 3),
        "statuses": {str(status): n for status, n in sorted(statuses.items())},
    }


async def _booked(made: Stand, ports: Sequence[int], *, seconds: float) -> list[load.Result]:
    """Runs BOOKERS clients, divided equally among the processes."""
    clients = BOOKERS // len(ports)
    return await asyncio.gather(
        *(bookings.measure(made, port, clients=clients, seconds=seconds) for port in ports)
    )


async def _read(made: Stand, ports: Sequence[int], *, seconds: float) -> list[load.Result]:
    salt, clients = new_id(), READERS // len(ports)
    return await asyncio.gather(
        *(
            load.run(
                port, [reads.checks(made, salt=f"{salt}-{port}-{n}") for n in range(clients)], seconds=seconds
            )
            for port in ports
        )
    )


@asynccontextmanager
async def _stuck(made: Stand, ports: Sequence[int]) -> AsyncIterator[None]:
    """Holds a venue's lock for the block, while UNLUCKY clients of each process try to book there."""
    venue = made.venues[-1]
    made.venues.remove(venue)
    owner = await asyncpg.connect(made.server.url())
    unlucky = [asyncio.create_task(_want(port, venue)) for port in ports for _ in range(UNLUCKY)]
    try:
        async with owner.transaction():
            await owner.execute("SELECT pg_advisory_xact_lock($1)", lock_key(venue.id))
            yield
    finally:
        for task in unlucky:
            task.cancel()
        await asyncio.gather(*unlucky, return_exceptions=True)
        await owner.close()
        made.venues.append(venue)


async def _want(port: int, venue: VenueAtHand) -> None:
    """Keeps requesting a table there."""
    body = {"venue_id": str(venue.id), "start": "2030-01-01T18:00:00Z", "party_size": 2}
    request = load.http("POST", "/bookings", token=venue.token, body=orjson.dumps(body))
    while True:
        await load.run(port, [iter([request])])


async def _sets(ports: Sequence[int]) -> float:
    """Returns the number of transactions that the writers of these processes have begun."""
    found = await asyncio.gather(*(asyncio.to_thread(_sets_of, port) for port in ports))
    return sum(found)


def _sets_of(port: int) -> float:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
    name = r'^holdfast_transaction_seconds_count\{verb="create_awaited"\} ([\d.e+]+)'
    found = re.search(name, text, re.MULTILINE)
    return float(found[1]) if found else 0.0
