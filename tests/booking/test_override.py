"""Staff overrule rules: what they name, what they may, and nothing of the ledger."""

from __future__ import annotations

import random
from typing import Any

import pytest

from holdfast.place.policies.overrides import OVERRULABLE, STAFF_MAY
from tests.conftest import House
from tests.processes import until

from .asking import at, change, history, read, refused

WHY = "The owner's birthday"


def over(*codes: str) -> dict[str, Any]:
    return {"override": [*codes], "override_reason": WHY}


async def strict(house: House) -> None:
    """With a rule for each code."""
    long = {"slug": "t9", "name": "T9", "kind": "table", "seats_min": 6, "seats_max": 9}
    policy = {
        "pacing_covers_max": 2,
        "min_notice_minutes": 60,
        "max_advance_days": 60,
        "duration_minutes_max": 120,
        "duration_step_minutes": 15,
        "may_override": {"staff": [*OVERRULABLE]},
    }
    await house.replace({**house.document, "resources": [*house.document["resources"], long]})
    await house.change_policy(**policy)
    await house.booked(start=at("12:00"), resource_ids=house.ids("l1"))


BROKEN: list[tuple[list[str], dict[str, Any]]] = [
    (["OUTSIDE_OPENING_HOURS"], {"start": at("22:30")}),
    (["OFF_SLOT_STEP"], {"start": at("18:07")}),
    (["TOO_SOON", "OUTSIDE_OPENING_HOURS"], {"start": at("02:00", days=-200)}),
    (["TOO_FAR_AHEAD"], {"start": at("18:00", days=70)}),
    (["PACING_EXCEEDED"], {"start": at("12:00"), "resource_ids": ["t1"]}),
    (["PARTY_TOO_LARGE", "PACING_EXCEEDED"], {"start": at("18:00"), "party_size": 3, "resource_ids": ["t1"]}),
    (["PARTY_TOO_SMALL"], {"start": at("18:00"), "resource_ids": ["t9"]}),
    (["DURATION_NOT_ALLOWED"], {"start": at("18:00"), "duration_minutes": 200}),
    (["DURATION_NOT_ALLOWED", "OFF_SLOT_STEP"], {"start": at("18:07"), "end": at("18:38")}),
]


async def event_about(house: House, booking: dict[str, Any]) -> dict[str, Any] | None:
    """The first event about the booking; None as long as it has no position yet."""
    events = (await house.client.get("/events?limit=500", headers=house.alice)).json()["items"]
    return next((each for each in events if each["payload"].get("booking_id") == booking["id"]), None)


def named(house: House, wanted: dict[str, Any]) -> dict[str, Any]:
    slugs = wanted.get("resource_ids")
    return wanted if slugs is None else {**wanted, "resource_ids": house.ids(*slugs)}


@pytest.mark.parametrize(("codes", "wanted"), BROKEN)
async def test_what_is_named_and_no_more(house: House, codes: list[str], wanted: dict[str, Any]) -> None:
    await strict(house)
    wanted = named(house, wanted)
    first = (await house.book(**wanted)).json()
    assert first.get("rule", first["code"]) in codes
    for code in codes:
        rest = [each for each in OVERRULABLE if each != code]
        body = (await house.book(**wanted, **over(*rest))).json()
        assert body.get("rule", body["code"]) == code
    booking = await house.booked(**wanted, **over(*OVERRULABLE))
    expected = [{"code": code, "reason": WHY, "actor": "staff:bob"} for code in codes]
    assert sorted(booking["overrides"], key=str) == sorted(expected, key=str)
    assert (await history(house, booking))[0]["metadata"]["overrides"] == booking["overrides"]
    assert (await read(house, booking)) == booking
    mine = await until(lambda: event_about(house, booking))
    assert mine["payload"]["overrides"] == booking["overrides"]


@pytest.mark.parametrize(("codes", "wanted"), [each for each in BROKEN if "TOO_SOON" not in each[0]])
async def test_a_change_overrules_as_well(house: House, codes: list[str], wanted: dict[str, Any]) -> None:
    await strict(house)
    booking = await house.booked(start=at("15:00"), resource_ids=house.ids("t2"))
    wanted = named(house, {"resource_ids": ["t2"], **wanted})
    body = (await change(house, booking, **wanted)).json()
    assert body.get("rule", body["code"]) in codes
    after = await change(house, booking, **wanted, **over(*OVERRULABLE))
    assert after.status_code == 200, after.text
    shown = after.json()
    assert {each["code"] for each in shown["overrides"]} == {*codes}
    assert (await history(house, booking))[-1]["metadata"]["overrides"] == shown["overrides"]
    later = (await change(house, shown, guest_name="Gina", **over(*OVERRULABLE))).json()
    assert later["overrides"] == shown["overrides"]
    assert "overrides" not in (await history(house, booking))[-1]["metadata"]


