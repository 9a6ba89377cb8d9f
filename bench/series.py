"""A series of 52 weeks over HTTP, compared with 52 single bookings one after the other."""

from __future__ import annotations

import asyncio
import http.client
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bench.stand import Stand, VenueAtHand

WEEKS = 52
ROUNDS = 5
SERIES_MS_MAX = 1_000.0


async def measure(stand: Stand, port: int) -> dict[str, Any]:
    """Returns the milliseconds for a series, its preview and its changes, and for as many single bookings: the medians
    of ROUNDS rounds, each at a different venue, for any table that fits."""
    return await asyncio.to_thread(_measure, stand, port)


def _measure(stand: Stand, port: int) -> dict[str, Any]:
    rounds: dict[str, list[float]] = {}
    for venue in stand.venues[: ROUNDS + 1]:
        for name, ms in _round(_Asker(port, venue)):
            rounds.setdefault(name, []).append(ms)
    # The first round warms up.
    found = {name: round(statistics.median(ms[1:]), 1) for name, ms in rounds.items()}
    slowest = max(rounds["series_ms"][1:])
    return {
        "weeks": WEEKS,
        **found,
        "series_ms_max": round(slowest, 1),
        "ratio": round(found["singles_ms"] / found["series_ms"], 2),
        "ok": slowest < SERIES_MS_MAX,
    }


class _Asker:
    """One client of one venue, with a keep-alive connection."""

    def __init__(self, port: int, venue: VenueAtHand) -> None:
        self.venue = venue
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._headers = {"authorization": f"Bearer {venue.token}", "content-type": "application/json"}

    def ask(self, method: str, path: str, status: int, **body: Any) -> tuple[dict[str, Any], float]:
        """Returns the response, which must have that status, and its latency in milliseconds."""
        started = time.perf_counter()
        self._connection.request(method, f"/api/v1{path}", orjson.dumps(body), self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        took_ms = (time.perf_counter() - started) * 1_000
        if response.status != status:
            raise RuntimeError(f"{method} {path} returned {response.status}: {answer[:500]!r}")
        return orjson.loads(answer), took_ms


def _round(asker: _Asker) -> Iterator[tuple[str, float]]:
    day = (datetime.now(UTC) + timedelta(days=3)).replace(hour=17, minute=0, second=0, microsecond=0)
    wanted = {"venue_id": asker.venue.id, "party_size": 2, "duration_minutes": 60}
    first = day.isoformat()
    total = 0.0
    for week in range(WEEKS):
        start = (day + timedelta(weeks=week)).isoformat()
        total += asker.ask("POST", "/bookings", 201, **wanted, start=start)[1]
    yield "singles_ms", total
    repeated = {**wanted, "start": first, "rrule": f"FREQ=WEEKLY;COUNT={WEEKS}"}
    yield "preview_ms", asker.ask("POST", "/series/preview", 200, **repeated)[1]
    series, took_ms = asker.ask("POST", "/series", 201, **repeated)
    yield "series_ms", took_ms
    path, body = f"/series/{series['id']}", {"scope": "all"}
    changes = {"booking_time": "19:00", "party_size": 3}
    yield "change_all_ms", asker.ask("PATCH", path, 200, **body, expected_version=1, changes=changes)[1]
    yield "cancel_all_ms", asker.ask("POST", f"{path}/cancel", 200, **body, expected_version=2)[1]
