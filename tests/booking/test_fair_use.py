"""Fair use: what a guest, a group or an address may have at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.conftest import House

from .asking import DAY, STOCKHOLM, at, cancel, instant, move, refused
from .callers import LONG, MEMBERS, SHORT, Guest, ahead

Asked = dict[str, Any]


def some(guest: Callable[..., Guest], per: str) -> tuple[Guest, Guest, Guest]:
    """Two whose bookings are counted together, and one who is on their own."""
    match per:
        case "guest":
            return guest("gina"), guest("gina", address="198.51.100.1"), guest("nina")
        case "group":
            return guest("gina", groups=MEMBERS), guest("nina", groups=MEMBERS), guest("mona")
        case _:
            return guest(), guest("gina"), guest(address="198.51.100.1")


BOUNDS: list[tuple[str, float | Callable[[], int], list[Asked], Asked, Asked]] = [
    (
        "open_bookings_max",
        2,
        [{"start": at("12:00")}, {"start": at("12:00", 9)}],
        {"start": at("12:00", 3)},
        {},
    ),
    (
        "hours_per_week_max",
        3.5,
        [{"start": at("12:00", -2), **LONG}, {"start": at("21:00", 4), **SHORT}],
        {"start": at("12:00"), **SHORT},
        {"start": at("12:00"), "duration_minutes": 30},
    ),
    (
        "days_ahead_max",
        ahead,
        [{"start": at("12:00")}],
        {"start": at("12:00", 2)},
        {"start": at("22:00", -1), **SHORT},
    ),
    (
        "at_once_max",
        1,
        [{"start": at("12:00"), **SHORT}, {"start": at("14:00"), **SHORT}],
        {"start": at("12:30"), **LONG},
        {"start": at("13:00"), **SHORT},
    ),
]
"""The name of each bound, what it is, what fits, what is then too much, and what fits all the same."""


@pytest.mark.parametrize("per", ["guest", "group", "address"])
@pytest.mark.parametrize(
    ("name", "most", "fits", "too_much", "also_fits"), BOUNDS, ids=[each[0] for each in BOUNDS]
)
async def test_each_bound_for_each(
    bound: Any, per: str, name: str, most: Any, fits: list[Asked], too_much: Asked, also_fits: Asked
) -> None:
    rule = {"per": per, name: most() if callable(most) else most} | (
        {"groups": [*MEMBERS]} if per == "group" else {}
    )
    _, guest = await bound(rule)
    one, same, other = some(guest, per)
    for each, wanted in zip((one, same), fits, strict=False):
        await each.booked(**wanted)
    body = refused(await same.book(**too_much), 429, "QUOTA_EXCEEDED")
    assert (body["rule_exceeded"], body["bound"]) == (rule, name)
    assert body["used"] == {"hours_per_week_max": 3, "at_once_max": 1, "open_bookings_max": 2}.get(
        name, body["used"]
    )
    refused(await one.check(**too_much), 429, "QUOTA_EXCEEDED")
    if name != "days_ahead_max" or per == "group":  # others have the same bound
        assert (await other.check(**too_much)).json()["available"]
        await other.booked(**too_much)
    if also_fits:
        await one.booked(**also_fits)


async def test_what_is_said(bound: Any) -> None:
    _, guest = await bound(
        {"per": "guest", "groups": ["regulars"], "hours_per_week_max": "4.5"},
        {"per": "guest", "groups": ["few"], "at_once_max": 1},
        {"per": "guest", "groups": ["near"], "days_ahead_max": 3},
        {"per": "guest", "open_bookings_max": 1},
        {"per": "address", "open_bookings_max": 2},
    )
    gina = guest("gina")
    made = await gina.booked(start=at("18:00"))
    answer = await gina.book(start=at("18:00", 1))
    body = refused(answer, 429, "QUOTA_EXCEEDED")
    over = datetime.fromisoformat(made["end"]).isoformat(timespec="minutes")
    said = f"You have 1 open booking here, and you may have 1 at a time: cancel one, or wait until {over}."
    assert (body["detail"], body["used"]) == (said, 1)
    left = (instant("19:30") - datetime.now(STOCKHOLM)).total_seconds()
    assert left <= body["retry_after_seconds"] < left + 3600
    assert answer.headers["retry-after"] == str(body["retry_after_seconds"])
    await guest().booked(start=at("12:00"))
    answer = await guest().book(start=at("12:00"))
    assert refused(answer, 429, "QUOTA_EXCEEDED")["detail"] == (
        "Your network address has 2 open bookings here, and it may have 2 at a time: "
        "cancel one, or wait until one is over."
    )
    assert "retry-after" not in answer.headers
    regular = guest("rosa", groups=("regulars",), address="198.51.100.1")
    await regular.booked(start=at("12:00", -2), duration_minutes=180)
    body = refused(await regular.book(start=at("12:00"), duration_minutes=120), 429, "QUOTA_EXCEEDED")
    assert body["detail"] == (
        f"You have 3 hours here in the week from {DAY - timedelta(days=2)}; with 2 more it would be over 4.5: "
        "choose a shorter time, or another week."
    )
    assert body["rule_exceeded"]["hours_per_week_max"] == 4.5
    few = guest("fay", groups=("few",), address="198.51.100.2")
    await few.booked(start=at("12:00"))
    body = refused(await few.book(start=at("13:00")), 429, "QUOTA_EXCEEDED")
    assert (
        body["detail"]
        == "You have 1 booking here at that time, and you may have 1 at once: choose another time."
    )
    body = refused(await guest("noa", groups=("near",)).book(start=at("13:00")), 429, "QUOTA_EXCEEDED")
    assert body["detail"].startswith("You may book at most 3 days ahead here: choose a day until ")
    assert body["retry_after_seconds"] > 0


async def test_the_first_rule_that_matches_counts(bound: Any) -> None:
    members = {"per": "guest", "groups": [*MEMBERS], "open_bookings_max": 3}
    _, guest = await bound(members, {"per": "guest", "open_bookings_max": 1})
    for who, most in (
        (guest("gina", groups=("others", "members")), 3),
        (guest("nina", groups=("others",)), 1),
    ):
        for day in range(most):
            await who.booked(start=at("12:00", day))
        body = refused(await who.book(start=at("12:00", 9)), 429, "QUOTA_EXCEEDED")
        assert body["rule_exceeded"]["open_bookings_max"] == most
    for day in range(4):
        await guest().booked(start=at("15:00", day))  # no rule per address


async def test_each_group_has_its_own(bound: Any) -> None:
    _, guest = await bound({"per": "group", "groups": ["a", "b"], "open_bookings_max": 1})
    await guest("gina", groups=("a",)).booked(start=at("12:00"))
    both = guest("nina", groups=("a", "b"))
    assert "The group a has" in refused(await both.book(start=at("15:00")), 429, "QUOTA_EXCEEDED")["detail"]
    await guest("mona", groups=("b", "c")).booked(start=at("15:00"))
    refused(await guest("lena", groups=("b",)).book(start=at("18:00")), 429, "QUOTA_EXCEEDED")
    await guest("olga", groups=("c",)).booked(start=at("18:00"))


async def test_holds_requests_and_unpaid_ones_count(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 1})
    for lifecycle in ("instant", "deposit", "approval"):
        await house.change_policy(lifecycle=lifecycle)
        who = guest(f"of-{lifecycle}")
        held = await who.booked(start=at("12:00"), hold=True)
        refused(await who.book(start=at("15:00")), 429, "QUOTA_EXCEEDED")
        done = await who.ask("POST", f"/bookings/{held['id']}/confirm", json={})
        assert done.status_code == 200, done.text
        refused(await who.book(start=at("15:00"), hold=True), 429, "QUOTA_EXCEEDED")
        assert (await cancel(house, done.json(), who.headers)).status_code == 200
        await who.booked(start=at("15:00"))


async def test_what_expired_or_is_over_is_not_open(bound: Any, owner: asyncpg.Connection) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 1})
    held = await guest("gina").booked(start=at("12:00"), hold=True)
    await owner.execute("UPDATE booking SET expires_at = now() - interval '1 s' WHERE id = $1", held["id"])
    made = await guest("gina").booked(start=at("12:00"))
    refused(await guest("gina").book(start=at("15:00")), 429, "QUOTA_EXCEEDED")
    there = await move(house, made, "CHECKED_IN")
    refused(await guest("gina").book(start=at("15:00")), 429, "QUOTA_EXCEEDED")
    assert (await move(house, there.json(), "COMPLETED")).status_code == 200
    await guest("gina").booked(start=at("15:00"))


async def test_what_came_of_it_counts_as_hours_unless_undone(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "hours_per_week_max": 2})
    gina = guest("gina")
    made = await gina.booked(start=at("12:00"), **SHORT)
    there = (await move(house, made, "CHECKED_IN")).json()
    await move(house, there, "COMPLETED")
    other = await gina.booked(start=at("12:00"), **SHORT)
    refused(await gina.book(start=at("18:00"), **SHORT), 429, "QUOTA_EXCEEDED")
    assert (await cancel(house, other, gina.headers)).status_code == 200
    await gina.booked(start=at("18:00"), **SHORT)


async def test_forty_requests_from_one_address(bound: Any) -> None:
    _, guest = await bound({"per": "address", "open_bookings_max": 4})
    answers = [await guest().book(start=at("12:00", day % 20)) for day in range(40)]
    assert [each.status_code for each in answers] == [201] * 4 + [429] * 36
    for address in ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2"):  # one network
        for day in range(2):
            await guest(address=address).booked(start=at("15:00", day))
    refused(await guest(address="2001:db8:1:2::3").book(start=at("15:00")), 429, "QUOTA_EXCEEDED")
    await guest(address="2001:db8:1:3::1").booked(start=at("15:00"))


async def test_other_venues_and_tenants_are_not_counted(bound: Any) -> None:
    rules = ({"per": "guest", "open_bookings_max": 1}, {"per": "address", "open_bookings_max": 1})
    house, guest = await bound(*rules)
    _, elsewhere = await bound(*rules)
    await guest("gina").booked(start=at("12:00"))
    await elsewhere("gina").booked(start=at("12:00"))
    beside = {**house.document, "slug": "beside", "name": "Beside"}
    made = await house.client.post("/venues/import", json=beside, headers=house.alice)
    asked = {"venue_id": made.json()["id"], "start": at("12:00")}
    await guest("gina").booked(**asked)
    refused(await guest("gina").book(**asked), 429, "QUOTA_EXCEEDED")


async def test_a_refusal_is_not_stored_under_a_key(bound: Any) -> None:
    house, guest = await bound({"per": "guest", "open_bookings_max": 1})
    gina = guest("gina")
    made = await gina.booked(start=at("12:00"))
    again = {"start": at("15:00"), "idempotency_key": "a-second-one"}
    refused(await gina.book(**again), 429, "QUOTA_EXCEEDED")
    await cancel(house, made, gina.headers)
    await gina.booked(**again)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"per": "guest"}, "open_bookings_max"),
        ({"per": "group", "open_bookings_max": 1}, "groups"),
        ({"per": "guest", "groups": ["No such"], "open_bookings_max": 1}, "groups.0"),
        ({"per": "guest", "hours_per_week_max": 0}, "hours_per_week_max"),
        ({"per": "guest", "hours_per_week_max": True}, "hours_per_week_max"),
        ({"per": "guest", "open_bookings_max": 0}, "open_bookings_max"),
        ({"per": "venue", "open_bookings_max": 1}, "per"),
    ],
    ids=["no-bound", "no-group", "no-name", "no-hours", "truth", "nothing", "per-what"],
)
async def test_rules_that_are_none(house: House, rule: dict[str, Any], field: str) -> None:
    document = {**house.document, "policy": {"fair_use": [rule]}}
    response = await house.client.post("/venues/import", json=document, headers=house.alice)
    body = refused(response, 400, "INVALID_REQUEST")
    assert body["errors"][0]["field"] == f"policy.fair_use.0.{field}"
