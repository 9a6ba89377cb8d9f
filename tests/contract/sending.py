"""What test_canary.py sends, and who sends it."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

from tests.conftest import House

CANARY = "kanarie"
GUEST = {
    "guest_name": "Kanarie Andersdotter",
    "guest_email": "anna@kanarie.example",
    "guest_phone": "070-kanarie",
    "special_requests": "kanarie sits by the window",
}
DETAILS = {
    **GUEST,
    "internal_notes": "kanarie tips well",
    "metadata": {"room": "kanarie", "deep": [{"a": "kanarie"}]},
}
LEAKY = {
    "cookie": "session=kanarie",
    "x-api-key": "kanarie",
    "user-agent": "kanarie/1.0",
    "referer": "https://kanarie.example/",
    "traceparent": "00-kanarie",
    "x-forwarded-for": "kanarie",
}
TOKENS = [
    "Bearer kanarie",
    "Bearer eyJhbGciOiJFZERTQSJ9.kanarie.kanarie",
    "Basic kanarie",
    "kanarie",
    "Bearer  kanarie kanarie",
]
BODIES = [
    b'{"guest_email": "anna@kanarie.example"',
    b'"kanarie"',
    b'["kanarie"]',
    b"guest_email=kanarie",
    b'{"colour": "kanarie"}\xff',
    b"guest_name: kanarie\nguest_name: [",
]
_numbers = itertools.count()


class Sender:
    """Sends, and keeps what was refused."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.refused: list[httpx.Response] = []

    async def send(
        self, method: str, path: str, who: dict[str, str] | None = None, **request: Any
    ) -> httpx.Response:
        headers = {**LEAKY, **(self._house.bob if who is None else who), **request.pop("headers", {})}
        answer = await self._house.client.request(method, path, headers=headers, **request)
        if answer.status_code >= 400:
            self.refused.append(answer)
        return answer

    async def book(self, who: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
        body = {"venue_id": self._house.venue_id, "party_size": 2, **GUEST, **wanted}
        headers = {"idempotency-key": f"kanarie-{next(_numbers)}"}
        return await self.send("POST", "/bookings", who, json=body, headers=headers)

    def statuses(self) -> set[int]:
        return {each.status_code for each in self.refused}
