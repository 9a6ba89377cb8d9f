"""Several things in one order: all of them or none, each of which can be changed and cancelled."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.conftest import House

from .asking import at, cancel, change, history, read, refused

Booked = dict[str, Any]


@pytest.fixture
async def hall(open_house: Any) -> House:
    """Two tables for two and one for four that join nothing, a counter of six stools, two rooms of a type."""
    return await open_house(
        policy={
            "slot_step_minutes": 15,
            "default_duration_minutes": 90,
            "tax_percent": "10",
            "deposit_percent": "50",
            "cancellation_cutoff_minutes": 60 * 24 * 300,
            "cancellation_fee_percent": "50",
            "price_rules": [
                {"label": "Seat", "kinds": ["seat"], "per": "guest", "amount": "5.00"},
                {
                    "label": "Room",
                    "groups": ["room"],
                    "per": "booking",
                    "amount": "100.00",
                    "tax_percent": "20",
                },
                {"label": "Table", "per": "guest", "amount": "10.00"},
            ],
            "extras": [{"id": "cake", "name": "Cake", "amount": "7.00", "per": "booking", "stock": 2}],
            "discounts": [{"code": "HALF", "percent": 50}],
        },
        resources=[
            {"slug": "t1", "name": "T1", "kind": "table", "seats_max": 2, "sort_order": 1},
            {"slug": "t2", "name": "T2", "kind": "table", "seats_max": 2, "sort_order": 2},
            {"slug": "t4", "name": "T4", "kind": "table", "seats_max": 4, "sort_order": 3},
            {"slug": "bar", "name": "Bar", "kind": "seat", "seats_max": 6, "units": 6, "takes": "guests"},
            {
                "slug": "r1",
                "name": "R1",
                "kind": "room",
                "group": "room",
                "seats_max": 4,
                "minimum_spend": "30.00",
            },
            {
                "slug": "r2",
                "name": "R2",
                "kind": "room",
                "group": "room",
                "seats_max": 4,
                "minimum_spend": "30.00",
            },
        ],
    )


async def order(
    house: House, *items: dict[str, Any], who: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "items": list(items), **more}
    return await house.client.post("/bookings", json=body, headers=who or house.bob)


async def ordered(house: House, *items: dict[str, Any], **more: Any) -> Booked:
    response = await order(house, *items, **more)
    assert response.status_code == 201, response.text
    return response.json()


async def cancel_item(house: House, booking: Booked, number: int, **more: Any) -> httpx.Response:
    path = f"/bookings/{booking['id']}/items/{booking['items'][number]['id']}/cancel"
    body = {"expected_version": booking["version"], **more}
    return await house.client.post(path, json=body, headers=house.bob)


async def free(house: House, *slugs: str, clock: str = "18:00", party_size: int = 1) -> list[str]:
    """Which of these can be booked then."""
    found: list[str] = []
    for slug in slugs:
        body = {
            "venue_id": house.venue_id,
            "party_size": party_size,
            "start": at(clock),
            "resource_ids": house.ids(slug),
        }
        response = await house.client.post("/bookings/availability/check", json=body, headers=house.bob)
        assert response.is_success, response.text
        if response.json()["available"]:
            found.append(slug)
    return found


def names(booking: Booked) -> list[list[str]]:
    return [[each["slug"] for each in item["resources"]] for item in booking["items"]]


ALL = ("t1", "t2", "t4", "bar", "r1", "r2")


async def test_one_reference_one_price_and_one_hold_for_all(hall: House) -> None:
    made = await ordered(
        hall,
        {"party_size": 2},
        {"group": "room", "party_size": 3},
        {"resource_ids": hall.ids("bar"), "party_size": 4},
        who=hall.gina,
        hold=True,
        extras=[{"id": "cake"}],
        discount_code="HALF",
    )
    assert names(made) == [["t1"], ["r1"], ["bar"]]
    assert [each["party_size"] for each in made["items"]] == [2, 3, 4]
    assert [each["group"] for each in made["items"]] == [None, "room", None]
    assert [each["chosen_by"] for each in made["items"]] == ["house", "house", "guest"]
    assert {each["status"] for each in made["items"]} == {"HELD"} == {made["status"]}
    assert (made["party_size"], len(made["resource_ids"])) == (9, 3)
    lines = [[(line["label"], line["amount"]) for line in item["price_lines"]] for item in made["items"]]
    assert lines == [[("Table", "20.00")], [("Room", "100.00")], [("Seat", "20.00")]]
    assert [line["amount"] for line in made["price_lines"]] == ["20.00", "100.00", "20.00", "7.00"]
    # 147.00, half of it off; 10 % on 23.50 and 20 % on 50.00
    prices = [made[name] for name in ("base_price", "discount_amount", "tax_amount", "total_price")]
    assert prices == ["147.00", "73.50", "12.35", "85.85"]
    assert made["minimum_spend"] == "30.00"
    assert await free(hall, *ALL) == ["t2", "t4", "bar", "r2"]
    assert await free(hall, "bar", party_size=3) == []
    path = f"/bookings/{made['id']}/confirm"
    booked = (await hall.client.post(path, json={}, headers=hall.gina)).json()
    assert {each["status"] for each in booked["items"]} == {"RESERVED"} == {booked["status"]}
    path = f"/bookings/{made['id']}"
    assert (await hall.client.get(path, headers=hall.gina)).json() == booked
    assert (await cancel(hall, booked)).status_code == 200
    assert await free(hall, *ALL) == list(ALL)


async def test_all_of_it_or_none(hall: House) -> None:
    await hall.booked(start=at("18:00"), resource_ids=hall.ids("r1"))
    room, table = {"group": "room", "party_size": 2}, {"party_size": 2}
    body = refused(await order(hall, table, room, room), 409, "ROOM_NOT_AVAILABLE")
    assert body["detail"].startswith("Of the 2 rooms for 2 in this order, 1 is free at that time. Take one")
    assert {each["resource_name"] for each in body["conflicts"]} >= {"R1"}
    assert await free(hall, *ALL) == ["t1", "t2", "t4", "bar", "r2"]
    assert names(await ordered(hall, table, room)) == [["t1"], ["r2"]]


async def test_a_place_that_another_item_needs_is_left_to_it(hall: House) -> None:
    any_table = {"preferences": {"kinds": ["table"]}}
    named = {"resource_ids": hall.ids("t1"), "party_size": 1}
    made = await ordered(
        hall, {**any_table, "party_size": 2}, {**any_table, "party_size": 2}, {"party_size": 4, **any_table}
    )
    assert names(made) == [["t1"], ["t2"], ["t4"]]
    await cancel(hall, made)
    made = await ordered(hall, {**any_table, "party_size": 2}, {**any_table, "party_size": 2}, named)
    assert names(made) == [["t2"], ["t4"], ["t1"]]


async def test_items_share_units_and_none_is_taken_twice(hall: House) -> None:
    bar = {"resource_ids": hall.ids("bar")}
    made = await ordered(hall, {**bar, "party_size": 2}, {**bar, "party_size": 3})
    assert await free(hall, "bar", party_size=1) == ["bar"]
    assert await free(hall, "bar", party_size=2) == []
    refused(await order(hall, {**bar, "party_size": 2}), 409, "SEAT_NOT_AVAILABLE")
    fewer = (await cancel_item(hall, made, 0)).json()
    assert await free(hall, "bar", party_size=3) == ["bar"]
    assert await free(hall, "bar", party_size=4) == []
    assert (fewer["party_size"], [each["status"] for each in fewer["items"]]) == (
        3,
        ["CANCELLED", "RESERVED"],
    )
    refused(await order(hall, {**bar, "party_size": 4}, {**bar, "party_size": 4}), 409, "SEAT_NOT_AVAILABLE")


async def test_taking_one_out_keeps_the_others_as_they_are(hall: House) -> None:
    made = await ordered(
        hall,
        {"group": "room", "party_size": 2},
        {"party_size": 2},
        extras=[{"id": "cake"}],
        discount_code="HALF",
    )
    await hall.change_policy(price_rules=[{"per": "booking", "amount": "999.00"}], tax_percent="50")
    dearer = [{**each, "minimum_spend": "77.00"} for each in hall.document["resources"]]
    await hall.replace({**hall.document, "resources": dearer})
    response = await cancel_item(hall, made, 0, reason="One car less")
    assert response.status_code == 200, response.text
    fewer = response.json()
    assert [each["status"] for each in fewer["items"]] == ["CANCELLED", "RESERVED"]
    assert fewer["items"][1] == made["items"][1]
    assert fewer["resource_ids"] == made["items"][1]["resource_ids"]
    prices = [fewer[name] for name in ("base_price", "discount_amount", "tax_amount", "total_price")]
    assert prices == ["27.00", "13.50", "1.35", "14.85"]
    assert (fewer["minimum_spend"], fewer["deposit_amount"]) == ("0.00", "7.43")
    assert await free(hall, "r1", "t1") == ["r1"]
    entry = (await history(hall, fewer))[-1]
    assert (entry["action"], entry["reason"]) == ("cancel_item", "One car less")
    assert entry["metadata"]["item_id"] == made["items"][0]["id"]
    assert "cancellation_fee" not in entry["metadata"]
    again = await cancel_item(hall, made, 0)
    assert (again.status_code, again.json()) == (200, fewer)


async def test_who_takes_one_out_late_owes_a_part_of_its_price(hall: House) -> None:
    made = await ordered(hall, {"group": "room", "party_size": 2}, {"party_size": 2}, who=hall.gina)
    path = f"/bookings/{made['id']}/items/{made['items'][0]['id']}/cancel"
    body = {"expected_version": made["version"]}
    assert (await hall.client.post(path, json=body, headers=hall.gina)).status_code == 200
    entry = (await history(hall, made))[-1]
    assert entry["metadata"]["cancellation_fee"] == "60.00"  # half of 100.00 and its 20 %


async def test_with_its_last_item_an_order_is_cancelled(hall: House) -> None:
    made = await ordered(hall, {"party_size": 2}, {"group": "room", "party_size": 2})
    fewer = (await cancel_item(hall, made, 1)).json()
    refused(await cancel_item(hall, made, 0), 409, "VERSION_CONFLICT")
    over = (await cancel_item(hall, fewer, 0, reason="Ill")).json()
    assert (over["status"], over["cancellation_reason"]) == ("CANCELLED", "Ill")
    assert await free(hall, *ALL) == list(ALL)


async def test_items_are_changed_and_added_one_by_one(hall: House) -> None:
    made = await ordered(hall, {"party_size": 2}, {"group": "room", "party_size": 2})
    table, room = made["items"]
    more = (
        await change(
            hall, made, items=[{"id": table["id"], "party_size": 4}, {"group": "room", "party_size": 1}]
        )
    ).json()
    assert names(more) == [["t4"], ["r1"], ["r2"]]
    assert [each["id"] for each in more["items"][:2]] == [table["id"], room["id"]]
    assert (more["party_size"], more["base_price"]) == (7, "240.00")
    named = (
        await change(hall, more, items=[{"id": table["id"], "resource_ids": hall.ids("t2"), "party_size": 2}])
    ).json()
    assert names(named) == [["t2"], ["r1"], ["r2"]]
    assert named["items"][0]["chosen_by"] == "guest"
    full = await change(hall, named, items=[{"group": "room", "party_size": 1}])
    refused(full, 409, "ROOM_NOT_AVAILABLE")
    assert await read(hall, named) == named


async def test_a_new_time_moves_all_of_it_or_nothing(hall: House) -> None:
    made = await ordered(
        hall, {"resource_ids": hall.ids("t2"), "party_size": 2}, {"group": "room", "party_size": 2}
    )
    await hall.booked(start=at("20:00"), resource_ids=hall.ids("r1"))
    moved = (await change(hall, made, booking_time="20:00")).json()
    assert names(moved) == [["t2"], ["r2"]]
    assert await free(hall, "t2", "r1", "r2") == ["t2", "r1", "r2"]
    await hall.booked(start=at("12:00"), resource_ids=hall.ids("t2"))
    refused(await change(hall, moved, booking_time="12:00"), 409, "TABLE_NOT_AVAILABLE")
    assert await read(hall, moved) == moved
    noted = (await change(hall, moved, guest_name="Ada", extras=[{"id": "cake"}])).json()
    assert names(noted) == [["t2"], ["r2"]]
    assert [line["label"] for line in noted["price_lines"]] == ["Table", "Room", "Cake"]
    again = (await change(hall, noted, booking_time="20:00")).json()
    assert names(again) == [["t2"], ["r2"]]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"items": []}, "items"),
        ({"items": [{}]}, "items.0.party_size"),
        ({"items": [{"party_size": 2}], "party_size": 3}, "party_size"),
        ({"items": [{"party_size": 2}], "group": "room"}, ""),
        ({"items": [{"party_size": 2, "group": "suite"}]}, "items.0.group"),
        (
            {"items": [{"party_size": 2}, {"party_size": 1, "resource_ids": [str(uuid4())]}]},
            "items.1.resource_ids",
        ),
        ({"items": [{"party_size": 1}] * 21}, "items"),
        ({}, "party_size"),
    ],
)
async def test_what_is_wrong_is_named(hall: House, wrong: dict[str, Any], field: str) -> None:
    body = {"venue_id": hall.venue_id, "start": at("18:00"), **wrong}
    response = await hall.client.post("/bookings", json=body, headers=hall.bob)
    assert refused(response, 400, "INVALID_REQUEST")["errors"][0]["field"] == field


async def test_an_order_is_changed_by_its_items_and_nothing_else_is(hall: House) -> None:
    made, single = (
        await ordered(hall, {"party_size": 2}, {"party_size": 2}),
        await hall.booked(start=at("12:00")),
    )
    for wrong, field in (
        ({"party_size": 3}, "party_size"),
        ({"resource_ids": hall.ids("t4")}, "resource_ids"),
        ({"group": "room"}, "preferences"),
        ({"items": [{"id": str(uuid4()), "party_size": 1}]}, "items.0.id"),
        ({"items": [{"group": "room"}]}, "items.0.party_size"),
        ({"items": [{"id": made["items"][0]["id"]}] * 2}, "items"),
        ({"items": [{"party_size": 1}] * 19}, "items"),
    ):
        body = refused(await change(hall, made, **wrong), 400, "INVALID_REQUEST")
        assert body["errors"][0]["field"] == field, body
    body = refused(await change(hall, single, items=[{"party_size": 1}]), 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == "items"
    path = f"/bookings/{single['id']}/items/{uuid4()}/cancel"
    refused(await hall.client.post(path, json={"expected_version": 1}, headers=hall.bob), 404, "NOT_FOUND")
    charlie = hall.headers("guest", subject="charlie")
    path = f"/bookings/{made['id']}/items/{made['items'][0]['id']}/cancel"
    refused(await hall.client.post(path, json={"expected_version": 1}, headers=charlie), 404, "NOT_FOUND")


async def test_the_same_key_orders_once(hall: House) -> None:
    item = {"group": "room", "party_size": 2}
    first = await ordered(hall, item, item, idempotency_key="k")
    assert (await order(hall, item, item, idempotency_key="k")).json() == first
    refused(await order(hall, item, idempotency_key="k"), 409, "IDEMPOTENCY_CONFLICT")
    assert await free(hall, "r1", "r2") == []


async def checked(house: House, *items: dict[str, Any], **more: Any) -> Booked:
    body = {"venue_id": house.venue_id, "start": at("18:00"), "items": list(items), **more}
    response = await house.client.post("/bookings/availability/check", json=body, headers=house.gina)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_check_says_what_an_order_would_get_and_cost(hall: House) -> None:
    room, table = {"group": "room", "party_size": 2}, {"party_size": 2}
    found = await checked(hall, table, room, extras=[{"id": "cake"}])
    [option] = found["options"]
    made = await ordered(hall, table, room, extras=[{"id": "cake"}])
    assert [each["resource_ids"] for each in option["items"]] == [
        each["resource_ids"] for each in made["items"]
    ]
    assert (found["available"], found["price"]["total_price"]) == (True, made["total_price"])
    assert option["seats_wasted"] == 2  # of the room for four
    none = await checked(hall, room, room)
    assert (none["available"], none["options"], none["can_join_waitlist"]) == (False, [], False)
    assert {each["resource_name"] for each in none["conflicts"]} == {"R1"}


@pytest.mark.parametrize("named", [False, True])
async def test_what_is_suggested_for_an_order_can_be_booked(hall: House, named: bool) -> None:
    room: dict[str, Any] = {"resource_ids": hall.ids("r1")} if named else {"group": "room"}
    for clock in ("16:30", "18:00"):
        await hall.booked(start=at(clock), resource_ids=hall.ids("r1"))
    await hall.booked(start=at("21:15"), resource_ids=hall.ids("t1"))
    items = [
        {"party_size": 2, **room},
        {"party_size": 2, "group": "room"},
        {"party_size": 2, "resource_ids": hall.ids("t1")},
    ]
    body = refused(await order(hall, *items), 409, "ROOM_NOT_AVAILABLE")
    assert body["suggested_slots"]
    assert body["suggested_slots"] == (await checked(hall, *items))["suggested_slots"]
    for slot in body["suggested_slots"]:
        made = await ordered(hall, *items, start=slot["start"], end=slot["end"])
        assert made["resource_ids"] == slot["resource_ids"]
        assert (await cancel(hall, made)).status_code == 200


async def test_who_gets_the_place_of_an_order_again_gets_the_same(hall: House) -> None:
    """A block takes it, staff take it back: the items are where they were, although better places are free."""
    for slug in ("t1", "t2"):
        await hall.booked(start=at("18:00"), resource_ids=hall.ids(slug), special_requests=slug)
    made = await ordered(
        hall, {"party_size": 2, "preferences": {"kinds": ["table"]}}, {"group": "room", "party_size": 2}
    )
    assert names(made) == [["t4"], ["r1"]]
    block = {
        "venue_id": hall.venue_id,
        "resource_ids": hall.ids("r1"),
        "start": at("17:00"),
        "end": at("21:00"),
        "on_conflict": "displace",
        "reason": "Leak",
    }
    path = f"/chain/maintenance-blocks/{(await blocked(hall, block))['id']}"
    gone = await read(hall, made)
    assert gone["status"] == "MANUAL_REVIEW"
    assert {each["status"] for each in gone["items"]} == {"MANUAL_REVIEW"}
    listed = await hall.client.get(f"/bookings/venue/{hall.venue_id}", headers=hall.bob)
    for each in listed.json()["items"]:
        if each["special_requests"] == "t1":
            await cancel(hall, each)
    removed = await hall.client.delete(path, headers={**hall.bob, "if-match": '"1"'})
    assert removed.is_success, removed.text
    body = {"to": "CONFIRMED", "expected_version": gone["version"]}
    back = await hall.client.post(f"/bookings/{made['id']}/status", json=body, headers=hall.bob)
    assert back.status_code == 200, back.text
    assert names(back.json()) == [["t4"], ["r1"]]
    assert await free(hall, "t1", "t4", "r1", "r2") == ["t1", "r2"]


async def blocked(house: House, block: dict[str, Any]) -> dict[str, Any]:
    made = await house.client.post("/chain/maintenance-blocks", json=block, headers=house.alice)
    assert made.status_code == 201, made.text
    return made.json()
