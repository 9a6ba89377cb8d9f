"""A venue at which people book and look at once, and an oracle that knows what each look must have shown."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from holdfast.channel.names import public_epoch
from holdfast.event.number import Numberer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.live import store
from holdfast.live.fold import Board, apply
from holdfast.snapshot.take import SlotKey, take_snapshot
from tests.booking.asking import DAY, at
from tests.conftest import House
from tests.live.looking import look, section
from tests.processes import until

TABLES = ("t1", "t2", "t3", "l1")
READERS = 6
AGAIN_MAX = 5
CHANGES = 12


@dataclass
class Busy:
    """What was seen at a house; `ending` stops those who book and look."""

    app: FastAPI
    house: House
    wanted: SlotKey
    first: Board
    since: int
    seen: list[dict[str, Any]] = field(default_factory=list)
    own: int = 0
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, disturb: Callable[[], Awaitable[None]]) -> None:
        """Everybody at once, until `disturb` has done its worst. Whoever fails ends it."""
        people = [self.book(slug) for slug in TABLES] + [self.read(n) for n in range(READERS)]
        try:
            async with asyncio.TaskGroup() as tasks:
                for each in people:
                    tasks.create_task(each)
                await disturb()
                self.ending.set()
        except* AssertionError as failed:
            raise failed.exceptions[0] from None

    async def book(self, slug: str) -> None:
        """Somebody books and cancels, and must see each of it at once."""
        rng = random.Random(slug)
        while not self.ending.is_set():
            hold = rng.random() < 0.3
            wanted = {"start": at("18:00"), "resource_ids": self.house.ids(slug), "hold": hold}
            booking = await self.insist("", {"venue_id": self.house.venue_id, "party_size": 2, **wanted})
            await self.sees(slug, "held" if hold else "confirmed")
            await self.insist(f"/{booking['id']}/cancel", {"expected_version": booking["version"]})
            await self.sees(slug, "available")

    async def goes_on(self, changes: int = CHANGES) -> None:
        """So much more was changed, and seen by who changed it."""
        before = self.own

        async def done() -> bool:
            return self.own >= before + changes

        await until(done)

    async def insist(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a change answers, asked again with its key after a 503: the machine may be slow."""
        body["idempotency_key"] = str(new_id())
        for _ in range(AGAIN_MAX):
            done = await self.house.client.post(f"/bookings{path}", json=body, headers=self.house.bob)
            if done.status_code != 503:
                break
        assert done.status_code in (200, 201), done.text
        return done.json()

    async def sees(self, slug: str, state: str) -> None:
        name = slug.upper()
        staff, guest = await asyncio.gather(self.look(staff=True), self.look(staff=False))
        assert section(staff, name)["state"] == state, (name, staff["version"])
        open_to_guests = "available" if state == "available" else "unavailable"
        assert section(guest, name)["state"] == open_to_guests, (name, guest["version"])
        self.own += 1

    async def read(self, number: int) -> None:
        """Somebody looks again and again, and never sees an older state than before."""
        version = 0
        while not self.ending.is_set():
            seen = await self.look(staff=number % 2 == 0)
            assert seen["version"] >= version
            version = seen["version"]
            await asyncio.sleep(0.01)

    async def look(self, *, staff: bool) -> dict[str, Any]:
        seen = await look(self.house, self.house.bob if staff else {})
        self.seen.append(seen)
        return seen

    async def check(self) -> None:
        """Each look showed what the events up to its version make of what was there at first."""
        assert self.own >= CHANGES
        boards = await self.boards()
        for seen in self.seen:
            board = boards[seen["version"]]
            assert seen["epoch"] == board.epoch
            for each in seen["sections"]:
                state = board.sections[UUID(each["sectionId"])].state
                assert each["unitsFree"] == state.units_free, seen["version"]
                if each["state"] in ("available", "unavailable"):
                    assert (each["state"] == "available") is (state.state == "available"), seen["version"]
                else:
                    assert (each["state"], each["changedBy"]) == (state.state, state.changed_by)

    async def boards(self) -> dict[int, Board]:
        """The board at each version, by all events of the channel."""
        db = self.app.state.engine.db
        numberer = Numberer(db)

        async def all_numbered() -> bool:
            return (await numberer.number()).is_complete

        await until(all_numbered)
        call = db.call(SYSTEM, tenants=[self.wanted.tenant_id])
        events = await call.run(store.events, self.wanted, after=self.since)
        history = self.first.epoch.partition("-")[2]
        board, boards = self.first, {self.first.version: self.first}
        for event in events:
            board = apply(board, event, epoch=public_epoch(event.epoch or 0, history))
            boards[board.version] = board
        return boards


async def busy_at(app: FastAPI, house: House) -> Busy:
    """The house before anybody came."""
    db, places = app.state.engine.db, app.state.engine.places
    venue = await places.venue(UUID(house.venue_id))
    wanted = SlotKey(venue.tenant_id, venue.id, DAY, "day")
    since = (await Numberer(db).number()).head
    first = Board.of(await take_snapshot(db, wanted, places=places))
    return Busy(app, house, wanted, first, since)


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1")
