"""Clients that follow slots of a venue by their events, on real streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.booking.asking import DAY
from tests.conftest import House
from tests.live.conftest import slot_channel
from tests.live.reading import Reader, opened
from tests.processes import Running

DAYS = range(3)
FOLLOWED = ("state", "unitsFree", "bookableFrom", "bookableUntil")


@dataclass
class Client:
    """Follows slots of a venue by their events. `seen`: sections by channel; `told`: versions by channel."""

    house: House
    stream: Reader
    channels: dict[str, dict[str, str]]
    token: str | None
    seen: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    events: int = 0

    async def look(self, channel: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        path = f"/clubs/{self.house.tenant}/venues/{self.house.venue['slug']}/availability"
        response = await self.house.client.get(path, params=self.channels[channel], headers=headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def begin(self) -> None:
        for channel in self.channels:
            shown = await self.look(channel)
            self.told[channel] = shown["version"]
            self.seen[channel] = {each["sectionId"]: _followed(each) for each in shown["sections"]}

    async def agrees(self) -> None:
        """What it knows by events is what the snapshots show."""
        for channel in self.channels:
            shown = await self.look(channel)
            while self.told[channel] < shown["version"]:
                [frame] = await self.stream.take(1)
                self._apply(frame.data or {})
            known = self.seen[channel]
            for each in shown["sections"]:
                assert known[each["sectionId"]] == _followed(each), f"{channel} at {shown['version']}: {each}"

    def _apply(self, data: dict[str, Any]) -> None:
        channel, section = data["channel"], data["sectionId"]
        assert data["version"] == self.told[channel] + 1
        self.told[channel], self.events = data["version"], self.events + 1
        known = self.seen[channel][section]
        assert known["state"] == data["previousState"], data
        new = _followed(
            {"state": data["newState"], **{name: data[name] for name in FOLLOWED[1:] if name in data}}
        )
        self.seen[channel][section] = known | new


def _followed(section: dict[str, Any]) -> dict[str, Any]:
    return {name: section.get(name) for name in FOLLOWED}


Follow = Callable[..., Any]


@pytest.fixture
async def follow(api: Running) -> AsyncIterator[Follow]:
    clients: list[Client] = []

    async def follow(house: House, *, slots: list[str], token: str | None = None) -> Client:
        channels = {
            slot_channel(house, days=days, slot=slot): {
                "date": str(DAY + timedelta(days=days)),
                "slotId": slot,
            }
            for days in DAYS
            for slot in slots
        }
        client = Client(house, await opened(api.port, *channels, token=token), channels, token)
        clients.append(client)
        await client.begin()
        return client

    yield follow
    for each in clients:
        each.stream.close()
