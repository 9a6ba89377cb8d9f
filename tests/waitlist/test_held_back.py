"""The waitlist offers what is held back for the waitlist or for the guest's group, or once it is released."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.kernel.db.database import Database
from tests.booking.asking import at, instant
from tests.conftest import House

from .asking import entry_of, joined, promoted


@pytest.mark.parametrize(
    ("held_for", "until", "offered"),
    [
        ("walk_in", "18:00", None),
        ("juniors", "18:00", None),
        ("members", "18:00", "18:00"),
        ("walk_in", "18:40", "18:30"),
        ("waitlist", "18:00", "18:00"),
    ],
)
async def test_the_first_start_for_which_it_is_not_held_back(
    db: Database, open_house: Any, held_for: str, until: str, offered: str | None
) -> None:
    """A window from 18:00: it is released for visits up to 18:40, or never before them."""
    minutes = int((instant(until) - datetime.now(UTC)) / timedelta(minutes=1))
    rule = {"resources": ["t1"], "for": held_for, "until_minutes": minutes if offered else 0}
    policy = {"slot_step_minutes": 30, "held_back": [rule]}
    house: House = await open_house(resources=[{"slug": "t1"}], policy=policy)
    mia = house.headers("guest", subject="mia", groups=["members", "seniors"])
    earliest = at("18:30") if offered == "18:30" else at("18:00")
    entry = await joined(house, mia, earliest=earliest, latest=at("20:00"))
    assert await promoted(db, house) == (offered is not None)
    entry = await entry_of(house, entry)
    assert (entry["offer"] or {}).get("start") == (offered and at(offered))


async def test_what_is_held_back_for_others_is_offered_last(db: Database, open_house: Any) -> None:
    """It is released for these visits, but the other table will do as well."""
    minutes = int((instant("21:00") - datetime.now(UTC)) / timedelta(minutes=1))
    rule = {"resources": ["t1"], "for": "walk_in", "until_minutes": minutes}
    house: House = await open_house(resources=[{"slug": "t1"}, {"slug": "t2"}], policy={"held_back": [rule]})
    entries = [await joined(house, earliest=at("18:00"), latest=at("18:00")) for _ in range(2)]
    assert await promoted(db, house) == 2
    offers = [(await entry_of(house, each))["offer"]["resource_ids"] for each in entries]
    assert offers == [house.ids("t2"), house.ids("t1")]


async def test_each_guest_is_offered_what_is_held_back_for_their_groups(
    db: Database, open_house: Any
) -> None:
    """Those who wait for the same, of different groups: in the order of the queue, each what they could book."""
    rules = [{"resources": ["t2"], "for": "members"}, {"resources": ["t3"], "for": "juniors"}]
    house: House = await open_house(
        resources=[{"slug": each} for each in ("t1", "t2", "t3")], policy={"held_back": rules}
    )
    window = {"earliest": at("18:00"), "latest": at("18:00")}

    async def waits(name: str, *groups: str) -> dict[str, Any]:
        return await joined(house, house.headers("guest", subject=name, groups=groups), **window)

    entries = [
        await waits("mia"), await waits("nina", "members", "chess"), await waits("mona"),
        await waits("lea", "juniors", "members"), await waits("tom", "juniors"),
    ]  # fmt: skip
    assert await promoted(db, house) == 3
    offers = [(await entry_of(house, each))["offer"] for each in entries]
    assert [each and each["resource_ids"] for each in offers] == [
        house.ids("t1"), house.ids("t2"), None, house.ids("t3"), None,
    ]  # fmt: skip


async def test_a_promise_of_a_type_is_within_what_the_guest_may_have(db: Database, open_house: Any) -> None:
    rooms = [{"slug": f"r{n}", "kind": "room", "group": "double"} for n in range(2)]
    rule = {"group": "double", "share_percent": 50, "for": "members"}
    house: House = await open_house(
        resources=rooms, policy={"held_back": [rule], "bind_group": "at_check_in"}
    )
    wanted = {"earliest": at("18:00"), "latest": at("18:00"), "group": "double"}
    guests = [("mia", ()), ("mona", ()), ("nina", ("members",))]
    entries = [
        await joined(house, house.headers("guest", subject=name, groups=groups), **wanted)
        for name, groups in guests
    ]
    assert await promoted(db, house) == 2
    statuses = [(await entry_of(house, each))["status"] for each in entries]
    assert statuses == ["OFFERED", "WAITING", "OFFERED"]
