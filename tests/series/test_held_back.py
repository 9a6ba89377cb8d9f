"""A series of guests leaves out what is held back for others, in its preview and when it is made."""

from __future__ import annotations

from typing import Any

from tests.conftest import House

from .asking import made, preview, week


async def test_guests_get_the_rest_and_members_what_is_theirs(open_house: Any) -> None:
    held = {"resources": ["t2"], "for": "members"}
    tables = [{"slug": "t1", "name": "T1"}, {"slug": "t2", "name": "T2"}]
    house: House = await open_house(resources=tables, policy={"held_back": [held]})
    mia = house.headers("guest", subject="mia", groups=["members"])
    named = {"resource_ids": house.ids("t2")}
    shown = (await preview(house, house.gina, **named)).json()["occurrences"]
    assert [each["free"] for each in shown] == [False] * 4
    assert all("held back" in each["conflicts"][0]["reason"] for each in shown)
    assert all(slot["resource_ids"] != house.ids("t2") for each in shown for slot in each["suggested_slots"])
    theirs = await made(house, house.gina)
    assert {each for one in theirs["bookings"] for each in one["resource_ids"]} == {*house.ids("t1")}
    assert [each["free"] for each in (await preview(house, house.gina)).json()["occurrences"]] == [False] * 4
    own = await made(house, mia)
    assert {each for one in own["bookings"] for each in one["resource_ids"]} == {*house.ids("t2")}
    assert {each["occurrence_on"] for each in own["bookings"]} == {week(n) for n in range(4)}
