"""A booking names its resources beside their ids."""

from __future__ import annotations

from typing import Any

import httpx

from tests.conftest import House, venue_document

from .asking import at, cancel, change, move


def named(house: House, *slugs: str) -> list[dict[str, Any]]:
    names = {each["slug"]: each["name"] for each in house.venue["resources"]}
    return [{"id": house.resources[slug], "name": names[slug], "slug": slug, "group": None} for slug in slugs]


async def get(house: House, path: str) -> Any:
    response: httpx.Response = await house.client.get(path, headers=house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def test_in_every_answer(house: House) -> None:
    booking = await house.booked(
        start=at("18:00"), resource_ids=house.ids("t2", "t1"), party_size=5, guest_id="gina"
    )
    assert booking["resources"] == named(house, *_slugs(house, booking))
    assert {each["name"] for each in booking["resources"]} == {"T1", "T2"}
    moved = (await change(house, booking, resource_ids=house.ids("l1"))).json()
    assert moved["resources"] == named(house, "l1")
    confirmed = (await move(house, moved, "CONFIRMED")).json()
    cancelled = (await cancel(house, confirmed)).json()
    one = f"/bookings/{booking['id']}"
    reference = f"/bookings/reference/{booking['booking_reference']}"
    lists = [await get(house, f"/bookings/{of}") for of in ("guest/gina", f"venue/{house.venue_id}")]
    read = [await get(house, one), await get(house, reference), *(each["items"][0] for each in lists)]
    assert [each["resources"] for each in (confirmed, cancelled, *read)] == [named(house, "l1")] * 6


def _slugs(house: House, booking: dict[str, Any]) -> list[str]:
    by_id = {id_: slug for slug, id_ in house.resources.items()}
    return [by_id[each] for each in booking["resource_ids"]]


async def test_the_names_are_those_of_today(house: House) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    renamed = [{**each, "name": "By the door", "group": "two"} for each in house.document["resources"][:1]]
    await house.replace({**house.document, "resources": [*renamed, *house.document["resources"][1:]]})
    # Read by way of a change, which never uses old rules.
    changed = (await change(house, booking, guest_name="Gina")).json()
    assert [(each["name"], each["group"]) for each in changed["resources"]] == [("By the door", "two")]


async def test_of_a_removed_resource_the_id_is_left(house: House) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("l1"))
    gone = house.resources["l1"]
    cancelled = (await cancel(house, booking)).json()
    assert [each["name"] for each in cancelled["resources"]] == ["L1"]
    left = [each for each in venue_document()["resources"] if each["slug"] != "l1"]
    await house.replace(venue_document(resources=left))
    other = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"), guest_id="gina")
    assert other["resources"] == named(house, "t1")
    found = await get(house, f"/bookings/venue/{house.venue_id}?resource_id={gone}")
    assert found["items"][0]["resource_ids"] == [gone]
    assert found["items"][0]["resources"] == [{"id": gone, "name": None, "slug": None, "group": None}]
