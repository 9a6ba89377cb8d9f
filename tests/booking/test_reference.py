"""Look-up by the reference that guests read out on the telephone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from holdfast.booking.deciding.decide import REFERENCE_ALPHABET, reference_code
from holdfast.booking.finding.by_reference import ByReference
from holdfast.booking.model import Guest
from holdfast.event.model import Event
from holdfast.kernel.actor import Actor
from holdfast.kernel.ids import new_id
from tests.conftest import House

from .asking import at, cancel, change, move, refused


async def look_up(house: House, booking: dict[str, Any], who: dict[str, str] | None = None) -> Any:
    path = f"/bookings/reference/{booking['booking_reference']}"
    return await house.client.get(path, headers=house.bob if who is None else who)


async def test_it_is_found_by_who_may_see_it(house: House, charlie: dict[str, str]) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    assert (await look_up(house, booking)).json() == {**booking, "internal_notes": None, "overrides": []}
    assert (await look_up(house, booking, house.gina)).json() == booking
    # Once kept for Gina, it is still not Hugo's.
    for who in (house.headers("guest", subject="hugo"), {}, charlie):
        refused(await look_up(house, booking, who), 404, "NOT_FOUND")
    refused(await look_up(house, {"booking_reference": "BR-20270101-ZZZZZZ"}), 404, "NOT_FOUND")


async def test_who_reaches_all_tenants_names_the_one_to_look_in(house: House, open_house: Any) -> None:
    """References and guests are known within a tenant: the same name may be another's elsewhere."""
    other = await open_house()
    booking = await house.booked(house.gina, start=at("18:00"))
    root = {"authorization": f"Bearer {house.mint(None, ['platform_admin'], 'root')}"}
    for path in (f"/bookings/reference/{booking['booking_reference']}", "/bookings/guest/gina"):
        asked = [
            await house.client.get(f"{path}?tenant={each.tenant}", headers=root) for each in (house, other)
        ]
        assert booking["id"] in asked[0].text
        assert booking["id"] not in asked[1].text
        assert refused(await house.client.get(path, headers=root), 400, "INVALID_REQUEST")["errors"]
        # Others need not name theirs, and name no other.
        assert (
            booking["id"] in (await house.client.get(f"{path}?tenant={house.tenant}", headers=house.bob)).text
        )
        refused(await house.client.get(f"{path}?tenant={other.tenant}", headers=house.bob), 404, "NOT_FOUND")


async def test_every_change_is_seen_at_once(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    steps: list[Callable[[dict[str, Any]], Awaitable[httpx.Response]]] = [
        lambda seen: change(house, seen, guest_name="New"),
        lambda seen: move(house, seen, "CONFIRMED"),
        lambda seen: cancel(house, seen),
    ]
    for step in steps:
        for who in (house.bob, house.gina):
            assert (await look_up(house, booking, who)).json()["version"] == booking["version"]
        booking = (await step(booking)).json()
    assert (await look_up(house, booking)).json()["status"] == "CANCELLED"


class SlowDatabase:
    """Answers what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Any] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.times = 0
        self.after_commit: list[Callable[[Sequence[Event]], None]] = []

    async def run(self, *_: Any) -> Any:
        self.times += 1
        self.asked.set()
        return await self.answers.get()


class Row:
    """As much of a booking as is looked at."""

    def __init__(self, actor: Actor, version: int) -> None:
        assert actor.tenant_ids
        self.tenant_id, self.venue_id, self.guest = actor.tenant_ids[0], None, Guest(id=actor.id)
        self.id, self.reference, self.version = "x", "BR-20270101-AAAAAA", version


async def test_what_was_read_while_it_changed_is_not_kept() -> None:
    gina = Actor(kind="guest", id="gina", tenant_ids=(UUID(int=1),), roles=frozenset({"guest"}))
    database = SlowDatabase()
    kept = ByReference(database)  # pyright: ignore[reportArgumentType]
    reading = asyncio.create_task(kept.find(UUID(int=1), "BR-20270101-AAAAAA", gina))
    await database.asked.wait()
    said, now = {"booking_reference": "BR-20270101-AAAAAA"}, datetime.now(UTC)
    [listener] = database.after_commit
    listener([Event(new_id(), UUID(int=1), "booking.updated", None, new_id(), said, "alice", now)])
    database.answers.put_nowait(Row(gina, 1))
    await reading
    database.answers.put_nowait(Row(gina, 2))
    assert (await kept.find(UUID(int=1), "BR-20270101-AAAAAA", gina)).version == 2
    assert (await kept.find(UUID(int=1), "BR-20270101-AAAAAA", gina)).version == 2
    assert database.times == 2
    assert database.after_commit == [listener]


def test_references_have_no_letters_that_look_alike() -> None:
    assert not set(REFERENCE_ALPHABET) & set("01OILU")
    codes = {reference_code(new_id()) for _ in range(2000)}
    assert len(codes) > 1990
    assert set("".join(codes)) == set(REFERENCE_ALPHABET)
    assert all(len(code) == 6 for code in codes)


@pytest.mark.parametrize("wrong", ["br-20270101-ABCDEF", "BR-2027011-ABCDEF", "BR-20270101-ABCDE", "x"])
async def test_what_is_no_reference_is_refused(house: House, wrong: str) -> None:
    response = await house.client.get(f"/bookings/reference/{wrong}", headers=house.bob)
    refused(response, 400, "INVALID_REQUEST")


async def test_a_reference_that_is_taken_is_drawn_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.booked(start=at("18:00"))
    drawn = iter([first["booking_reference"][-6:], "ABCDEF"])
    monkeypatch.setattr("holdfast.booking.deciding.decide.reference_code", lambda _: next(drawn))
    second = await house.booked(start=at("18:00"))
    assert second["booking_reference"] == first["booking_reference"][:-6] + "ABCDEF"
