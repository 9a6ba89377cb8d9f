"""GET and preview: lists, one block, what is blocked when, and what a block would overlap."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.block.asking import PATH, blocked, intervals, read, remove, wanted
from tests.booking.asking import at, refused
from tests.conftest import House


async def listed(house: House, **query: Any) -> list[str]:
    response = await house.client.get(PATH, params=query, headers=house.bob)
    assert response.status_code == 200, response.text
    return [each["id"] for each in response.json()["items"]]


@pytest.fixture
async def three(alley: House, database_url: str) -> list[str]:
    """One block that is over, one under way, one still to come, and one that was removed."""
    made = [await blocked(alley, f"l{n}", start=at("09:00", n), end=at("10:00", n)) for n in range(1, 5)]
    await remove(alley, made[3])
    connection = await asyncpg.connect(database_url)
    for block, back in ((made[0], "70 days"), (made[1], None)):
        start = f"first_at - interval '{back}'" if back else "now() - interval '1 hour'"
        end = f"last_at - interval '{back}'" if back else "now() + interval '1 hour'"
        await connection.execute(
            f"UPDATE block SET first_at = {start}, last_at = {end} WHERE id = $1::text::uuid", block["id"]
        )
    await connection.close()
    return [each["id"] for each in made[:3]]


async def test_lists_of_a_venue(alley: House, three: list[str]) -> None:
    past, active, upcoming = three
    assert await listed(alley, venue_id=alley.venue_id) == [past, active, upcoming]
    assert await listed(alley, venue_id=alley.venue_id, when="past") == [past]
    assert await listed(alley, venue_id=alley.venue_id, when="active") == [active]
    assert await listed(alley, venue_id=alley.venue_id, when="upcoming") == [upcoming]


async def test_lists_of_a_resource(alley: House, three: list[str]) -> None:
    assert await listed(alley, resource_id=alley.resources["l2"]) == [three[1]]
    assert await listed(alley, resource_id=alley.resources["l2"], venue_id=alley.venue_id) == [three[1]]
    assert await listed(alley, resource_id=alley.resources["l8"]) == []


async def test_lists_come_in_pages(alley: House, three: list[str]) -> None:
    query: dict[str, Any] = {"venue_id": alley.venue_id, "limit": 2}
    first = (await alley.client.get(PATH, params=query, headers=alley.bob)).json()
    rest = await alley.client.get(PATH, params={**query, "cursor": first["next"]}, headers=alley.bob)
    assert [each["id"] for each in first["items"] + rest.json()["items"]] == three
    assert rest.json()["next"] is None


async def test_a_list_says_of_what(alley: House, house: House) -> None:
    nothing = await alley.client.get(PATH, headers=alley.bob)
    assert refused(nothing, 400, "INVALID_REQUEST")["errors"][0]["field"] == "venue_id"
    query = {"venue_id": alley.venue_id, "when": "soon"}
    refused(await alley.client.get(PATH, params=query, headers=alley.bob), 400, "INVALID_REQUEST")
    theirs = {"resource_id": house.resources["l1"]}
    refused(await alley.client.get(PATH, params=theirs, headers=alley.bob), 404, "NOT_FOUND")


async def test_what_is_blocked_in_a_range(alley: House) -> None:
    weekly = await blocked(alley, "l1", "l2", rrule="FREQ=WEEKLY;COUNT=10")
    once = await blocked(
        alley, "l1", start=at("18:00", 7), end=at("19:00", 7), reason="league", kind="private_event"
    )
    await blocked(alley, "l3")
    found = await intervals(alley, "l1", at("16:59", 7), at("09:01", 14))
    assert found == [
        {
            "block_id": weekly["id"],
            "kind": "maintenance",
            "reason": "resurfacing",
            "start": at("09:00", 7),
            "end": at("17:00", 7),
        },
        {
            "block_id": once["id"],
            "kind": "private_event",
            "reason": "league",
            "start": at("18:00", 7),
            "end": at("19:00", 7),
        },
        {
            "block_id": weekly["id"],
            "kind": "maintenance",
            "reason": "resurfacing",
            "start": at("09:00", 14),
            "end": at("17:00", 14),
        },
    ]
    assert await intervals(alley, "l1", at("17:00", 7), at("18:00", 7)) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": at("12:00"), "to": at("12:00")}, "to"),
        ({"from": at("12:00"), "to": "2199-01-01T00:00:00Z"}, "to"),
        ({"from": "1999-01-01T00:00:00Z", "to": at("12:00")}, "from"),
        ({"from": "2027-01-01", "to": at("12:00")}, "from"),
        ({"to": at("12:00")}, "from"),
    ],
)
async def test_a_range_is_bounded(alley: House, query: dict[str, str], field: str) -> None:
    asked = {"resource_id": alley.resources["l1"], **query}
    response = await alley.client.get(f"{PATH}/expanded", params=asked, headers=alley.bob)
    assert refused(response, 400, "INVALID_REQUEST")["errors"][0]["field"] == field


async def preview(house: House, *slugs: str, **changes: Any) -> dict[str, Any]:
    body = wanted(house, *slugs, **changes)
    response = await house.client.post(f"{PATH}/preview", json=body, headers=house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_preview_tells_what_it_would_hit_and_writes_nothing(alley: House, database_url: str) -> None:
    hit = await alley.booked(start=at("12:00", 7), resource_ids=alley.ids("l1"))
    other = await blocked(alley, "l1", start=at("12:00", 14), end=at("13:00", 14))
    found = await preview(alley, "l1", "l2", rrule="RRULE:FREQ=WEEKLY;COUNT=3;INTERVAL=1")
    assert found["rrule"] == "FREQ=WEEKLY;COUNT=3"
    assert [each["start"] for each in found["occurrences"]] == [at("09:00", n) for n in (0, 7, 14)]
    assert (found["bookings_total"], [each["id"] for each in found["bookings"]]) == (1, [hit["id"]])
    assert [each["id"] for each in found["blocks"]] == [other["id"]]
    assert found["can_displace"] is False
    assert (await preview(alley, "l1", rrule="FREQ=WEEKLY;COUNT=2"))["can_displace"] is True
    connection = await asyncpg.connect(database_url)
    count = "SELECT count(*) FROM block WHERE venue_id = $1::text::uuid"
    assert await connection.fetchval(count, alley.venue_id) == 1
    await connection.close()
    await alley.booked(start=at("12:00"), resource_ids=alley.ids("l1"))


async def test_a_preview_refuses_what_creating_refuses(alley: House) -> None:
    body = wanted(alley, "l1", rrule="FREQ=HOURLY;COUNT=2")
    response = await alley.client.post(f"{PATH}/preview", json=body, headers=alley.bob)
    assert refused(response, 400, "INVALID_REQUEST")["errors"][0]["value"] == "FREQ=HOURLY"


async def test_nobody_else_sees_them(alley: House, charlie: dict[str, str]) -> None:
    made = await blocked(alley, "l1", reason="secret")
    resource = {"resource_id": alley.resources["l1"]}
    ranged = {**resource, "from": at("00:00"), "to": at("00:00", 1)}
    for headers, status, code in (
        (charlie, 404, "NOT_FOUND"),
        (alley.gina, 403, "FORBIDDEN"),
        ({}, 401, "UNAUTHENTICATED"),
    ):
        answers = [
            await read(alley, made["id"], headers)
            if headers
            else await alley.client.get(f"{PATH}/{made['id']}"),
            await alley.client.get(PATH, params={"venue_id": alley.venue_id}, headers=headers),
            await alley.client.get(PATH, params=resource, headers=headers),
            await alley.client.get(f"{PATH}/expanded", params=ranged, headers=headers),
            await alley.client.post(f"{PATH}/preview", json=wanted(alley, "l1"), headers=headers),
        ]
        for each in answers:
            refused(each, status, code)
            assert "secret" not in each.text
        # Asking by the resource reveals nothing about its venue.
        assert not any(alley.venue_id in each.text for each in answers[2:4])


async def test_one_of_another_venue_is_like_none(alley: House) -> None:
    """Staff of another venue can't tell whether or where it exists. Guests learn nothing at all."""
    made, none = await blocked(alley, "l1"), "01a1fa4c-7083-7151-bce8-d78608412e10"
    elsewhere = alley.headers("staff", subject="eve", venues=[none])
    for headers, status in ((elsewhere, 404), (alley.gina, 403)):
        said = []
        for id_ in (made["id"], none):
            for send in (
                alley.client.get(f"{PATH}/{id_}", headers=headers),
                alley.client.patch(
                    f"{PATH}/{id_}", json={"reason": "x", "expected_version": 1}, headers=headers
                ),
                alley.client.delete(f"{PATH}/{id_}", headers={**headers, "if-match": '"1"'}),
            ):
                answer = await send
                assert answer.status_code == status, answer.text
                said.append(answer.text.replace(id_, "ID"))
        assert said[:3] == said[3:]
        assert alley.venue_id not in "".join(said)
