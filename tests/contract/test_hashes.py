"""Under a key a request is known by its hash, which must outlive an upgrade: it is written down here a second time."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import asyncpg
import orjson
import pytest

from tests.booking.asking import at
from tests.conftest import House

KEY = "hash-1"
INSTANTS = ("start", "end", "earliest", "latest")


def expected(about: str, body: dict[str, Any]) -> bytes:
    """SHA-256 over the caller, what the change is about, and the body without its key, as sorted JSON with its
    instants in UTC."""
    said = {name: value for name, value in body.items() if name != "idempotency_key"}
    for name in said.keys() & INSTANTS:
        said[name] = datetime.fromisoformat(said[name]).astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = about.encode() + orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"staff:bob\0" + text).digest()


async def bodies(house: House) -> dict[str, tuple[str, str, str, dict[str, Any]]]:
    """Method, path, what it is about and body, by operation."""
    booking = await house.booked(start=at("12:00"), resource_ids=house.ids("t1"))
    other = await house.booked(start=at("12:00"), resource_ids=house.ids("t2"))
    venue = {"venue_id": house.venue_id}
    weekly = {**venue, "party_size": 2, "rrule": "FREQ=WEEKLY;COUNT=2", "start": at("18:00")}
    times = {"start": at("14:00"), "end": at("15:00")}
    return {
        "create": ("POST", "/bookings", "/api/v1/bookings", {**venue, "party_size": 2, "start": at("20:00")}),
        "join": (
            "POST",
            "/waitlist",
            "waitlist",
            {**venue, "party_size": 2, "earliest": at("18:00"), "latest": at("20:00")},
        ),
        "series_create": ("POST", "/series", "/api/v1/series", weekly),
        "create_block": (
            "POST",
            "/chain/maintenance-blocks",
            "",
            {**venue, **times, "reason": "x", "resource_ids": house.ids("t3")},
        ),
        "update": (
            "PUT",
            f"/bookings/{booking['id']}",
            f"{booking['id']} 1",
            {"party_size": 1, "expected_version": 1},
        ),
        "cancel": ("POST", f"/bookings/{other['id']}/cancel", f"{other['id']} 1", {"expected_version": 1}),
    }


@pytest.mark.parametrize("operation", ["create", "join", "series_create", "create_block", "update", "cancel"])
async def test_the_hash_is_the_one_written_down_here(house: House, database_url: str, operation: str) -> None:
    method, path, about, body = (await bodies(house))[operation]
    sent = {**body, "idempotency_key": KEY}
    response = await house.client.request(method, path, json=sent, headers=house.bob)
    assert response.status_code in (200, 201), response.text
    owner = await asyncpg.connect(database_url)
    try:
        rows = await owner.fetch("SELECT operation, request_hash FROM idempotency WHERE key = $1", KEY)
    finally:
        await owner.close()
    found = [bytes(row["request_hash"]) for row in rows if row["operation"] == operation]
    assert expected(about, body) in found
