"""Those who book where fair use counts: guests of groups, and callers without a token, from addresses of their own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from fastapi import FastAPI

from tests.conftest import House

from .asking import DAY, STOCKHOLM

FLOOR = {"slug": "floor", "name": "Floor", "kind": "section", "seats_max": 6, "units": 99}
MEMBERS = ("members",)
LONG = {"duration_minutes": 120}
SHORT = {"duration_minutes": 60}


def ahead() -> int:
    """How many days it is to DAY, at the venue."""
    return (DAY - datetime.now(STOCKHOLM).date()).days


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody at an address. `subject`: None for a caller without a token."""

    app: FastAPI
    house: House
    subject: str | None
    address: str = "203.0.113.7"
    groups: tuple[str, ...] = field(default=())

    @property
    def headers(self) -> dict[str, str]:
        if self.subject is None:
            return {}
        return self.house.headers("guest", subject=self.subject, groups=self.groups)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app, client=(self.address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test/api/v1") as http:
            return await http.request(method, path, headers=self.headers, **request)

    async def book(self, **wanted: Any) -> httpx.Response:
        body = {"venue_id": self.house.venue_id, "party_size": 2, **wanted}
        return await self.ask("POST", "/bookings", json=body)

    async def booked(self, **wanted: Any) -> dict[str, Any]:
        response = await self.book(**wanted)
        assert response.status_code == 201, response.text
        return response.json()

    async def change(self, booking: dict[str, Any], **wanted: Any) -> httpx.Response:
        body = {"expected_version": booking["version"], **wanted}
        return await self.ask("PUT", f"/bookings/{booking['id']}", json=body)

    async def check(self, **wanted: Any) -> httpx.Response:
        body = {"venue_id": self.house.venue_id, "party_size": 2, **wanted}
        return await self.ask("POST", "/bookings/availability/check", json=body)

    async def day(self, date: str, **query: Any) -> dict[str, Any]:
        path = f"/venues/{self.house.venue_id}/availability/day"
        response = await self.ask("GET", path, params={"date": date, "party_size": 2, **query})
        assert response.status_code == 200, response.text
        return response.json()
