"""Nord, where Gina is a guest, and how each operation is asked for what is there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from holdfast.kernel.db.database import Database
from tests.block.asking import blocked
from tests.booking.asking import DAY, at
from tests.conftest import House, venue_document
from tests.live.asgi import asked
from tests.processes import PATIENT_S
from tests.series import asking as series

from .arranged import buried, offered

Json = dict[str, Any]

CONTACT = {
    "guest_name": "Gina Hjalmarsdotter",
    "guest_email": "gina@nord.example",
    "guest_phone": "+46701740605",
}
PERSONAL = {**CONTACT, "special_requests": "a quiet corner", "internal_notes": "tips well"}
REASON = "the pipe above lane 1 burst"
SECRETS = [*PERSONAL.values(), REASON]
"""What outsiders must read nowhere."""
BLOCKS = "/api/v1/chain/maintenance-blocks"


@dataclass(frozen=True)
class Nord:
    """A house with something of Gina's in it of every kind, a block, and a dead letter."""

    app: Any
    house: House
    booking: Json
    order: Json
    series: Json
    entry: Json
    block: Json
    letter_id: str
    charlie: dict[str, str]

    @classmethod
    async def of(
        cls, app: Any, house: House, *, db: Database, owner: asyncpg.Connection, charlie: dict[str, str]
    ) -> Nord:
        gina = {"guest_id": "gina", "resource_ids": house.ids("t3"), **PERSONAL}
        booking = await house.booked(start=at("18:00"), **gina)
        items = [{"resource_ids": house.ids(slug), "party_size": 2} for slug in ("t1", "t2")]
        order = await house.booked(start=at("12:30"), party_size=4, items=items, guest_id="gina", **PERSONAL)
        made = await series.made(house, start=at("15:00"), rrule="FREQ=WEEKLY;COUNT=2", **gina)
        [entry] = await offered(db, house, guest_id="gina", **CONTACT)
        block = await blocked(house, "l1", start=at("17:00"), end=at("21:00"), reason=REASON)
        return cls(app, house, booking, order, made, entry, block, await buried(owner, house), charlie)

    def headers(self, who: str) -> dict[str, str]:
        if who == "mallory":
            return self.house.headers("guest", subject="mallory")
        if who == "root":
            return {"authorization": f"Bearer {self.house.mint(None, ['platform_admin'], 'root')}"}
        return {"charlie": self.charlie, "anonymous": {}}.get(who) or getattr(self.house, who, {})

    async def ask(self, operation: str, who: str, *, alias: str | None = None) -> httpx.Response:
        """What is answered; `alias`: the path that it is asked at instead."""
        method, _, path = operation.partition(" ")
        if path == "/api/v1/live":
            return await self.follow(f"availability:{self.place(':')}:{DAY}:day", who)
        path = (alias or path).format(**self.ids(path))
        url = httpx.URL(f"http://holdfast.test{path}", params=self.query(operation))
        return await self.house.client.request(
            method, url, headers=self.headers(who), json=self.body(operation)
        )

    async def follow(self, channel: str, who: str) -> httpx.Response:
        """How a live stream of the channel begins, or the refusal: it would never end by itself."""
        token = self.headers(who).get("authorization", "").removeprefix("Bearer ") or None
        async with asked(self.app, channel, token=token) as stream:
            first = await asyncio.wait_for(stream.messages.get(), PATIENT_S)
            return httpx.Response(stream.status, headers=stream.headers, content=first["body"])

    async def follow_bookings(self, who: str) -> httpx.Response:
        """The same of the channel of all bookings."""
        return await self.follow(f"chain.bookings.{self.place('.')}", who)

    def place(self, between: str) -> str:
        return f"{self.house.tenant}{between}{self.house.venue['slug']}"

    def ids(self, path: str) -> dict[str, str]:
        booking = self.order if "{item_id}" in path else self.booking
        return {
            "venue_id": self.house.venue_id,
            "resource_id": self.house.resources["s1"],
            "booking_id": booking["id"],
            "item_id": self.order["items"][0]["id"],
            "series_id": self.series["id"],
            "entry_id": self.entry["id"],
            "block_id": self.block["id"],
            "letter_id": self.letter_id,
            "reference": self.booking["booking_reference"],
            "guest_id": "gina",
            "slug": self.house.tenant,
            "tenant": self.house.tenant,
            "venue": self.house.venue["slug"],
        }

    def query(self, operation: str) -> Json:
        return {
            "GET /api/v1/venues/{venue_id}/availability/day": {"date": DAY, "party_size": 2},
            "GET /api/v1/venues/{venue_id}/availability/month": {"month": f"{DAY:%Y-%m}"},
            "GET /api/v1/venues/{venue_id}/availability/range": {"from": DAY, "to": DAY},
            "GET /api/v1/venues/{venue_id}/hours/effective": {"from": DAY},
            "GET /api/v1/series": {"venue_id": self.house.venue_id},
            f"GET {BLOCKS}": {"venue_id": self.house.venue_id},
            f"GET {BLOCKS}/expanded": {
                "resource_id": self.house.resources["l1"],
                "from": at("00:00"),
                "to": at("24:00"),
            },
            f"DELETE {BLOCKS}/{{block_id}}": {"expected_version": self.block["version"]},
            "GET /api/v1/clubs/{tenant}/venues/{venue}/availability": {"date": DAY, "slotId": "day"},
            "GET /api/v1/venues": {"tenant": self.house.tenant},
            "POST /api/v1/venues/import": {"tenant": self.house.tenant},
            "DELETE /api/v1/resources/{resource_id}": {"expected_version": 1},
        }.get(operation, {})

    def body(self, operation: str) -> Any:
        venue = {"venue_id": self.house.venue_id, "party_size": 2}
        version = {"expected_version": self.booking["version"]}
        place = {"expected_version": self.house.venue["version"]}
        weekly = {**venue, "start": at("12:00"), "rrule": "FREQ=WEEKLY;COUNT=2"}
        series = {"expected_version": self.series["version"], "scope": "all"}
        block = {
            "venue_id": self.house.venue_id,
            "resource_ids": self.house.ids("s1"),
            "start": at("09:00"),
            "end": at("11:00"),
            "reason": "new chairs",
        }
        return {
            "POST /api/v1/bookings": {**venue, "start": at("12:00")},
            "POST /api/v1/walk-ins": venue,
            "POST /api/v1/bookings/availability/check": {**venue, "start": at("12:00")},
            "PUT /api/v1/bookings/{booking_id}": {**version, "guest_name": "Somebody"},
            "POST /api/v1/bookings/{booking_id}/confirm": version,
            "POST /api/v1/bookings/{booking_id}/cancel": version,
            "POST /api/v1/bookings/{booking_id}/items/{item_id}/cancel": {
                "expected_version": self.order["version"]
            },
            "POST /api/v1/bookings/{booking_id}/status": {**version, "to": "CANCELLED"},
            "POST /api/v1/series/preview": weekly,
            "POST /api/v1/series": weekly,
            "PATCH /api/v1/series/{series_id}": {**series, "changes": {"guest_name": "Somebody"}},
            "POST /api/v1/series/{series_id}/cancel": series,
            "POST /api/v1/waitlist": {**venue, "earliest": at("18:00"), "latest": at("19:00")},
            "POST /api/v1/waitlist/{entry_id}/accept": {"answers": {}},
            f"POST {BLOCKS}": block,
            f"POST {BLOCKS}/preview": block,
            f"PATCH {BLOCKS}/{{block_id}}": {
                "expected_version": self.block["version"],
                "reason": "dry again",
            },
            "POST /api/v1/tenants": {"slug": f"{self.house.tenant}-new", "name": "New"},
            "POST /api/v1/venues/import": venue_document(name="Another"),
            "PATCH /api/v1/venues/{venue_id}": {**place, "name": "Another"},
            "PUT /api/v1/venues/{venue_id}/hours": {**place, "weekly": []},
            "POST /api/v1/venues/{venue_id}/hours/holidays": {**place, "country": "SE", "years": [DAY.year]},
            "PUT /api/v1/venues/{venue_id}/policy": {**place, "slot_step_minutes": 30},
            "PUT /api/v1/venues/{venue_id}/slots": {**place, "items": []},
            "POST /api/v1/venues/{venue_id}/resources": {"slug": "new"},
            "PATCH /api/v1/resources/{resource_id}": {"expected_version": 1, "name": "Another"},
        }.get(operation)
