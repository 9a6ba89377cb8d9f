"""Lists of a venue and of a guest: filters, pages, a stable order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import House

from .asking import at, cancel, refused


async def listed(
    house: House, path: str, who: dict[str, str] | None = None, **query: Any
) -> list[dict[str, Any]]:
    """All items, page by page."""
    items: list[dict[str, Any]] = []
    cursor = None
    for _ in range(50):
        params = {**query, **({"cursor": cursor} if cursor else {})}
        response = await house.client.get(path, params=params, headers=house.bob if who is None else who)
        assert response.status_code == 200, response.text
        body = response.json()
        assert set(body) == {"items", "next"}
        assert len(body["items"]) <= int(query.get("limit", 50))
        items += body["items"]
        cursor = body["next"]
        if cursor is None:
            return items
        assert body["items"], "a page before the last holds something"
    raise AssertionError("the list has no end")


def venue(house: House) -> str:
    return f"/bookings/venue/{house.venue_id}"


@pytest.fixture
async def evening(house: House) -> list[dict[str, Any]]:
    """Nine bookings, three at each of three times, by start and then id; the last is cancelled."""
    booked = [
        await house.booked(start=at(clock), resource_ids=house.ids(slug), guest_id=f"g{n}")
        for clock in ("20:00", "18:00", "19:45")
        for n, slug in enumerate(("t1", "t2", "s1"))
        if not (clock == "20:00" and slug != "s1") or slug == "s1"
    ]
    booked += [await house.booked(start=at("21:30"), resource_ids=house.ids(slug)) for slug in ("t1", "t2")]
    booked.sort(key=lambda each: (each["start"], each["id"]))
    booked[-1] = (await cancel(house, booked[-1])).json()
    return booked


@pytest.mark.parametrize("limit", [1, 2, 3, 8, 9, 10, 500])
async def test_pages_of_any_size_make_the_same_list(
    house: House, evening: list[dict[str, Any]], limit: int
) -> None:
    assert await listed(house, venue(house), limit=limit) == evening


async def test_the_order_is_by_start_then_id_and_what_comes_between_pages_is_not_doubled(
    house: House, evening: list[dict[str, Any]]
) -> None:
    first = (await house.client.get(f"{venue(house)}?limit=4", headers=house.bob)).json()
    early = await house.booked(start=at("12:00"), resource_ids=house.ids("l1"))
    late = await house.booked(start=at("22:45"), end=at("23:00"), resource_ids=house.ids("l1"))
    rest = await listed(house, venue(house), cursor=first["next"])
    rest = (await house.client.get(f"{venue(house)}?cursor={first['next']}", headers=house.bob)).json()[
        "items"
    ]
    assert first["items"] + rest == [*evening, late]
    assert (await listed(house, venue(house)))[0] == early


async def test_from_and_to_share_time_with_the_booking(house: House, evening: list[dict[str, Any]]) -> None:
    ids = [each["id"] for each in evening]

    async def found(**query: str) -> list[int]:
        return [ids.index(each["id"]) for each in await listed(house, venue(house), **query)]

    starting_18 = [n for n, each in enumerate(evening) if each["start"] == at("18:00")]
    everything = list(range(len(evening)))
    assert await found(to=at("18:15")) == starting_18
    assert await found(to=at("18:00")) == []
    assert await found(**{"from": at("19:15")}) == everything
    assert await found(**{"from": at("19:30")}) == [n for n in everything if n not in starting_18]
    assert await found(**{"from": at("18:30"), "to": at("18:31")}) == starting_18
    assert await found(**{"from": at("10:00", days=1)}) == []
    assert await found(**{"from": at("10:00"), "to": at("23:00", days=1)}) == everything


async def test_by_status_and_resource(house: House, evening: list[dict[str, Any]]) -> None:
    cancelled = [each for each in evening if each["status"] == "CANCELLED"]
    assert await listed(house, venue(house), status="CANCELLED") == cancelled
    assert len(cancelled) == 1
    both = await house.booked(start=at("12:00"), party_size=4, resource_ids=house.ids("t1", "t2"))
    of_t2 = [both, *(each for each in evening if house.resources["t2"] in each["resource_ids"])]
    assert await listed(house, venue(house), resource_id=house.resources["t2"], limit=2) == of_t2
    query = {"status": "RESERVED", "resource_id": house.resources["t2"], "from": at("18:00")}
    assert await listed(house, venue(house), **query) == [
        each for each in of_t2[1:] if each["status"] == "RESERVED"
    ]


async def test_guests_see_their_own_wherever_they_look(house: House, open_house: Any) -> None:
    mine = [await house.booked(house.gina, start=at(clock)) for clock in ("20:00", "18:00")]
    await house.booked(start=at("18:00"), guest_id="hugo")
    found = await listed(house, "/bookings/guest/gina", house.gina, limit=1)
    assert [each["id"] for each in found] == [mine[1]["id"], mine[0]["id"]]
    assert all("internal_notes" not in each for each in found)
    refused(await house.client.get("/bookings/guest/hugo", headers=house.gina), 404, "NOT_FOUND")
    assert [each["guest_id"] for each in await listed(house, "/bookings/guest/hugo")] == ["hugo"]
    other = await open_house()
    await other.booked(other.gina, start=at("18:00"))
    assert len(await listed(house, "/bookings/guest/gina", house.gina)) == 2
    assert len(await listed(other, "/bookings/guest/gina", other.bob)) == 1


async def test_who_may_ask(house: House, charlie: dict[str, str]) -> None:
    for who, status, code in (
        ({}, 401, "UNAUTHENTICATED"),
        (house.gina, 403, "FORBIDDEN"),
        (charlie, 404, "NOT_FOUND"),
        (
            house.headers("staff", subject="bo", venues=["0190a0a0-0000-7000-8000-000000000000"]),
            404,
            "NOT_FOUND",
        ),
    ):
        refused(await house.client.get(venue(house), headers=who), status, code)
    refused(await house.client.get("/bookings/guest/gina"), 401, "UNAUTHENTICATED")
    assert await listed(house, "/bookings/guest/gina", charlie) == []


async def test_staff_of_one_venue_see_their_guests_bookings_there_alone(house: House) -> None:
    here = house.headers("staff", subject="bo", venues=[house.venue_id])
    elsewhere = house.headers("staff", subject="bo", venues=["0190a0a0-0000-7000-8000-000000000000"])
    booking = await house.booked(house.gina, start=at("18:00"))
    assert [each["id"] for each in await listed(house, "/bookings/guest/gina", here)] == [booking["id"]]
    assert await listed(house, "/bookings/guest/gina", elsewhere) == []
    refused(await house.client.get(f"/bookings/{booking['id']}", headers=elsewhere), 404, "NOT_FOUND")
