"""Reads per second over HTTP: the availability check and the day view."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bench import load
from bench.bookings import DAYS_AHEAD
from bench.stand import Stand, generator
from holdfast.kernel.ids import new_id

CLIENTS = 16


def checks(stand: Stand, *, salt: object) -> Iterator[bytes]:
    """Yields availability checks at random venues and times, for any resource that fits."""
    rng = generator(stand, salt=salt)
    first = datetime.now(UTC).date() + timedelta(days=2)
    while True:
        venue, day = rng.choice(stand.venues), first + timedelta(days=rng.randrange(DAYS_AHEAD))
        start = datetime(
            day.year, day.month, day.day, 10 + rng.randrange(10), 15 * rng.randrange(4), tzinfo=UTC
        )
        body = {
            "venue_id": venue.id,
            "start": start,
            "duration_minutes": 60,
            "party_size": rng.randrange(1, 5),
        }
        yield load.http("POST", "/bookings/availability/check", token=venue.token, body=orjson.dumps(body))


def days(stand: Stand, *, salt: object) -> Iterator[bytes]:
    """Yields day views of random venues and days."""
    rng = generator(stand, salt=salt)
    first = datetime.now(UTC).date() + timedelta(days=2)
    while True:
        venue, day = rng.choice(stand.venues), first + timedelta(days=rng.randrange(DAYS_AHEAD))
        path = f"/venues/{venue.id}/availability/day?date={day}&party_size={rng.randrange(1, 5)}"
        yield load.http("GET", path, token=venue.token)


async def measure(stand: Stand, port: int, kind: Any, *, seconds: float) -> dict[str, Any]:
    """Returns responses per second and latencies of CLIENTS readers."""
    salt = new_id()
    result = await load.run(port, [kind(stand, salt=f"{salt}-{n}") for n in range(CLIENTS)], seconds=seconds)
    return {
        "clients": CLIENTS,
        "reads_per_s": round(result.per_s(200)),
        "p50_ms": round(result.quantile_ms(0.5), 2),
        "p99_ms": round(result.quantile_ms(0.99), 2),
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
    }
