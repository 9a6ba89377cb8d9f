"""A floor with a ticket for each guest, a day of it at a time until it is full, and the calendar of a large hotel."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from bench import load
from bench.stand import Stand, VenueAtHand, add_venue
from holdfast.kernel.ids import new_id

UNITS, PARTY = 300, 4
CLIENTS = 4
TYPES, ROOMS, DAYS = 3, 120, 62
BOOKED = 600
RANGES = 30
UNITS_MS_MAX, RANGE_MS_MAX = 20.0, 50.0
WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


async def measure(stand: Stand, port: int, *, seconds: float) -> dict[str, Any]:
    """Returns the milliseconds of a booking of PARTY of UNITS units by guest, beside one of a table, and of the range
    view of a hotel, beside a day view."""
    club, hotel = await add_venue(stand, "club", _club()), await add_venue(stand, "hotel", _hotel())
    floor, table = club.resource_ids
    tickets = await _book(port, club, str(floor), PARTY, seconds)
    tables = await _book(port, club, str(table), 2, seconds)
    await _fill(port, hotel)
    ranges, day = await _views(port, hotel)
    booking_ms = round(tickets.quantile_ms(0.5) / CLIENTS, 2)
    range_ms = round(statistics.median(ranges), 1)
    return {
        "units_by_guest": {
            "booking_ms": booking_ms,
            "p99_ms": round(tickets.quantile_ms(0.99), 1),
            "statuses": {str(status): count for status, count in sorted(tickets.statuses.items())},
            "table_ms": round(tables.quantile_ms(0.5) / CLIENTS, 2),
        },
        "range_view": {
            "ms": range_ms,
            "max_ms": round(max(ranges), 1),
            "day_ms": round(statistics.median(day), 1),
        },
        "ratio": round(tickets.quantile_ms(0.5) / tables.quantile_ms(0.5), 2),
        "ok": booking_ms <= UNITS_MS_MAX and range_ms <= RANGE_MS_MAX,
    }


async def _book(port: int, club: VenueAtHand, resource_id: str, size: int, seconds: float) -> load.Result:
    """Evening after evening, each until it is full."""
    per_evening = UNITS // size + 1

    def requests(first: int) -> Iterator[bytes]:
        number = first
        while True:
            day = datetime.now(UTC).date() + timedelta(days=2 + number // per_evening % 300)
            body = {
                "venue_id": str(club.id),
                "booking_date": str(day),
                "booking_time": "20:00",
                "duration_minutes": 180,
                "party_size": size,
                "resource_ids": [resource_id],
            }
            key = f"Idempotency-Key: {new_id()}\r\n"
            yield load.http("POST", "/bookings", token=club.token, body=orjson.dumps(body), headers=key)
            number += CLIENTS

    return await load.run(port, [requests(n) for n in range(CLIENTS)], seconds=seconds)


async def _fill(port: int, hotel: VenueAtHand) -> None:
    """Stays of one to seven nights, of each type in turn."""
    today = datetime.now(UTC).date()

    def requests(first: int) -> Iterator[bytes]:
        for n in range(first, BOOKED, CLIENTS):
            body = {
                "venue_id": str(hotel.id),
                "arrival": str(today + timedelta(days=2 + n * 7 % DAYS)),
                "nights": 1 + n % 7,
                "group": f"type-{n % TYPES}",
                "party_size": 2,
            }
            yield load.http("POST", "/bookings", token=hotel.token, body=orjson.dumps(body))

    result = await load.run(port, [requests(n) for n in range(CLIENTS)], seconds=60.0)
    assert set(result.statuses) <= {201, 409}, result.statuses


async def _views(port: int, hotel: VenueAtHand) -> tuple[list[float], list[float]]:
    first = datetime.now(UTC).date() + timedelta(days=2)
    last = first + timedelta(days=DAYS - 1)
    base = f"http://127.0.0.1:{port}/api/v1/venues/{hotel.id}/availability"
    ranges = [_ms(f"{base}/range?from={first}&to={last}&party_size=2") for _ in range(RANGES)]
    day = [_ms(f"{base}/day?date={first}&party_size=2") for _ in range(RANGES)]
    return ranges, day


def _ms(url: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(url, timeout=30) as response:
        response.read()
    return (time.perf_counter() - began) * 1000


def _club() -> dict[str, Any]:
    return {
        "slug": "club",
        "name": "Club",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "hours": {"weekly": [{"days": WEEK, "open": "18:00", "close": "04:00"}]},
        "resources": [
            {"slug": "floor", "kind": "section", "units": UNITS, "takes": "guests", "seats_max": 10},
            {"slug": "table", "kind": "table", "units": UNITS},
        ],
    }


def _hotel() -> dict[str, Any]:
    return {
        "slug": "hotel",
        "name": "Hotel",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "stay": {"check_in": "15:00", "check_out": "11:00"},
        "policy": {
            "price_rules": [
                {"days": ["FR", "SA"], "per": "night", "amount": "1390.00"},
                {"per": "night", "amount": "1150.00"},
            ],
        },
        "resources": [
            {"slug": f"r{n}", "kind": "room", "seats_max": 2, "group": f"type-{n % TYPES}"}
            for n in range(TYPES * ROOMS)
        ],
    }
