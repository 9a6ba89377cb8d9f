"""Shorthand for joining the queue, and for making it move."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import wraps
from typing import Any, cast
from uuid import UUID

import asyncpg
import httpx

from holdfast.kernel.actor import Actor
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import LateLocks, Tx
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.waitlist.promote import Promotion
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.engines import engine_over

Json = dict[str, Any]


async def ask_to_join(house: House, who: dict[str, str] | None = None, **wanted: Any) -> httpx.Response:
    """Asks for 18:00 to 20:00 on DAY for two, unless `wanted` says otherwise."""
    window = {} if "arrival" in wanted else {"earliest": at("18:00"), "latest": at("20:00")}
    body = {"venue_id": house.venue_id, "party_size": 2, **window, **wanted}
    headers = house.bob if who is None else who
    return await house.client.post("/waitlist", json=body, headers=headers)


async def joined(house: House, who: dict[str, str] | None = None, **wanted: Any) -> Json:
    response = await ask_to_join(house, who, **wanted)
    assert response.status_code == 201, response.text
    return response.json()


async def entry_of(house: House, entry: Json, who: dict[str, str] | None = None) -> Json:
    response = await house.client.get(f"/waitlist/{entry['id']}", headers=who or house.bob)
    assert response.status_code == 200, response.text
    return response.json()


async def answer(house: House, entry: Json, how: str, who: dict[str, str] | None = None) -> httpx.Response:
    headers = house.bob if who is None else who
    if how == "leave":
        return await house.client.delete(f"/waitlist/{entry['id']}", headers=headers)
    return await house.client.post(f"/waitlist/{entry['id']}/{how}", headers=headers)


Verb = Callable[..., Awaitable[Any]]


@dataclass
class Knobs:
    """A database that runs all its transactions with these knobs, unless a call sets its own.

    `instead`: gets the call of a transaction and its verb, and returns the verb to run. `before`: awaited before each
    transaction begins, with the name of its verb.
    """

    db: Database
    knobs: Json = field(default_factory=dict)
    instead: Callable[[Call, Verb], Verb] = lambda _, verb: verb
    before: Callable[[str], Awaitable[None]] | None = None
    after_commit: list[Any] = field(default_factory=list)

    @property
    def late(self) -> LateLocks:
        return self.db.late

    @property
    def reads_max(self) -> int:
        return self.db.reads_max

    @property
    def as_database(self) -> Database:
        return cast(Database, self)

    def call(self, actor: Actor, **knobs: Any) -> Call:
        said = {name: value for name, value in knobs.items() if name != "tenants" or value is not None}
        return _Other(self.db.call(actor, **self.knobs | said), self)

    async def run(self, actor: Actor, verb: Verb, *args: Any, **more: Any) -> Any:
        return await self.call(actor).run(verb, *args, **more)


class _Other(Call):
    def __init__(self, call: Call, knobs: Knobs) -> None:
        super().__init__(**{each.name: getattr(call, each.name) for each in fields(Call)})
        self.other = knobs

    async def run(self, verb: Verb, *args: Any, **more: Any) -> Any:
        if self.other.before is not None:
            await self.other.before(verb.__name__)
        return await super().run(wraps(verb)(self.other.instead(self, verb)), *args, **more)


@dataclass
class Counting:
    """Counts the statements of each transaction, by the verb's name."""

    statements: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, _call: Call, verb: Verb) -> Verb:
        async def count(tx: Tx, *args: Any, **more: Any) -> Any:
            before = tx.round_trips
            done = await verb(tx, *args, **more)
            self.statements.append((verb.__name__, tx.round_trips - before))
            return done

        return count

    @property
    def all(self) -> int:
        return sum(count for _, count in self.statements)


async def promoted(
    db: Database, house: House, *, now: datetime | None = None, around: Span | None = None
) -> int:
    """Promotes the venue's queue, as if it were `now`. Returns the number of offers made."""
    venue = await Places(db).venue(UUID(house.venue_id))
    return await promotion(Knobs(db, {"now": now}).as_database, venue).run(around)


def promotion(db: Database, venue: Venue) -> Promotion:
    """The promotion of a worker whose process has just started."""
    return Promotion(engine_over(db), venue.tenant_id, venue.id)


def around(start: str, end: str) -> Span:
    return Span(instant(start), instant(end))


async def events_of(owner: asyncpg.Connection, entry: Json) -> list[asyncpg.Record]:
    """The events about the entry, in order."""
    return await owner.fetch("SELECT * FROM event WHERE subject_id = $1 ORDER BY id", UUID(entry["id"]))
