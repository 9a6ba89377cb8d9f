"""Joining the waitlist: who may join, what for, and in which order they wait."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import orjson
import pytest

from holdfast.waitlist import join as joining
from tests.booking.asking import at, refused
from tests.conftest import House

from .asking import answer, ask_to_join, entry_of, events_of, joined

GUEST = {"guest_name": "Gina", "guest_email": "gina@example.com", "guest_phone": "+46 70 000 00 00"}


async def test_it_answers_the_entry_with_its_position(house: House) -> None:
    first = await joined(house, house.gina, **GUEST)
    assert first == {
        "id": first["id"],
        "venue_id": house.venue_id,
        "status": "WAITING",
        "position": 1,
        "offer": None,
        "booking_id": None,
        "party_size": 2,
        "earliest": at("18:00"),
        "latest": at("20:00"),
        "duration_minutes": 90,
        "resource_ids": [],
        "preferences": {"kinds": [], "zones": [], "attributes": {}, "group": None},
        "guest_id": "gina",
        **GUEST,
        "version": 1,
        "created_at": first["created_at"],
        "updated_at": first["created_at"],
    }
    assert (await joined(house, party_size=4))["position"] == 2
    assert await entry_of(house, first, house.gina) == first


async def test_it_keeps_what_was_wanted(house: House) -> None:
    named = await joined(house, resource_ids=house.ids("t2"), duration_minutes=45, guest_id="g-1")
    assert (named["resource_ids"], named["duration_minutes"]) == (house.ids("t2"), 45)
    assert named["guest_id"] == "g-1"
    wanted = {"kinds": ["table"], "zones": ["window"], "attributes": {}}
    preferring = await joined(house, preferences=wanted)
    assert (await entry_of(house, preferring))["preferences"] == {**wanted, "group": None}


async def test_length_is_the_policys_for_such_a_party(house: House) -> None:
    await house.change_policy(durations=[{"party_size_max": 2, "minutes": 60}])
    assert (await joined(house))["duration_minutes"] == 60
    assert (await joined(house, party_size=4))["duration_minutes"] == 90


async def test_attributes_are_asked_for_as_they_are(open_house: Any) -> None:
    lanes = [{"slug": "l1", "kind": "lane", "attributes": {"bumpers": True, "length": 18.5}}]
    house = await open_house(resources=lanes)
    wanted = {"kinds": [], "zones": [], "attributes": {"bumpers": True, "length": 18.5}}
    entry = await joined(house, preferences=wanted)
    assert (await entry_of(house, entry))["preferences"] == {**wanted, "group": None}
    none = {"attributes": {"bumpers": False}}
    body = refused(await ask_to_join(house, preferences=none), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "preferences"


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"earliest": at("20:00"), "latest": at("18:00")}, "latest"),
        ({"latest": at("18:15", days=31)}, "latest"),
        ({"party_size": 0}, "party_size"),
        ({"party_size": "2"}, "party_size"),
        ({"duration_minutes": 0}, "duration_minutes"),
        ({"duration_minutes": 61 * 24 * 60}, "duration_minutes"),
        ({"earliest": "2026-01-01T18:00:00"}, "earliest"),
        ({"latest": None}, "latest"),
        ({"resource_ids": []}, "resource_ids"),
        ({"resource_ids": ["018f0000-0000-7000-8000-000000000000"]}, "resource_ids"),
        ({"preferences": {"kinds": ["spaceship"]}}, "preferences"),
        ({"preferences": {"colour": "red"}}, "preferences.colour"),
        ({"start": at("18:00")}, "start"),
        ({"preferences": {"attributes": {"a\0": 1}}}, "preferences.attributes"),
        ({"preferences": {"attributes": {"a": "\0"}}}, "preferences.attributes.a"),
        ({"preferences": {"attributes": {"a": 2**70}}}, "preferences.attributes.a"),
        ({"preferences": {"attributes": {"a": [1]}}}, None),
        ({"guest_name": "A\0"}, "guest_name"),
        ({"resource_ids": ["x"]}, "resource_ids.0"),
    ],
)
async def test_what_is_malformed_is_refused_and_says_what_would_be_right(
    house: House, owner: asyncpg.Connection, wanted: dict[str, Any], field: str | None
) -> None:
    body = refused(await ask_to_join(house, **wanted), 400, "INVALID_REQUEST")
    assert field in (None, *(each["field"] for each in body["errors"]))
    assert body["errors"][0]["problem"]
    assert (
        await owner.fetchval("SELECT count(*) FROM waitlist_entry WHERE venue_id = $1", house.venue_id) == 0
    )


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"earliest": "2020-01-01T10:00:00Z", "latest": "2020-01-01T12:00:00Z"}, "TOO_SOON"),
        ({"earliest": at("18:00", days=400), "latest": at("20:00", days=400)}, "TOO_FAR_AHEAD"),
        ({"earliest": at("23:00"), "latest": at("23:30")}, "OUTSIDE_OPENING_HOURS"),
        ({"earliest": at("18:01"), "latest": at("18:14")}, "OFF_SLOT_STEP"),
        ({"party_size": 500}, "PARTY_TOO_LARGE"),
        ({"party_size": 11, "preferences": {"kinds": ["lane"]}}, "PARTY_TOO_LARGE"),
    ],
)
async def test_a_wait_that_could_never_end_is_refused(
    house: House, wanted: dict[str, Any], code: str
) -> None:
    refused(await ask_to_join(house, **wanted), 400, code)


async def test_a_party_that_named_resources_do_not_seat_is_refused(house: House) -> None:
    body = refused(
        await ask_to_join(house, party_size=3, resource_ids=house.ids("t1")), 400, "PARTY_TOO_LARGE"
    )
    assert body["seats_max"] == 2


async def test_one_start_that_could_be_is_enough(house: House) -> None:
    await joined(house, earliest=at("21:30"), latest=at("23:45"))
    await joined(house, earliest=at("02:00"), latest=at("10:00"))
    await joined(house, earliest=at("18:00"), latest=at("18:00"))
    await joined(house, earliest=at("18:00"), latest=at("18:00", days=31))


async def test_a_venue_may_have_no_waitlist(house: House) -> None:
    await house.change_policy(waitlist_enabled=False)
    refused(await ask_to_join(house), 409, "WAITLIST_CLOSED")
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    body = refused(
        await house.book(start=at("18:00"), resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE"
    )
    assert body["can_join_waitlist"] is False


async def test_who_is_told_of_the_waitlist_can_join_it(house: House) -> None:
    wanted = {"party_size": 2, "resource_ids": house.ids("t1")}
    await house.booked(start=at("18:00"), **wanted)
    body = refused(await house.book(start=at("18:00"), **wanted), 409, "TABLE_NOT_AVAILABLE")
    assert body["can_join_waitlist"] is True
    check = {"venue_id": house.venue_id, "start": at("18:00"), **wanted}
    checked = (await house.client.post("/bookings/availability/check", json=check)).json()
    assert (checked["available"], checked["can_join_waitlist"]) == (False, True)
    await joined(house, earliest=at("18:00"), latest=at("18:00"), **wanted)


async def test_a_guest_waits_only_so_often_and_may_leave_to_wait_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "ENTRIES_PER_GUEST_MAX", 2)
    first = await joined(house, house.gina)
    await joined(house, house.gina)
    body = refused(await ask_to_join(house, house.gina), 429, "TOO_MANY_ENTRIES")
    assert body["entries_max"] == 2
    await joined(house, house.headers("guest", subject="gustav"))
    for _ in range(3):
        await joined(house, {})  # anonymous: only the venue's quota applies
    assert (await answer(house, first, "leave", house.gina)).status_code == 200
    await joined(house, house.gina)


async def test_an_address_waits_only_so_often_and_is_forgotten_then(
    house: House, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "ENTRIES_PER_ADDRESS_MAX", 2)
    first = await joined(house, {})
    await joined(house, house.gina)
    for who in ({}, house.headers("guest", subject="gustav")):
        refused(await ask_to_join(house, who), 429, "TOO_MANY_ENTRIES")
    for _ in range(3):
        await joined(house, house.bob)
    assert (await answer(house, first, "leave")).status_code == 200
    kept = "SELECT count(*) FROM waitlist_entry WHERE venue_id = $1 AND joined_ip IS NOT NULL"
    assert await owner.fetchval(kept, house.venue_id) == 1
    await joined(house, {})


async def test_a_venue_has_so_many_entries_and_no_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "ENTRIES_MAX", 2)
    for _ in range(2):
        await joined(house, {})
    full = refused(await ask_to_join(house, {}), 409, "WAITLIST_FULL")
    assert full["entries_max"] == 2
    assert full["detail"] == "The waitlist of this venue is full: try again later."


async def test_guests_wait_for_themselves(house: House) -> None:
    refused(await ask_to_join(house, house.gina, guest_id="gustav"), 403, "FORBIDDEN")
    refused(await ask_to_join(house, {}, guest_id="gina"), 403, "FORBIDDEN")
    assert (await joined(house, {}, guest_name="Anna"))["guest_id"] is None


async def test_who_is_not_signed_in_joins_and_can_not_read_it_back(house: House) -> None:
    entry = await joined(house, {})
    assert entry["position"] == 1
    refused(await house.client.get(f"/waitlist/{entry['id']}"), 404, "NOT_FOUND")
    assert (await entry_of(house, entry))["status"] == "WAITING"


async def test_others_see_nothing(house: House, charlie: dict[str, str]) -> None:
    entry = await joined(house, house.gina)
    gustav = house.headers("guest", subject="gustav")
    for headers in (charlie, gustav, {}):
        refused(await house.client.get(f"/waitlist/{entry['id']}", headers=headers), 404, "NOT_FOUND")
        for how in ("accept", "decline", "leave"):
            refused(await answer(house, entry, how, headers), 404, "NOT_FOUND")
    refused(await ask_to_join(house, charlie), 404, "NOT_FOUND")
    path = f"/waitlist/venue/{house.venue_id}"
    refused(await house.client.get(path, headers=charlie), 404, "NOT_FOUND")
    refused(await house.client.get(path, headers=gustav), 403, "FORBIDDEN")
    refused(await house.client.get(path), 401, "UNAUTHENTICATED")
    assert (await entry_of(house, entry))["version"] == 1


async def test_a_key_joins_once(house: House) -> None:
    bodies = [(await ask_to_join(house, house.gina, idempotency_key="once")).json() for _ in range(2)]
    assert bodies[0] == bodies[1]
    refused(
        await ask_to_join(house, house.gina, idempotency_key="once", party_size=3),
        409,
        "IDEMPOTENCY_CONFLICT",
    )
    assert (await joined(house))["position"] == 2


async def test_it_tells_of_it_without_a_word_about_the_guest(house: House, owner: asyncpg.Connection) -> None:
    entry = await joined(house, house.gina, **GUEST)
    [event] = await events_of(owner, entry)
    assert (event["event_type"], event["channel"], event["actor"]) == (
        "waitlist.joined",
        "bookings",
        "guest:gina",
    )
    assert str(event["venue_id"]) == house.venue_id
    payload = orjson.loads(event["payload"])
    assert payload["entry_id"] == entry["id"]
    assert (payload["status"], payload["party_size"], payload["booking_id"]) == ("WAITING", 2, None)
    assert not any(value in event["payload"] for value in GUEST.values())


async def test_places_in_the_queue_are_given_once_each(house: House) -> None:
    entries = await asyncio.gather(*(joined(house, {}) for _ in range(8)))
    assert sorted(each["position"] for each in entries) == list(range(1, 9))


async def test_the_list_is_in_the_order_of_the_queue_page_by_page(house: House) -> None:
    entries = [await joined(house, {}) for _ in range(5)]
    await answer(house, entries[1], "leave")
    path = f"/waitlist/venue/{house.venue_id}"

    async def listed(**params: Any) -> dict[str, Any]:
        return (await house.client.get(path, params=params, headers=house.bob)).json()

    seen: list[dict[str, Any]] = []
    page = await listed(limit=2)
    seen += page["items"]
    while page["next"]:
        page = await listed(limit=2, cursor=page["next"])
        seen += page["items"]
    assert [each["id"] for each in seen] == [each["id"] for each in entries]
    assert [each["position"] for each in seen] == [1, None, 2, 3, 4]
    waiting = await listed(status="WAITING", limit=3)
    assert [each["position"] for each in waiting["items"]] == [1, 2, 3]
    assert [each["id"] for each in (await listed(status="LEFT"))["items"]] == [entries[1]["id"]]
    following = await listed(status="WAITING", limit=3, cursor=waiting["next"])
    assert [each["position"] for each in following["items"]] == [4]
    assert following["next"] is None


@pytest.mark.parametrize("params", [{"status": "LOST"}, {"limit": 0}, {"cursor": "%%"}, {"cursor": "YWJj"}])
async def test_a_list_says_what_it_can_not_be_asked(house: House, params: dict[str, Any]) -> None:
    response = await house.client.get(f"/waitlist/venue/{house.venue_id}", params=params, headers=house.bob)
    refused(response, 400, "INVALID_REQUEST")