async def test_a_walk_in_after_closing_time(house: House) -> None:
    weekly = [{"days": ["MO"], "open": "04:00", "close": "04:01"}]
    await house.replace({**house.document, "hours": {"weekly": weekly}})
    wanted = {"venue_id": house.venue_id, "party_size": 3, "resource_ids": house.ids("t1")}
    refused(await house.client.post("/walk-ins", json=wanted, headers=house.bob), 400, "PARTY_TOO_LARGE")
    wanted |= over("OUTSIDE_OPENING_HOURS", "PARTY_TOO_LARGE", "PACING_EXCEEDED")
    seated = (await house.client.post("/walk-ins", json=wanted, headers=house.bob)).json()
    assert {each["code"] for each in seated["overrides"]} == {"OUTSIDE_OPENING_HOURS", "PARTY_TOO_LARGE"}


async def test_nobody_overrules_the_ledger(house: House) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    refused(await house.book(**wanted, **over("PACING_EXCEEDED")), 409, "TABLE_NOT_AVAILABLE")
    for code in ("TABLE_NOT_AVAILABLE", "NOT_AVAILABLE", "VERSION_CONFLICT", "NONSENSE"):
        body = refused(await house.book(house.alice, **wanted, **over(code)), 403, "FORBIDDEN")
        assert body["may_override"] == [*OVERRULABLE]


async def test_who_may(house: House) -> None:
    await house.change_policy(may_override={"staff": ["PACING_EXCEEDED"], "manager": ["TOO_SOON"]})
    wanted = {"start": at("18:07")}
    for who, allowed in ((house.bob, ["PACING_EXCEEDED"]), (house.alice, ["TOO_SOON", "PACING_EXCEEDED"])):
        body = refused(await house.book(who, **wanted, **over("OFF_SLOT_STEP")), 403, "FORBIDDEN")
        assert body["may_override"] == allowed
        assert all(code in body["detail"] for code in ("OFF_SLOT_STEP", *allowed))
    admin = house.headers("admin", subject="ada")
    assert (await house.book(admin, **wanted, **over("OFF_SLOT_STEP"))).status_code == 201
    booking = await house.booked(house.gina, start=at("18:00"))
    for guest in (house.gina, {}):
        refused(await house.book(guest, **wanted, **over("OFF_SLOT_STEP")), 403, "FORBIDDEN")
    refused(await change(house, booking, house.gina, start=at("18:07"), **over("X")), 403, "FORBIDDEN")
    assert "overrides" not in await read(house, booking, house.gina)


async def test_staff_by_default(house: House) -> None:
    policy = (await house.client.get(f"/venues/{house.venue_id}/policy")).json()
    assert policy["may_override"] == {"staff": [*STAFF_MAY], "manager": ["*"], "admin": ["*"]}
    body = refused(await house.book(start=at("18:00", days=700), **over("TOO_FAR_AHEAD")), 403, "FORBIDDEN")
    assert body["may_override"] == [*STAFF_MAY]


@pytest.mark.parametrize(
    "wrong",
    [
        {"override": ["OFF_SLOT_STEP"]},
        {"override_reason": WHY},
        {"override": [], "override_reason": WHY},
        {"override": ["OFF_SLOT_STEP"], "override_reason": ""},
        {"override": ["off"], "override_reason": WHY},
        {"override": ["A"] * 21, "override_reason": WHY},
        {"override": ["OFF_SLOT_STEP"], "override_reason": "x" * 501},
    ],
)
async def test_codes_and_a_reason_or_neither(house: House, wrong: dict[str, Any]) -> None:
    refused(await house.book(start=at("18:07"), **wrong), 400, "INVALID_REQUEST")


async def test_the_same_key_gets_the_same(house: House) -> None:
    key = {"idempotency_key": f"k{random.random()}"}
    wanted = {"start": at("18:07"), **key, **over("OFF_SLOT_STEP")}
    booking = await house.booked(**wanted)
    assert await house.booked(**wanted) == booking
    refused(await house.book(**{**wanted, "override_reason": "Other"}), 409, "IDEMPOTENCY_CONFLICT")
