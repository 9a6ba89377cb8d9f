"""Fair use binds changes, and staff who book for a guest."""

from __future__ import annotations

from typing import Any

from .asking import at, change, refused
from .callers import LONG, MEMBERS, SHORT, ahead


async def test_a_change_does_not_count_against_itself(bound: Any) -> None:
    _, guest = await bound(
        {
            "per": "guest",
            "open_bookings_max": 2,
            "hours_per_week_max": 4,
            "at_once_max": 1,
            "days_ahead_max": ahead() + 20,
        }
    )
    gina = guest("gina")
    one = await gina.booked(start=at("12:00"), **LONG)
    two = await gina.booked(start=at("15:00"), **LONG)
    moved = await gina.change(one, start=at("12:30"))  # over itself, all hours used, both bookings open
    assert moved.status_code == 200, moved.text
    body = refused(await gina.change(moved.json(), start=at("13:30")), 429, "QUOTA_EXCEEDED")
    assert body["bound"] == "at_once_max"
    body = refused(await gina.change(moved.json(), end=at("15:00")), 429, "QUOTA_EXCEEDED")
    assert (body["bound"], body["used"]) == ("hours_per_week_max", 2)
    assert (
        refused(await gina.change(two, start=at("15:00", 40)), 429, "QUOTA_EXCEEDED")["bound"]
        == "days_ahead_max"
    )
    assert (await gina.change(two, party_size=3)).status_code == 200


async def test_a_stricter_rule_lets_bookings_get_better(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 9})
    gina = guest("gina")
    one = await gina.booked(start=at("12:00"), **LONG)
    await gina.booked(start=at("12:00"), **LONG)
    rule = {"per": "guest", "hours_per_week_max": 1, "at_once_max": 1, "days_ahead_max": 1}
    await house.change_policy(fair_use=[rule])
    shorter = await gina.change(one, duration_minutes=60)
    assert shorter.status_code == 200, shorter.text
    refused(await gina.change(shorter.json(), duration_minutes=90), 429, "QUOTA_EXCEEDED")
    refused(await gina.change(shorter.json(), start=at("12:00", 1)), 429, "QUOTA_EXCEEDED")


async def test_the_address_of_a_booking_binds_its_change(bound: Any) -> None:
    _, guest = await bound({"per": "address", "at_once_max": 1})
    made = await guest("gina").booked(start=at("12:00"))
    await guest("nina").booked(start=at("18:00"))
    elsewhere = guest("gina", address="198.51.100.1")
    refused(await elsewhere.change(made, start=at("18:00")), 429, "QUOTA_EXCEEDED")
    asked = {"start": at("18:00"), "except_booking": made["id"]}
    refused(await elsewhere.check(**asked), 429, "QUOTA_EXCEEDED")
    assert (await elsewhere.check(start=at("18:00"))).json()["available"]


async def test_staff_are_bound_for_their_guest_and_may_overrule(bound: Any) -> None:
    members = {"per": "guest", "groups": [*MEMBERS], "open_bookings_max": 9}
    house, guest = await bound(
        members, {"per": "guest", "open_bookings_max": 1}, {"per": "address", "open_bookings_max": 1}
    )
    for clock in ("12:00", "15:00"):
        await house.booked(start=at(clock))  # for nobody in particular
    await house.booked(start=at("12:00"), guest_id="gina")
    body = refused(await house.book(start=at("15:00"), guest_id="gina"), 429, "QUOTA_EXCEEDED")
    assert body["detail"].startswith("This guest has 1 open booking here, and they may have 1")
    why = {"override": ["QUOTA_EXCEEDED"], "override_reason": "A regular"}
    refused(await house.book(start=at("15:00"), guest_id="gina", **why), 403, "FORBIDDEN")
    made = await house.booked(house.alice, start=at("15:00"), guest_id="gina", **why)
    assert [each["code"] for each in made["overrides"]] == ["QUOTA_EXCEEDED"]
    refused(await guest("gina").book(start=at("18:00")), 429, "QUOTA_EXCEEDED")
    await house.change_policy(
        fair_use=[{"per": "guest", "at_once_max": 1}], may_override={"staff": ["QUOTA_EXCEEDED"]}
    )
    refused(await change(house, made, start=at("12:30")), 429, "QUOTA_EXCEEDED")
    assert (await change(house, made, start=at("12:30"), **why)).status_code == 200


