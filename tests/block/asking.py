"""Shorthand for requests about blocks. The house is a bowling alley of eight lanes."""

from __future__ import annotations

from typing import Any

import httpx

from tests.booking.asking import at
from tests.conftest import House

PATH = "/chain/maintenance-blocks"
ALLEY = [
    {"slug": f"l{n}", "name": f"Lane {n}", "kind": "lane", "seats_max": 8, "sort_order": n}
    for n in range(1, 9)
]
RULES = {"slot_step_minutes": 15, "default_duration_minutes": 60, "max_advance_days": 800}


def wanted(house: House, *slugs: str, **changes: Any) -> dict[str, Any]:
    """A block of these resources on DAY from 9 to 17."""
    return {
        "venue_id": house.venue_id,
        "resource_ids": house.ids(*slugs),
        "start": at("09:00"),
        "end": at("17:00"),
        "reason": "resurfacing",
    } | changes


async def block(
    house: House, *slugs: str, who: dict[str, str] | None = None, **changes: Any
) -> httpx.Response:
    return await house.client.post(PATH, json=wanted(house, *slugs, **changes), headers=who or house.alice)


async def blocked(house: House, *slugs: str, **changes: Any) -> dict[str, Any]:
    response = await block(house, *slugs, **changes)
    assert response.status_code == 201, response.text
    return response.json()


async def read(house: House, block_id: str, who: dict[str, str] | None = None) -> httpx.Response:
    return await house.client.get(f"{PATH}/{block_id}", headers=who or house.bob)


async def change(house: House, made: dict[str, Any], **changes: Any) -> httpx.Response:
    body = {"expected_version": made["version"], **changes}
    return await house.client.patch(f"{PATH}/{made['id']}", json=body, headers=house.bob)


async def remove(house: House, made: dict[str, Any]) -> httpx.Response:
    headers = {**house.bob, "if-match": f'"{made["version"]}"'}
    return await house.client.delete(f"{PATH}/{made['id']}", headers=headers)


async def intervals(house: House, slug: str, start: str, end: str) -> list[dict[str, Any]]:
    query = {"resource_id": house.resources[slug], "from": start, "to": end}
    response = await house.client.get(f"{PATH}/expanded", params=query, headers=house.bob)
    assert response.status_code == 200, response.text
    return response.json()["items"]
