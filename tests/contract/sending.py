"""What test_canary.py sends, and who sends it."""

from __future__ import annotations

import itertools
from typing import Any

import httpx

from tests.booking.asking import DAY, at
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
CONTACT = {name: GUEST[name] for name in ("guest_name", "guest_email", "guest_phone")}
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


async def what_repeats_and_waits(sender: Sender, house: House) -> None:
    """Series and entries of the waitlist, made, changed and given up, and refused."""
    weekly = {"venue_id": house.venue_id, "party_size": 2, "rrule": "FREQ=WEEKLY;COUNT=2", **DETAILS}
    weekly |= {"start": at("12:00"), "resource_ids": house.ids("t3")}
    assert CANARY not in (await sender.send("POST", "/series/preview", json=weekly)).text
    made = await sender.send("POST", "/series", json=weekly)
    assert made.status_code == 201, made.text
    series = f"/series/{made.json()['id']}"
    changed = {"scope": "all", "expected_version": 1, "changes": {"guest_name": "Kanarie III"}}
    assert (await sender.send("PATCH", series, json=changed)).status_code == 200
    cancelled = {"scope": "all", "expected_version": 2, "reason": "kanarie is ill"}
    assert (await sender.send("POST", f"{series}/cancel", json=cancelled)).status_code == 200

    waits = {"venue_id": house.venue_id, "party_size": 2, **CONTACT, "guest_id": "kanarie"}
    waits |= {"earliest": at("18:00"), "latest": at("20:00")}
    joined = await sender.send("POST", "/waitlist", json=waits)
    assert joined.status_code == 201, joined.text
    entry = f"/waitlist/{joined.json()['id']}"
    assert CANARY in (await sender.send("GET", entry)).text
    await sender.send("GET", f"/waitlist/venue/{house.venue_id}")
    assert (await sender.send("POST", f"{entry}/accept")).status_code == 400
    assert (await sender.send("DELETE", entry)).status_code == 200

    for path, body in (("/series", weekly), ("/series/preview", weekly), ("/waitlist", waits)):
        for name, value in CONTACT.items():
            for wrong in (value.ljust(300, "x"), f"{value}\0", [value], {"kanarie": value}):
                answer = await sender.send("POST", path, json={**body, name: wrong})
                assert answer.status_code == 400, (path, name, answer.text)
        for who in (house.gina, {}):
            answer = await sender.send("POST", path, who, json={**body, "guest_id": "kanarie"})
            assert answer.status_code in (401, 403), (path, answer.text)


async def what_is_blocked(sender: Sender, house: House) -> None:
    """Why it is, is for staff to read: in the block, and in what staff are told of it."""
    block = {"venue_id": house.venue_id, "resource_ids": house.ids("l1"), "reason": "kanarie cage"}
    block |= {"start": at("10:00"), "end": at("12:00")}
    path = "/chain/maintenance-blocks"
    assert (await sender.send("POST", f"{path}/preview", json=block)).status_code == 200
    made = await sender.send("POST", path, json=block)
    assert made.status_code == 201, made.text
    one = f"{path}/{made.json()['id']}"
    changed = {"expected_version": 1, "reason": "kanarie cage again"}
    assert (await sender.send("PATCH", one, json=changed)).status_code == 200
    for wrong in ("kanarie".ljust(501, "x"), "kanarie\0", ["kanarie"]):
        assert (await sender.send("POST", path, json={**block, "reason": wrong})).status_code == 400
    for who, status in ((house.gina, 403), ({}, 401)):
        for method, where in (("POST", path), ("POST", f"{path}/preview"), ("PATCH", one)):
            body = changed if method == "PATCH" else block
            assert (await sender.send(method, where, who, json=body)).status_code == status
    snapshot = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability?date={DAY}"
    assert CANARY in (await sender.send("GET", snapshot)).text
    for who in (house.gina, {}):
        seen = await sender.send("GET", snapshot, who)
        assert seen.status_code == 200
        assert CANARY not in seen.text
    live = "/live?channel=kanarie&access_token=kanarie"
    assert (await sender.send("GET", live, {})).status_code == 401
