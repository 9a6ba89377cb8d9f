"""Where the items of an order are: open places alone, those that they had, and none that another item has."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from tests.conftest import House

from .asking import DAY, at, change, read, refused
from .test_orders import blocked, cancel_item, free, names, order, ordered

CAKE = {"id": "cake", "name": "Cake", "amount": "7.00", "per": "booking"}
POLICY = {"slot_step_minutes": 15, "default_duration_minutes": 90, "extras": [CAKE]}


def table(slug: str, seats: int = 2, **more: Any) -> dict[str, Any]:
    return {"slug": slug, "name": slug.upper(), "kind": "table", "seats_max": seats, **more}


async def test_no_item_gets_a_closed_place_because_the_open_one_is_taken(open_house: Any) -> None:
    lunch = {
        "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "10:00", "close": "12:00"}]
    }
    house: House = await open_house(policy=POLICY, resources=[table("t1"), table("t2", hours=lunch)])
    body = refused(await order(house, {"party_size": 2}, {"party_size": 2}), 409, "TABLE_NOT_AVAILABLE")
    assert body["suggested_slots"] == []
    assert names(await ordered(house, {"party_size": 2}, {"party_size": 2}, start=at("10:30"))) == [
        ["t1"],
        ["t2"],
    ]


async def test_other_extras_leave_the_items_where_they_are(open_house: Any) -> None:
    """Although one table would do now, and theirs are out of use."""
    tables = [table("t1", adjacent=["t2"]), table("t2", adjacent=["t1"]), table("t4", 4), table("t5")]
    house: House = await open_house(policy=POLICY, resources=tables)
    big = await house.booked(start=at("18:00"), resource_ids=house.ids("t4"), party_size=4)
    made = await ordered(house, {"party_size": 4}, {"party_size": 2})
    assert names(made) == [["t1", "t2"], ["t5"]]
    sold = (await change(house, made, extras=[{"id": "cake"}])).json()
    assert (names(sold), sold["resource_ids"]) == (names(made), made["resource_ids"])
    assert (await change(house, big, booking_time="12:00")).status_code == 200
    await house.replace(
        {**house.document, "resources": [{**each, "active": each["slug"] == "t4"} for each in tables]}
    )
    bare = (await change(house, sold, extras=[])).json()
    assert (names(bare), bare["resource_ids"]) == (names(made), made["resource_ids"])
    more = (await change(house, bare, items=[{"party_size": 3}])).json()
    assert names(more) == [*names(made), ["t4"]]


async def test_items_without_a_place_yet_get_different_ones(open_house: Any) -> None:
    house: House = await open_house(policy=POLICY, resources=[table("t1"), table("t2")])
    made = await ordered(house, {"party_size": 2})
    await blocked(
        house,
        {
            "venue_id": house.venue_id,
            "resource_ids": house.ids("t1"),
            "start": at("17:00"),
            "end": at("21:00"),
            "on_conflict": "displace",
            "reason": "Leak",
        },
    )
    gone = await read(house, made)
    assert gone["status"] == "MANUAL_REVIEW"
    more = (await change(house, gone, items=[{"party_size": 2}], booking_time="12:00")).json()
    assert names(more) == [["t1"], ["t2"]]
    body = {"to": "CONFIRMED", "expected_version": more["version"]}
    back = await house.client.post(f"/bookings/{made['id']}/status", json=body, headers=house.bob)
    assert (back.status_code, names(back.json())) == (200, [["t1"], ["t2"]])


async def test_an_item_that_names_another_place_is_no_longer_of_its_type(open_house: Any) -> None:
    resources = [table("t1", group="window"), table("t2"), table("t3", group="window")]
    house: House = await open_house(policy=POLICY, resources=resources)
    made = await ordered(house, {"group": "window", "party_size": 2})
    item = {"id": made["items"][0]["id"]}
    same = (await change(house, made, items=[{**item, "resource_ids": house.ids("t3")}])).json()
    assert (same["items"][0]["group"], names(same)) == ("window", [["t3"]])
    other = (await change(house, same, items=[{**item, "resource_ids": house.ids("t2")}])).json()
    assert (other["items"][0]["group"], names(other)) == (None, [["t2"]])


async def test_a_whole_and_a_part_of_it_are_no_order(open_house: Any) -> None:
    lanes = [{"slug": each, "name": each.upper(), "kind": "lane", "seats_max": 4} for each in ("a", "b", "c")]
    whole = {"slug": "hall", "name": "Hall", "kind": "facility", "seats_max": 20, "parts": ["a", "b"]}
    house: House = await open_house(policy=POLICY, resources=[*lanes, whole])
    hall = {"resource_ids": house.ids("hall"), "party_size": 9}
    lane = {"resource_ids": house.ids("a"), "party_size": 2}
    body = refused(await order(house, hall, lane), 409, "FACILITY_NOT_AVAILABLE")
    assert body["detail"].startswith("Another item of this order takes A")
    made = await ordered(house, hall, {"preferences": {"kinds": ["lane"]}, "party_size": 2})
    assert names(made) == [["hall"], ["c"]]
    assert (await cancel_item(house, made, 0)).status_code == 200
    assert await free(house, "a", "b", "c", "hall") == ["a", "b", "hall"]


async def test_a_promise_makes_room_for_a_new_item_as_for_a_new_order(open_house: Any) -> None:
    rooms = [
        {"slug": each, "name": each, "kind": "room", "group": "double", "seats_max": 2}
        for each in ("r1", "r2")
    ]
    house: House = await open_house(
        stay={"check_in": "15:00", "check_out": "11:00"},
        policy={"bind_group": "at_check_in"},
        resources=[*rooms, {"slug": "s", "name": "S", "kind": "room", "group": "suite", "seats_max": 4}],
    )

    def night(number: int) -> str:
        day: date = DAY + timedelta(days=number)
        return day.isoformat()

    for more in (
        {"group": "double", "arrival": night(1), "nights": 2},
        {"resource_ids": house.ids("r2"), "arrival": night(0), "nights": 1},
    ):
        body = {"venue_id": house.venue_id, "party_size": 2, **more}
        response = await house.client.post("/bookings", json=body, headers=house.bob)
        assert response.status_code == 201, response.text
    stay = {"venue_id": house.venue_id, "arrival": night(0), "nights": 3}
    body = {**stay, "items": [{"group": "suite", "party_size": 2}]}
    made = (await house.client.post("/bookings", json=body, headers=house.bob)).json()
    more = await change(house, made, items=[{"group": "double", "party_size": 2}])
    assert more.status_code == 200, more.text
    assert names(more.json()) == [["s"], ["r1"]]


async def test_what_others_must_move_for_is_shown_without_a_room(open_house: Any) -> None:
    """Of a type that is bound late there is room since a promise can move; but nobody can name the room."""
    rooms = [{"slug": slug, "name": slug.upper(), "kind": "room", "group": "double"} for slug in ("r1", "r2")]
    house: House = await open_house(
        kind="hotel",
        stay={"check_in": "15:00", "check_out": "11:00"},
        policy={"bind_group": "at_check_in"},
        resources=rooms,
    )
    for more in (
        {"group": "double", "arrival": str(DAY + timedelta(days=1)), "nights": 2},
        {"resource_ids": house.ids("r2"), "arrival": str(DAY), "nights": 1},
    ):
        assert (await house.book(**more)).status_code == 201
    asked = {"venue_id": house.venue_id, "arrival": str(DAY), "nights": 3}
    asked["items"] = [{"group": "double", "party_size": 2}]
    response = await house.client.post("/bookings/availability/check", json=asked)
    assert response.status_code == 200, response.text
    [option] = response.json()["options"]
    assert option["items"] == [{"resource_ids": []}]
    assert option["resource_ids"] == []
    made = await house.client.post("/bookings", json=asked, headers=house.bob)
    assert made.status_code == 201, made.text


async def test_an_order_is_as_long_as_its_largest_party_usually_is(open_house: Any) -> None:
    long = [{"party_size_max": 2, "minutes": 90}, {"party_size_max": 6, "minutes": 120}]
    policy = {**POLICY, "durations": long, "guests_choose_duration": False}
    house: House = await open_house(policy=policy, resources=[table("t1", 6), table("t2", 6), table("t3", 6)])
    made = await ordered(house, {"party_size": 2}, {"party_size": 2}, who=house.gina)
    item = {"id": made["items"][0]["id"]}
    assert made["duration_minutes"] == 90
    more = (await change(house, made, house.gina, items=[{**item, "party_size": 5}])).json()
    assert more["duration_minutes"] == 120
    fewer = (await change(house, more, house.gina, items=[{**item, "party_size": 1}])).json()
    added = (await change(house, fewer, house.gina, items=[{"party_size": 2}])).json()
    assert (fewer["duration_minutes"], added["duration_minutes"]) == (90, 90)
    said = await change(house, added, house.gina, booking_time="12:00", duration_minutes=90)
    assert said.status_code == 200, said.text
    refused(await change(house, said.json(), house.gina, duration_minutes=120), 400, "INVALID_REQUEST")
