"""Changes a venue, and asks which bookings no longer fit."""

from __future__ import annotations

import copy
from typing import Any

from tests.conftest import House

Json = dict[str, Any]


async def replaced(house: House, document: Json, *, dry_run: bool = False) -> Json:
    query = "?dry_run=true" if dry_run else ""
    answer = await house.client.post(f"/venues/import{query}", json=document, headers=house.alice)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def unfit(house: House, **changes: Any) -> dict[str, str]:
    """Reference -> reason, of the bookings that no longer fit the document with these changes; a dry run and the
    change agree, and the bookings stay as they are."""
    document = copy.deepcopy(house.document) | changes
    before = await bookings(house)
    dry = await replaced(house, document, dry_run=True)
    real = await replaced(house, document)
    listed = real["bookings_that_no_longer_fit"]
    assert dry["problems"] == []
    assert (dry["changes"], dry["bookings_that_no_longer_fit"]) == (real["changes"], listed)
    assert (
        dry["bookings_that_no_longer_fit_total"] == real["bookings_that_no_longer_fit_total"] == len(listed)
    )
    assert await bookings(house) == before
    by_id = {each["id"]: each for each in before}
    for each in listed:
        booking = by_id[each["id"]]
        same = ("booking_reference", "start", "end", "resource_ids", "party_size")
        assert {name: each[name] for name in same} == {name: booking[name] for name in same}
        assert each["detail"]
    return {each["booking_reference"]: each["reason"] for each in listed}


async def bookings(house: House) -> list[Json]:
    """The bookings without what they show of the venue and its resources."""
    answer = await house.client.get(f"/bookings/venue/{house.venue_id}?limit=500", headers=house.bob)
    return [{**each, "venue_name": "", "resources": []} for each in answer.json()["items"]]


def edited(house: House, slug: str, **changes: Any) -> list[Json]:
    return [each | (changes if each["slug"] == slug else {}) for each in house.document["resources"]]
