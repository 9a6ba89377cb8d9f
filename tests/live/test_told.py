"""Clients that follow a slot by its events know what the snapshot shows, whatever happens: also what limits on arrivals
and rules about nights leave of it for guests."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.block.asking import block, remove
from tests.booking.asking import DAY, at, cancel, change, move, read
from tests.conftest import House
from tests.live.conftest import staff
from tests.live.following import Follow, follow

__all__ = ["follow"]
STEPS = 25
SOURCES = ["web", "phone", "walk_in", "api"]
SLOTS = [
    {"id": "early", "name": "Early", "start": "18:00", "minutes": 90},
    {"id": "late", "name": "Late", "start": "20:00", "minutes": 120},
]
EVENING = [
    {"start": "17:00", "end": "22:00", "parties_max": 4},
    {"slots": ["early"], "covers_max": 5, "sources": ["web", "api"]},
    {"start": "19:00", "end": "21:00", "covers_max": 4, "sources": ["phone", "web"]},
]
TABLES = [
    {"slug": "t1", "name": "T1", "seats_min": 1, "seats_max": 2},
    {"slug": "t2", "name": "T2", "seats_min": 2, "seats_max": 4},
    {"slug": "bar", "name": "Bar", "kind": "seat", "units": 6, "takes": "guests", "seats_max": 4},
]
ROOMS = [
    {"slug": f"r{n}", "name": f"R{n}", "kind": "room", "group": "sea", "seats_max": 2} for n in (1, 2, 3)
]
NIGHTS = [
    {"nights_min": 2, "closed_to_arrival": ["TH"], "closed_to_departure": ["SA"]},
    {"from": str(DAY), "to": str(DAY + timedelta(days=1)), "nights_min": 3},
]
VENUES: dict[str, dict[str, Any]] = {
    "restaurant": {"resources": TABLES, "policy": {"pacing": EVENING, "pacing_covers_max": 5}},
    "sittings": {
        "resources": TABLES,
        "slots": SLOTS,
        "policy": {"pacing": EVENING, "default_duration_minutes": 90},
    },
    "held": {
        "resources": TABLES,
        "slots": SLOTS,
        "policy": {
            "pacing": EVENING,
            "held_back": [
                {"resources": ["t2"], "for": "phone", "until_minutes": 60},
                {"resources": ["t1"], "for": "members", "until_minutes": 60},
                {"resources": ["bar"], "for": "vip", "until_minutes": 60},
            ],
        },
    },
    "hotel": {
        "kind": "hotel",
        "resources": ROOMS,
        "stay": {"check_in": "15:00", "check_out": "11:00"},
        "policy": {"arrival_rules": NIGHTS, "pacing": [{"parties_max": 2}], "bind_group": "at_check_in"},
    },
}


@dataclass
class Evening:
    """What people do at a venue, at random."""

    house: House
    rng: random.Random
    bookings: list[dict[str, Any]] = field(default_factory=list)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)

    def _when(self) -> dict[str, Any]:
        rng, days = self.rng, self.rng.choice([0, 0, 0, 1, 2])
        if self.house.document.get("stay"):
            return {"arrival": str(DAY + timedelta(days=days)), "nights": rng.choice([2, 3, 3, 4])}
        if self.house.document.get("slots") and rng.random() < 0.6:
            return {"date": str(DAY + timedelta(days=days)), "slot_id": rng.choice(["early", "late"])}
        return {"start": at(f"{rng.choice([17, 18, 19, 20])}:{rng.choice(['00', '30'])}", days)}

    async def book(self) -> httpx.Response:
        rng = self.rng
        more: dict[str, Any] = {"hold": rng.random() < 0.2, "source": rng.choice(SOURCES)}
        if self.house.document.get("stay") and rng.random() < 0.5:
            more["group"] = "sea"
        elif rng.random() < 0.2:
            more["items"] = [{"party_size": 1}, {"party_size": 2}]
        else:
            more["resource_ids"] = [rng.choice(list(self.house.resources.values()))]
        more |= {} if "items" in more else {"party_size": rng.choice([1, 2, 2])}
        body = {"venue_id": self.house.venue_id, **self._when(), **more}
        response = await self.house.client.post("/bookings", json=body, headers=self.house.alice)
        self.bookings += [response.json()] if response.status_code == 201 else []
        return response

    async def change(self) -> httpx.Response | None:
        if not self.bookings:
            return None
        booking, rng = await self._any(), self.rng
        asked = rng.choice(
            [{"party_size": rng.choice([1, 2, 3])}, self._when(), {"party_size": 1, **self._when()}]
        )
        return await change(self.house, booking, self.house.alice, **asked)

    async def cancel(self) -> httpx.Response | None:
        if not self.bookings:
            return None
        booking = await self._any()
        items = [each for each in booking.get("items") or () if each["status"] != "CANCELLED"]
        if len(items) > 1 and self.rng.random() < 0.7:
            path = f"/bookings/{booking['id']}/items/{items[0]['id']}/cancel"
            body = {"expected_version": booking["version"]}
            return await self.house.client.post(path, json=body, headers=self.house.alice)
        return await cancel(self.house, booking, self.house.alice)

    async def go_on(self) -> httpx.Response | None:
        if not self.bookings:
            return None
        to = self.rng.choice(["CONFIRMED", "CHECKED_IN", "COMPLETED", "NO_SHOW"])
        return await move(self.house, await self._any(), to, self.house.alice)

    async def block(self) -> httpx.Response:
        if self.blocks:
            return await remove(self.house, self.blocks.pop())
        slug, end = self.rng.choice(list(self.house.resources)), at("19:30", self.rng.choice([0, 1]))
        response = await block(self.house, slug, start=at("16:00"), end=end, on_conflict="displace")
        self.blocks += [response.json()] if response.status_code == 201 else []
        return response

    async def step(self) -> None:
        act = self.rng.choice(
            [self.book, self.book, self.book, self.change, self.change, self.cancel, self.go_on, self.block]
        )
        response = await act()
        if response is None:
            return
        body = response.json() if response.content else {}
        self.codes.add(body.get("code") or act.__name__)

    async def _any(self) -> dict[str, Any]:
        booking = self.rng.choice(self.bookings)
        return await read(self.house, booking, self.house.alice)


async def _go_on(open_house: Any, follow: Follow, trade: str, seed: int, *, steps: int) -> set[str]:
    house: House = await open_house(**VENUES[trade])
    slots = [each["id"] for each in VENUES[trade].get("slots", [])] or ["day"]
    guest, staffs = await follow(house, slots=slots), await follow(house, slots=slots, token=staff(house))
    member = await follow(
        house, slots=slots, token=house.mint(house.tenant, ["guest"], "gina", groups=["members"])
    )
    evening = Evening(house, random.Random(seed))
    for number in range(steps):
        await evening.step()
        await guest.agrees()
        if number % 5 == 4:
            await staffs.agrees()
            await member.agrees()
    assert guest.events > 5
    assert guest.events == staffs.events == member.events
    return evening.codes


@pytest.mark.parametrize(("trade", "seed"), [("held", 1), ("hotel", 1)])
async def test_events_say_all_that_the_snapshot_shows(
    open_house: Any, follow: Follow, trade: str, seed: int
) -> None:
    codes = await _go_on(open_house, follow, trade, seed, steps=STEPS)
    assert {"book", "change", "cancel", "block"} <= codes, codes


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("trade", VENUES)
async def test_events_say_all_of_long_evenings(open_house: Any, follow: Follow, trade: str) -> None:
    first = random.randrange(2**32)
    print(f"seed {first}")
    for seed in range(first, first + 5):
        await _go_on(open_house, follow, trade, seed, steps=100)