async def test_walk_ins_bind_nobody_and_count(bound: Any) -> None:
    always = {"weekly": []}
    house, guest = await bound({"per": "guest", "open_bookings_max": 1})
    await house.replace({**house.document, "hours": always})
    body = {"venue_id": house.venue_id, "party_size": 2, "guest_id": "gina"}
    for _ in range(2):
        made = await house.client.post("/walk-ins", json=body, headers=house.bob)
        assert made.status_code == 201, made.text
    refused(await guest("gina").book(start=at("18:00")), 429, "QUOTA_EXCEEDED")
    # So it does if staff learn only later who sits there.
    seated = await house.client.post("/walk-ins", json={**body, "guest_id": None}, headers=house.bob)
    named = await change(house, seated.json(), guest_id="gina")
    assert (named.status_code, named.json().get("guest_id")) == (200, "gina"), named.text


async def test_each_item_of_an_order_counts(bound: Any) -> None:
    rules = {"open_bookings_max": 3, "hours_per_week_max": 5, "at_once_max": 2}
    house, guest = await bound({"per": "guest", **rules})
    one, gina = {"party_size": 2}, guest("gina")

    async def order(count: int, **wanted: Any) -> Any:
        return await gina.ask(
            "POST", "/bookings", json={"venue_id": house.venue_id, "items": [one] * count, **wanted}
        )

    for count, bound_hit in ((4, "open_bookings_max"), (3, "hours_per_week_max")):
        body = refused(await order(count, start=at("12:00"), **LONG), 429, "QUOTA_EXCEEDED")
        assert (body["bound"], body["used"]) == (bound_hit, 0)
        assert (bound_hit == "open_bookings_max") == ("an order of 4 is too much" in body["detail"].lower())
        asked = {"venue_id": house.venue_id, "items": [one] * count, "start": at("12:00"), **LONG}
        refused(await gina.ask("POST", "/bookings/availability/check", json=asked), 429, "QUOTA_EXCEEDED")
    assert (
        refused(await order(3, start=at("12:00"), **SHORT), 429, "QUOTA_EXCEEDED")["bound"] == "at_once_max"
    )
    made = (await order(2, start=at("12:00"), **SHORT)).json()
    refused(await order(2, start=at("15:00"), **SHORT), 429, "QUOTA_EXCEEDED")
    refused(await gina.change(made, items=[one]), 429, "QUOTA_EXCEEDED")  # three at once
    moved = await gina.change(made, start=at("12:30"))
    assert moved.status_code == 200, moved.text
    item = f"/bookings/{made['id']}/items/{made['items'][0]['id']}/cancel"
    fewer = await gina.ask("POST", item, json={"expected_version": moved.json()["version"]})
    assert fewer.status_code == 200
    assert (await order(2, start=at("15:00"), **SHORT)).status_code == 201
    body = refused(await gina.change(fewer.json(), items=[one]), 429, "QUOTA_EXCEEDED")  # it has one left
    assert body["detail"].startswith("You have 2 open bookings here; with 2 more it would be over 3: ")


