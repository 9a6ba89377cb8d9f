"""Bookings per second over HTTP: random venues and times, all checks on, durable, each with its own key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bench import load
from bench.stand import Stand, generator
from holdfast.kernel.ids import new_id

DAYS_AHEAD = 1_400
STARTS_PER_DAY = 43  # 11:15 to 21:45 in steps of 15 minutes; before that, see bench/size.py
CLIENTS = (1, 16, 64)


def requests(stand: Stand, *, salt: object, named: bool = True) -> Iterator[bytes]:
    """Yields one client's bookings endlessly; `named`: for a named resource, otherwise for the best fit."""
    rng = generator(stand, salt=salt)
    first = datetime.now(UTC).date() + timedelta(days=2)
    while True:
        venue = rng.choice(stand.venues)
        start = 675 + 15 * rng.randrange(STARTS_PER_DAY)
        body: dict[str, Any] = {
            "venue_id": str(venue.id),
            "booking_date": str(first + timedelta(days=rng.randrange(DAYS_AHEAD))),
            "booking_time": f"{start // 60:02}:{start % 60:02}",
            "duration_minutes": 60,
            "party_size": rng.randrange(1, 5),
            "guest_name": "Ada Lovelace",
            "guest_email": "ada@example.org",
            "guest_phone": "+46 70 000 00 00",
        }
        if named:
            body["resource_ids"] = [str(rng.choice(venue.resource_ids))]
        key = f"Idempotency-Key: {new_id()}\r\n"
        yield load.http("POST", "/bookings", token=venue.token, body=orjson.dumps(body), headers=key)


async def measure(
    stand: Stand, port: int, *, clients: int, seconds: float, named: bool = True
) -> load.Result:
    """Measures `clients` concurrent clients for `seconds`."""
    salt = new_id()
    streams = [requests(stand, salt=f"{salt}-{n}", named=named) for n in range(clients)]
    return await load.run(port, streams, seconds=seconds)


def figures(result: load.Result, *, clients: int) -> dict[str, Any]:
    """Returns the figures of one measurement as JSON."""
    return {
        "clients": clients,
        "bookings_per_s": round(result.per_s(201)),
        "taken_per_s": round(result.per_s(409)),
        "p50_ms": round(result.quantile_ms(0.5), 2),
        "p99_ms": round(result.quantile_ms(0.99), 2),
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
    }


async def warm_up(stand: Stand, port: int) -> None:
    """Opens connections, prepares statements, fills caches."""
    await measure(stand, port, clients=16, seconds=2.0)
    await asyncio.sleep(0.2)
