"""Shorthand for requests about series."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.booking.asking import DAY, at
from tests.conftest import House


def week(number: int) -> str:
    """The date of the occurrence `number` weeks after the first."""
    return str(DAY + timedelta(weeks=number))


def wanted(house: House, **body: Any) -> dict[str, Any]:
    """Four Wednesdays from six to half past seven, for two, at any table that fits."""
    defaults = {"venue_id": house.venue_id, "party_size": 2, "rrule": "FREQ=WEEKLY;COUNT=4"}
    if not {"booking_date", "date"} & body.keys():
        defaults["start"] = at("18:00")
    return defaults | body


async def ask(house: House, who: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    headers = {**(house.bob if who is None else who), **body.pop("headers", {})}
    return await house.client.post("/series", json=wanted(house, **body), headers=headers)


async def made(house: House, who: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
    response = await ask(house, who, **body)
    assert response.status_code == 201, response.text
    assert response.headers["etag"] == f'"{response.json()["version"]}"'
    return response.json()


async def preview(house: House, who: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    headers = house.bob if who is None else who
    return await house.client.post("/series/preview", json=wanted(house, **body), headers=headers)


async def read(house: House, series: dict[str, Any], who: dict[str, str] | None = None) -> dict[str, Any]:
    response = await house.client.get(f"/series/{series['id']}", headers=who or house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def change(
    house: House, series: dict[str, Any], who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    body = {"expected_version": series["version"], **body}
    return await house.client.patch(f"/series/{series['id']}", json=body, headers=who or house.bob)


async def cancel(
    house: House, series: dict[str, Any], who: dict[str, str] | None = None, **body: Any
) -> httpx.Response:
    body = {"expected_version": series["version"], **body}
    return await house.client.post(f"/series/{series['id']}/cancel", json=body, headers=who or house.bob)


async def bookings(house: House) -> list[dict[str, Any]]:
    """All bookings of the house, by start."""
    path = f"/bookings/venue/{house.venue_id}?limit=500"
    response = await house.client.get(path, headers=house.bob)
    assert response.status_code == 200, response.text
    return response.json()["items"]


def clocks(series: dict[str, Any]) -> list[str]:
    """The wall time at which each booking starts."""
    return [each["start"][11:16] for each in series["bookings"]]


def days(occurrences: list[dict[str, Any]]) -> list[str]:
    return [each["occurrence_on"] for each in occurrences]
