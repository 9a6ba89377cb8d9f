"""Venues that hold something back, those who ask there, and how they ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import House

from .asking import DAY, at, instant

Who = dict[str, str]
Json = dict[str, Any]
TABLES = [{"slug": f"t{n}", "name": f"T{n}", "group": "four", "seats_max": 4} for n in range(1, 5)]


def until(clock: str) -> int:
    """So many minutes before a visit that starts then is now, or a little less."""
    return int((instant(clock) - datetime.now(UTC)) / timedelta(minutes=1))


def held(*rules: Json, resources: list[Json] | None = None, **policy: Any) -> Json:
    return {
        "resources": resources or TABLES,
        "policy": {"slot_step_minutes": 60, "default_duration_minutes": 60, "held_back": rules, **policy},
    }


def member(house: House) -> Who:
    return house.headers("guest", subject="mia", groups=["members"])


async def check(house: House, who: Who, **wanted: Any) -> Json:
    body = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), **wanted}
    response = await house.client.post("/bookings/availability/check", json=body, headers=who)
    assert response.status_code == 200, response.text
    return response.json()


async def view(house: House, which: str, who: Who, **query: Any) -> Json:
    days = {"month": {"month": f"{DAY:%Y-%m}"}, "range": {"from": str(DAY), "to": str(DAY)}}
    query = days.get(which, {"date": str(DAY)}) | query
    path = f"/venues/{house.venue_id}/availability/{which}"
    response = await house.client.get(path, params=query, headers=who)
    assert response.status_code == 200, response.text
    return response.json()
