"""A product on one database, before and after that is restored: the application, its clients, and a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from holdfast.audit.run import audit
from holdfast.identity.issuer import DevIssuer
from holdfast.job.run import Runner
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.main.http.app import create_app
from holdfast.main.reactions import PLANNING, REACTIONS, engine_over
from tests.booking.asking import at, cancel
from tests.conftest import House, open_house_at
from tests.live.asgi import asked
from tests.live.conftest import slot_channel
from tests.processes import PATIENT_S, until
from tests.waitlist.asking import entry_of, joined

Json = dict[str, Any]


@dataclass
class Shop:
    """What runs on a database. `app`: with live channels; its client's calls go straight to it."""

    url: str
    app: FastAPI
    client: httpx.AsyncClient
    db: Database

    async def house(self, issuer: DevIssuer) -> House:
        return await open_house_at(self.client, issuer)

    def known(self, house: House) -> House:
        """The same house, asked here."""
        return replace(house, client=self.client)

    async def feed(self, house: House, after: str | None = None) -> tuple[list[str], str]:
        """The ids of all events of the tenant from there on, and the cursor behind them."""
        ids: list[str] = []
        while True:
            query = {"limit": "500"} | ({"after": after} if after else {})
            response = await self.client.get("/events", params=query, headers=house.alice)
            assert response.status_code == 200, response.text
            after = response.json()["next"]
            if not response.json()["items"]:
                assert after is not None
                return ids, after
            ids += [each["id"] for each in response.json()["items"]]

    async def live_cursor(self, house: House) -> str:
        """The cursor of a client that has seen an event of the slot."""
        async with asked(self.app, slot_channel(house)) as stream:
            opening = await stream.next()
            assert opening is not None
            await house.booked(start=at("12:00"), resource_ids=house.ids("s1"))
            (frame,) = await stream.take(1)
            assert frame.event == "availability.updated"
            assert stream.cursor is not None
            return stream.cursor

    async def is_sound(self) -> None:
        report = await audit(self.db)
        assert report.ok, [(each.check.name, each.violations[:3]) for each in report.failed]


@asynccontextmanager
async def shop_on(url: str, data_dir: Path) -> AsyncIterator[Shop]:
    """Everything that runs on the database, for the block."""
    app = create_app(Settings(database_url=url, data_dir=data_dir, request_deadline_s=PATIENT_S))
    db = await Database.connect(url, deadline_s=PATIENT_S)
    stopping = asyncio.Event()
    lane = Runner(PLANNING, engine_over(db), REACTIONS)
    working = asyncio.create_task(lane.run(stopping))
    try:
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
                yield Shop(url, app, http, db)
    finally:
        stopping.set()
        await working
        await db.close()


@dataclass
class Evening:
    """What is known of a house before its database is restored."""

    house: House
    booking: Json
    entry: Json
    feed: list[str] = field(default_factory=list)
    feed_cursor: str = ""
    live_cursor: str = ""


async def evening_at(shop: Shop, issuer: DevIssuer, house: House | None = None) -> Evening:
    """Somebody has the lane, somebody waits for it, and clients have read all there is."""
    house = house or await shop.house(issuer)
    booking = await house.booked(start=at("18:00"), duration_minutes=120, resource_ids=house.ids("l1"))
    window = {"earliest": at("18:00"), "latest": at("18:00"), "duration_minutes": 120}
    entry = await joined(house, **window, resource_ids=house.ids("l1"))
    live_cursor = await shop.live_cursor(house)
    feed, feed_cursor = await shop.feed(house)
    return Evening(house, booking, entry, feed, feed_cursor, live_cursor)


async def goes_on(shop: Shop, before: Evening) -> None:
    """The waitlist moves, the feed has everything once, live goes on, and old cursors are of no use."""
    house = shop.known(before.house)
    refused = await shop.client.get("/events", params={"after": before.feed_cursor}, headers=house.alice)
    assert refused.status_code == 400, refused.text
    assert "restored or moved" in refused.json()["detail"]
    async with asked(shop.app, slot_channel(house), after=before.live_cursor) as stream:
        (reset,) = await stream.take(1)
        assert reset.event == "reset"
        assert reset.data is not None
        version = reset.data["version"]
        booking = (await shop.client.get(f"/bookings/{before.booking['id']}", headers=house.bob)).json()
        assert (await cancel(house, booking)).status_code == 200

        async def offered() -> bool:
            return (await entry_of(house, before.entry))["status"] == "OFFERED"

        await until(offered)
        # The lane came free and was offered: two states that clients are told of, the next versions of the slot.
        told = await stream.take(2)
        assert [frame.version for frame in told] == [version + 1, version + 2]
    feed, cursor = await shop.feed(house)
    assert len(set(feed)) == len(feed)
    assert len(before.feed) > 5
    assert feed[: len(before.feed)] == before.feed, "in the order in which it was read before"
    kinds = await types_of(shop.url, feed[len(before.feed) :])
    assert kinds.count("booking.cancelled") == kinds.count("waitlist.offered") == 1
    assert (await shop.feed(house, cursor))[0] == []
    await shop.is_sound()


async def types_of(url: str, ids: list[str]) -> list[str]:
    owner = await asyncpg.connect(url, server_settings={"holdfast.tenants": "*"})
    try:
        rows = await owner.fetch("SELECT event_type FROM event WHERE id = ANY ($1::text[]::uuid[])", ids)
        return [row["event_type"] for row in rows]
    finally:
        await owner.close()
