"""One operation: a valid request, then the same with one hostile value at a time."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from tests.booking.asking import DAY, at
from tests.series import asking as series

from .codes import check_problem
from .hostile import BODIES, Values, channels_at
from .leaves import Leaf, Schemas, with_raw
from .nord import BLOCKS, Nord
from .raw import Answer, Request, ask
from .rules import THEIRS

Json = dict[str, Any]

MARK = "@@here@@"
HEADERS = (
    "x-request-id",
    "authorization",
    "accept-language",
    "accept",
    "traceparent",
    "content-type",
    "cookie",
)
"""Sent by anybody to everything, and in no operation's parameters."""
ENDS = ("/cancel", "/status", "/accept", "/decline", "/replay")
REMOVED = {
    f"POST {BLOCKS}": "/chain/maintenance-blocks",
    "POST /api/v1/venues/{venue_id}/resources": "/resources",
}
"""What these make is removed again, or the next request would be refused because of it."""
LEFT_OUT = {
    "booking_date": {"start"},
    "booking_time": {"start"},
    "date": {"start"},
    "slot_id": {"start"},
    "arrival": {"start", "earliest", "latest", "duration_minutes"},
    "preferences": {"resource_ids"},
}
GIVEN = {
    "booking_date": {"booking_time": "18:00"},
    "booking_time": {"booking_date": DAY.isoformat()},
    "date": {"slot_id": "day"},
    "slot_id": {"date": DAY.isoformat()},
    "arrival": {"nights": 1},
    "occurrence_on": {"scope": "one"},
    "spans": {"closed": False},
}
"""Fields to leave out and fields to add so that a field of a body is valid."""
NOT_HERE = (
    *((name, "venues that sell nights") for name in ("arrival", "departure", "nights")),
    ("items", "is for orders"),
    *(("parts.0", said) for said in ("slug of a resource", "a resource with parts", "goes too deep")),
    ("held_back.0.group", "either group or resources"),
    ("held_back.0.share_percent", "a share of a group"),
    *((f"held_back.0.resources{end}", "slug of a resource") for end in ("", ".0")),
)
"""Fields that are valid elsewhere only, and what Nord says of them: it sells no nights, it has no whole, the booking
that is changed is no order, and what it holds back is one of its resources."""

numbers = itertools.count()