async def test_who_gets_a_booking_of_another_must_be_allowed_to(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 2, "hours_per_week_max": 4})
    gina, nina = guest("gina"), guest("nina")
    one, two = [await nina.booked(start=at(clock), **SHORT) for clock in ("12:00", "15:00")]
    await gina.booked(start=at("12:00"), **LONG)
    given = await change(house, one, guest_id="gina", guest_name="Gina")
    assert given.status_code == 200, given.text
    body = refused(await change(house, two, guest_id="gina"), 429, "QUOTA_EXCEEDED")
    assert (body["bound"], body["used"]) == ("open_bookings_max", 2)
    assert body["detail"].startswith("This guest has 2 open bookings here, and they may have 2")
    # Said again, it is no transfer; with nobody, nobody is bound; and nina may have another one for the one she gave.
    same = await change(house, given.json(), guest_id="gina", special_requests="Quiet")
    assert same.status_code == 200, same.text
    assert (await nina.booked(start=at("18:00"), **SHORT))["guest_id"] == "nina"
    nobodys = await change(house, same.json(), guest_id=None)
    assert nobodys.status_code == 200, nobodys.text
    assert (await change(house, nobodys.json(), guest_id="mona")).status_code == 200


async def test_a_booking_that_is_given_and_moved_is_the_new_guests(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "at_once_max": 1, "hours_per_week_max": 4})
    gina, nina = guest("gina"), guest("nina")
    await gina.booked(start=at("15:00"), **LONG)
    await nina.booked(start=at("18:00"), **LONG)
    made = await nina.booked(start=at("12:00"), **LONG)
    body = refused(await change(house, made, guest_id="gina", start=at("15:00")), 429, "QUOTA_EXCEEDED")
    assert body["bound"] == "at_once_max"
    body = refused(await change(house, made, guest_id="gina", duration_minutes=150), 429, "QUOTA_EXCEEDED")
    assert (body["bound"], body["used"]) == ("hours_per_week_max", 2)
    moved = await change(house, made, guest_id="gina", start=at("18:00"))  # nina has one then, gina none
    assert (moved.status_code, moved.json()["guest_id"]) == (200, "gina")


async def test_staff_may_overrule_a_transfer_too(bound: Any) -> None:
    house, guest = await bound(
        {"per": "guest", "open_bookings_max": 1}, may_override={"staff": ["QUOTA_EXCEEDED"]}
    )
    await guest("gina").booked(start=at("12:00"))
    made = await guest("nina").booked(start=at("15:00"))
    why = {"override": ["QUOTA_EXCEEDED"], "override_reason": "Nina is ill"}
    given = await change(house, made, guest_id="gina", **why)
    assert given.status_code == 200, given.text
    assert [(each["code"], each["reason"]) for each in given.json()["overrides"]] == [
        ("QUOTA_EXCEEDED", "Nina is ill")
    ]
    # What hits nothing is not recorded.
    back = await change(house, given.json(), guest_id="nina", **why)
    assert [each["actor"] for each in back.json()["overrides"]] == [given.json()["overrides"][0]["actor"]]


async def test_an_order_is_given_with_all_of_its_things(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 2})
    await guest("gina").booked(start=at("12:00"))
    body = {"venue_id": house.venue_id, "items": [{"party_size": 2}] * 2, "start": at("15:00")}
    made = (await guest("nina").ask("POST", "/bookings", json=body)).json()
    refused(await change(house, made, guest_id="gina"), 429, "QUOTA_EXCEEDED")
    path = f"/bookings/{made['id']}/items/{made['items'][0]['id']}/cancel"
    fewer = await house.client.post(path, json={"expected_version": made["version"]}, headers=house.bob)
    assert (await change(house, fewer.json(), guest_id="gina")).status_code == 200


async def test_a_booking_that_is_given_no_longer_counts_for_the_first_groups_and_address(bound: Any) -> None:
    rules = [{"per": "group", "groups": [*MEMBERS], "open_bookings_max": 1}]
    house, guest = await bound(*rules, {"per": "address", "open_bookings_max": 1})
    nina = guest("nina", groups=MEMBERS)
    made = await nina.booked(start=at("12:00"))
    refused(await nina.book(start=at("15:00")), 429, "QUOTA_EXCEEDED")
    assert (await change(house, made, guest_id="gina")).status_code == 200
    assert (await nina.book(start=at("15:00"))).status_code == 201
