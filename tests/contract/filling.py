"""Puts what is really there into made-up requests, so that they get further than to a 404."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.kernel.db.database import Database
from tests.block.asking import blocked
from tests.booking.asking import DAY, at
from tests.conftest import House
from tests.series import asking as series

from .arranged import buried, offered

BOOKINGS = 6
BLOCKS = "/chain/maintenance-blocks"
NAMED = ("booking_id", "series_id", "entry_id", "block_id", "resource_id", "venue_id")
"""The parts of paths that name what has a version, the most specific first."""
SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
STARTS = ("start", "booking_date", "date")


@dataclass(frozen=True)
class There:
    """A venue with bookings and holds, on several days, a series, a block, a dead letter, and entries of the
    waitlist with an offer each: one to accept, one to decline, one for everything else."""

    house: House
    bookings: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    series: dict[str, Any]
    entries: dict[str, dict[str, Any]]
    block: dict[str, Any]
    letter_id: str

    @classmethod
    async def at(cls, house: House, *, db: Database, owner: asyncpg.Connection) -> There:
        """`owner`: a connection to the same database that sees all tenants."""
        bookings = [
            await house.booked(start=at("18:00", days), hold=days % 3 == 0, guest_id="gina")
            for days in range(BOOKINGS)
        ]
        items = [{"resource_ids": house.ids(slug), "party_size": 2} for slug in ("t1", "t2", "t3")]
        orders = [
            await house.booked(start=at("12:00", days), party_size=6, items=items, guest_id="gina")
            for days in range(BOOKINGS)
        ]
        entries = await offered(db, house, 3, days=BOOKINGS, resource_ids=house.ids("s1"))
        return cls(
            house,
            bookings,
            orders,
            await series.made(house, start=at("15:00"), rrule="FREQ=DAILY;COUNT=3"),
            dict(zip(("accept", "decline", ""), entries, strict=True)),
            await blocked(house, "l1", rrule="FREQ=WEEKLY;COUNT=3"),
            await buried(owner, house),
        )


class Filling:
    """What is there takes the place of what is made up in two of three requests.

    What is not valid stays what it is: that is what it is there to show.
    """

    def __init__(self, there: There) -> None:
        self.there = there
        self.house = there.house
        self._turns: Counter[bool] = Counter()
        self._turn = 0
        made = [
            self.house.venue,
            *self.house.venue["resources"],
            *there.bookings,
            *there.orders,
            there.series,
            there.block,
        ]
        self._versions: dict[str, int] = {each["id"]: each["version"] for each in made}

    def fill(self, case: Any) -> None:
        """Changes the case in place."""
        is_valid = case.meta.generation.mode.is_positive
        self._turns[is_valid] += 1
        self._turn = self._turns[is_valid]
        if self._turn % 3 == 0:
            return
        known = self._known(case)
        _replace(case.path_parameters, known)
        _replace(case.query, known)
        if isinstance(case.body, dict):
            _replace(case.body, known)
        if is_valid:
            self._fill_further(case)

    def learn(self, case: Any, response: Any) -> None:
        """Takes note of the version that a change led to."""
        etag = response.headers.get("etag")
        touched = self._touched(case)
        if response.status_code == 200 and etag and touched:
            self._versions[touched] = int(etag[0].strip('"').partition(".")[0])

    def _known(self, case: Any) -> dict[str, str]:
        there = self.there
        among = there.orders if "{item_id}" in case.operation.path else there.bookings
        booking = among[self._turn // 2 % len(among)]
        item = self._turn % 3
        entry = there.entries.get(case.operation.path.rpartition("/")[2], there.entries[""])
        return {
            "venue_id": self.house.venue_id,
            "resource_id": self.house.resources["t3"],
            "booking_id": booking["id"],
            "item_id": booking["items"][item]["id"] if booking["items"] else booking["id"],
            "series_id": there.series["id"],
            "entry_id": entry["id"],
            "block_id": there.block["id"],
            "letter_id": there.letter_id,
            "reference": booking["booking_reference"],
            "slug": self.house.tenant,
            "tenant": self.house.tenant,
            "venue": self.house.venue["slug"],
            "guest_id": "gina",
        }

    def _touched(self, case: Any) -> str:
        path = case.path_parameters or {}
        return next((str(path[name]) for name in NAMED if name in path), "")

    def _fill_further(self, case: Any) -> None:
        version = self._versions.get(self._touched(case), 1)
        steps = any(f"/{{{name}}}/" in case.path for name in ("booking_id", "series_id"))
        if case.operation.method.upper() in ("PUT", "PATCH", "DELETE") or steps:
            is_query = case.operation.method.upper() == "DELETE"
            where = case.query if is_query else case.body
            if isinstance(where, dict) and (not is_query or _has_query(case, "expected_version")):
                where["expected_version"] = version
        for name in ("If-Match", "Idempotency-Key"):
            # Beside the field of the body, which says something else.
            (case.headers or {}).pop(name, None)
        self._fill_query(case.query or {})
        if case.path.endswith("/availability/range") and case.query:
            case.query |= {"from": DAY.isoformat(), "to": DAY.isoformat()}
            case.query.pop("group", None)  # Nord has none
        if isinstance(case.body, dict):
            self._fill_body(case.body)
            if BLOCKS in case.path:
                self._fill_block(case.body)

    def _fill_query(self, query: dict[str, Any]) -> None:
        # Cursors are opaque, so the document can't say which there are.
        for name in ("cursor", "after", "duration_minutes", "nights"):
            query.pop(name, None)
        if query.pop("to", None) and "resource_id" in query:
            query["to"] = at("24:00")
        if "slotId" in query:
            query["slotId"] = "day"
        days = {"month": f"{DAY:%Y-%m}", "date": DAY.isoformat(), "from": DAY.isoformat()}
        for name in days.keys() & query.keys():
            is_instant = name == "from" and "T" in str(query[name])
            query[name] = at("00:00") if is_instant else days[name]

    def _fill_body(self, body: dict[str, Any]) -> None:
        for name in ("arrival", "departure", "nights"):  # for venues that sell nights
            body.pop(name, None)
        if body.get("start") or "end" in body:
            for name in (*STARTS, "booking_time", "slot_id", "end", "preferences"):
                body.pop(name, None)
            body["start"] = at("12:00", self._turn % 90)
        for name in ("source", "metadata"):
            if body.get(name, "") is None:
                del body[name]
        if "party_size" in body:
            body["party_size"] = 1 + (body["party_size"] or 0) % 2
        if "resource_ids" in body:
            body["resource_ids"] = [self.house.resources["t3"]]
        if isinstance(body.get("duration_minutes"), int):
            body["duration_minutes"] = 60
        if "timezone" in body:
            body["timezone"] = "Europe/Stockholm"
        if "currency" in body:
            body["currency"] = "SEK"
        if "rrule" in body:
            body["rrule"] = "FREQ=WEEKLY;COUNT=2"
        if "scope" in body:
            body["scope"] = "all"
            for name in ("occurrence_on", "on_conflict"):
                body.pop(name, None)
        if "to" in body and self._turn % 3 == 1:
            body["to"] = "CONFIRMED"
        if "country" in body:
            body |= {"country": "SE", "years": [DAY.year]}
            for name in ("subdivision", "language", "names"):
                body.pop(name, None)
        if "changes" in body:
            body["changes"] = {"party_size": 1 + self._turn % 2}
        if "earliest" in body:
            body |= {"earliest": at("12:00", self._turn % 90), "latest": at("14:00", self._turn % 90)}
            body.pop("preferences", None)
        if "adjacent" in body:
            body["adjacent"] = []

    def _fill_block(self, body: dict[str, Any]) -> None:
        if "start" in body:
            days = self._turn % 90
            body |= {
                "start": at("06:00", days),
                "end": at("07:00", days),
                "resource_ids": self.house.ids("l1"),
            }
        if "cancelled_from" in body:
            body["cancelled_from"] = at("00:00", 14)[:10]


def _replace(given: Any, known: dict[str, str]) -> None:
    for name, value in (given or {}).items():
        if name in known and _is_alike(value, known[name]):
            given[name] = known[name]


def _is_alike(value: Any, known: str) -> bool:
    if not isinstance(value, str):
        return False
    if _is_id(known):
        return _is_id(value)
    if known.startswith("BR-"):
        return re.fullmatch(r"BR-[0-9]{8}-[0-9A-Z]{6}", value) is not None
    return SLUG.fullmatch(value) is not None


def _is_id(value: str) -> bool:
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False


def _has_query(case: Any, name: str) -> bool:
    return any(parameter.name == name for parameter in case.operation.query)