class Probe:
    """Sends the requests of one operation to a Nord, and notes the answers that must not be."""

    def __init__(
        self,
        app: Any,
        document: Json,
        operation: str,
        nord: Nord,
        values: Values,
        *,
        arrange: Callable[[], Awaitable[Nord]],
    ) -> None:
        self.operation, self.nord, self.failures = operation, nord, list[str]()
        self._values, self._arrange = values, arrange
        self._app = app
        self._schemas = Schemas(document, resource_ids=nord.house.ids("s1"), adjacent=["t2"])
        self.method, _, self.path = operation.partition(" ")
        described = document["paths"][self.path][self.method.lower()]
        self._parameters = described.get("parameters", [])
        content = described.get("requestBody", {}).get("content", {})
        self.schema: Json | None = content.get("application/json", {}).get("schema")
        self._version: int | None = None

    # --- what works ---------------------------------------------------------------------------

    def body(self) -> Json:
        made = dict(self.nord.body(self.operation))
        if self._version is not None and "expected_version" in made:
            made["expected_version"] = self._version
        if self.operation == "POST /api/v1/tenants":
            made["slug"] = f"hostile-{next(numbers)}-{self.nord.house.tenant}"[:60]
        if self.operation == "POST /api/v1/venues/import":
            made["slug"] = "hostile"
        return made

    def query(self) -> dict[str, str]:
        asked = {name: quote(str(value), safe="") for name, value in self.nord.query(self.operation).items()}
        if self.path.endswith("/live"):
            asked["channel"] = quote(f"availability:{self.nord.place(':')}:{DAY}:day")
        return asked

    async def ask(self, **parts: Any) -> Answer:
        """As `send`; afterwards what it changed is ready for the next request."""
        answer = await self.send(**parts)
        await self._go_on(answer)
        return answer

    async def send(
        self,
        *,
        path: dict[str, str] | None = None,
        query: dict[str, str] | None = None,
        more: str = "",
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """What is answered to what works, but for these parts; `more`: appended to the query."""
        given = {name.encode(): value.encode() for name, value in self._who().items()}
        given |= {b"content-type": b"application/json"} | dict(headers or ())
        if body is None and self.schema is not None:
            body = json.dumps(self.body()).encode()
        asked = "&".join(f"{name}={value}" for name, value in (self.query() | (query or {})).items())
        request = Request(
            self.method,
            self.path.format(**(self.nord.ids(self.path) | (path or {}))),
            asked + more,
            list(given.items()),
            body or b"",
        )
        return await ask(self._app, request)

    def _who(self) -> dict[str, str]:
        return self.nord.headers(THEIRS[self.operation].owner)

    async def _go_on(self, answer: Answer) -> None:
        """What it was done to is as it is now, or there is another one of it."""
        if self.method == "GET" or answer.status_code >= 300:
            return
        if self.method == "DELETE" or self.path.endswith(ENDS) or answer.status_code == 201:
            self.nord, self._version = await self._renewed(answer), None
        elif "etag" in answer.headers:
            self._version = int(answer.headers["etag"].strip('"'))

    async def _renewed(self, answer: Answer) -> Nord:
        house, nord = self.nord.house, self.nord
        if "{item_id}" in self.path:
            items = [{"resource_ids": house.ids(slug), "party_size": 2} for slug in ("t1", "t2")]
            order = await house.booked(start=at("12:30"), party_size=4, items=items, guest_id="gina")
            return replace(nord, order=order)
        if "{booking_id}" in self.path:
            return replace(nord, booking=await house.booked(start=at("18:00"), guest_id="gina"))
        if "{series_id}" in self.path:
            again = await series.made(house, start=at("15:00"), rrule="FREQ=WEEKLY;COUNT=2", guest_id="gina")
            return replace(nord, series=again)
        for operation, path in REMOVED.items():
            if self.operation == operation:
                made = answer.json()
                path = f"{path}/{made['id']}?expected_version={made['version']}"
                assert (await house.client.delete(path, headers=house.alice)).status_code == 204
        if self.operation.endswith(("/accept", "/decline", "{entry_id}", "{resource_id}", "{block_id}")):
            return await self._arrange()
        return nord

    # --- what does not ------------------------------------------------------------------------

    async def everywhere(self) -> None:
        for part in (self.in_path, self.in_query, self.in_headers, self.in_body):
            await part()

    async def in_path(self) -> None:
        for name in [each["name"] for each in self._parameters if each["in"] == "path"]:
            for value in self._values.in_addresses():
                self.judge(await self.ask(path={name: value}), name, value)

    async def in_query(self) -> None:
        for name in [each["name"] for each in self._parameters if each["in"] == "query"]:
            for value in ["", *self._values.in_addresses()]:
                self.judge(await self.ask(query={name: value}), name, value)
            if name == "channel":
                for value in channels_at(self.nord.house.tenant, self.nord.house.venue["slug"], DAY):
                    self.judge(await self.ask(query={name: quote(value)}), name, value)
            twice = "&" + urlencode({name: "1"})
            self.judge(await self.ask(more=twice * 2), name, "twice")
        for more in ("&nonsense=%00&%00=%ff", "&&=&=%ed%a0%80", "&" + "a=1&" * 2000):
            self.judge(await self.ask(more=more), "query", more)

    async def in_headers(self) -> None:
        own = [each["name"].lower() for each in self._parameters if each["in"] == "header"]
        for name in [*own, *(HEADERS if self.operation.startswith("GET /api/") else ())]:
            for value in self._values.in_headers():
                self.judge(await self.ask(headers=[(name.encode(), value)]), name, value)

    async def in_body(self) -> None:
        if self.schema is None:
            return
        for value in BODIES:
            for body in (value, json.dumps(self.body()).encode() + value):
                key = [(b"idempotency-key", b"hostile-%d" % next(numbers))]
                self.judge(await self.ask(body=body, headers=key), "body", value)
        takes_key = any(each["name"] == "Idempotency-Key" for each in self._parameters)
        for leaf in self._schemas.leaves(self.schema):
            await self._can_be_right(leaf)
            for value in self._values.of_kinds(leaf.kinds):
                if takes_key:
                    await self._twice(leaf, value)
                else:
                    self.judge(await self.ask(body=self._with(leaf, value)), leaf.name, value)

    async def _can_be_right(self, leaf: Leaf) -> None:
        """A valid value is accepted in this place: otherwise hostile ones would be refused for another reason."""
        valid = self._schemas.valid(leaf)
        answer = await self.ask(body=self._with(leaf, json.dumps(valid).encode()))
        if answer.status_code == 400:
            errors = answer.json().get("errors", [])
            if any(
                leaf.name.endswith(name) and said in error["problem"]
                for name, said in NOT_HERE
                for error in errors
            ):
                return
            if any(each["field"].startswith(leaf.name) for each in errors) or not errors:
                self.failures.append(f"{leaf.name} = {valid!r}: should be right, {answer.content.decode()}")

    async def _twice(self, leaf: Leaf, value: bytes) -> None:
        """Under a key, so that the reply is stored; and again, so that it is read."""
        body = self._with(leaf, value)
        key = [(b"idempotency-key", b"hostile-%d" % next(numbers))]
        first = await self.ask(body=body, headers=key)
        self.judge(first, leaf.name, value)
        if first.status_code < 300 or b"INVALID_REQUEST" not in first.content:
            again = await self.send(body=body, headers=key)
            self.judge(again, leaf.name, value)

    def _with(self, leaf: Leaf, raw: bytes) -> bytes:
        assert self.schema is not None
        first = leaf.path[0]
        base = {name: each for name, each in self.body().items() if name not in LEFT_OUT.get(str(first), ())}
        base |= GIVEN.get(str(first), {})
        return with_raw(self._schemas.placed(self.schema, base, leaf, MARK), MARK, raw)

    def judge(self, answer: Answer, place: str, value: Any) -> None:
        told = f"{place} = {value[:80]!r}: {answer.status_code} {answer.content[:300]!r}"
        if answer.status_code >= 500:
            self.failures.append(told)
            return
        try:
            if answer.status_code >= 400:
                check_problem(answer)
            elif answer.headers.get("content-type") == "application/json":
                answer.json()
        except (AssertionError, ValueError, KeyError) as error:
            self.failures.append(f"{told} {error!r}")
