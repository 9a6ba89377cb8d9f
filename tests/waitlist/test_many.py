"""Many wait, many places become free, several workers promote at once and some of them are killed. An oracle reads
the events: first come, first served among those a place fits; one offer for each place; nobody skipped."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking import due
from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from tests.booking.asking import DAY, at, instant, tick
from tests.conftest import House

from .asking import Counting, Json, Knobs, Verb, answer, joined, promotion
from .oracle import Table, Wish, World, replay

TABLES = 20
WORKERS = 4
KILLED = 0.15
"""The share of the workers' runs that lose their connection before a commit."""
SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
EVENING = {
    "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "18:00", "close": "20:00"}]
}


@dataclass
class Many:
    """A full house, a long queue, and its workers."""

    house: House
    venue: Venue
    db: Database
    owner: asyncpg.Connection
    dice: random.Random
    tables: dict[str, Table]
    wishes: dict[str, Wish]
    days: int
    killed: int = 0

    async def world(self) -> World:
        return await replay(self.owner, self.house.venue_id, self.tables, self.wishes)

    async def promote(self, *, around: Span | None, now: datetime | None = None, fatal: bool = False) -> int:
        """One run of a worker. A fatal one loses its connection before its first or second commit."""
        at = self.dice.randint(1, 2)

        def instead(call: Call, verb: Verb) -> Verb:
            nonlocal at
            at -= bool(call.locks)

            async def killed(tx: Tx, *args: Any, **more: Any) -> Any:
                done = await verb(tx, *args, **more)
                pid = await tx.fetchval("SELECT pg_backend_pid()")
                await self.owner.execute("SELECT pg_terminate_backend($1)", pid)
                return done

            return killed if fatal and call.locks and at == 0 else verb

        return await promotion(Knobs(self.db, {"now": now}, instead).as_database, self.venue).run(around)

    async def work(self, freed: asyncio.Queue[Span | None]) -> None:
        """Promotes what was freed until all is done. Interrupted runs are repeated."""
        while True:
            span = await freed.get()
            try:
                fatal = self.dice.random() < KILLED
                await self.promote(around=None if self.dice.random() < 0.05 else span, fatal=fatal)
            except Overloaded:
                self.killed += 1
                await freed.put(span)
            finally:
                freed.task_done()


async def prepare(
    open_house: Any, db: Database, owner: asyncpg.Connection, *, days: int, entries: int
) -> tuple[Many, list[Json]]:
    """Books every table every evening, and prepares `entries` entries."""
    print(f"HOLDFAST_SEED={SEED}")
    dice = random.Random(SEED)
    kinds = [("window", 1, 2), ("window", 2, 4), ("hall", 2, 4), ("hall", 4, 8)]
    resources = [
        {"slug": f"t{n}", "zone": zone, "seats_min": least, "seats_max": most, "sort_order": n}
        for n in range(TABLES)
        for zone, least, most in [kinds[n % len(kinds)]]
    ]
    policy = {"slot_step_minutes": 15, "offer_ttl_seconds": 600, "combination_resources_max": 1}
    house: House = await open_house(policy=policy, hours=EVENING, resources=resources)
    tables = {
        house.resources[each["slug"]]: Table(
            house.resources[each["slug"]], each["zone"], each["seats_min"], each["seats_max"]
        )
        for each in resources
    }
    venue = await Places(db).venue(UUID(house.venue_id))
    many = Many(house, venue, db, owner, dice, tables, {}, days)
    bookings = [
        await house.booked(
            start=at("18:00", day), end=at("20:00", day), resource_ids=[table.id], party_size=table.seats_min
        )
        for day in range(days)
        for table in tables.values()
    ]
    for number in range(entries):
        await _join(many, number)
    return many, bookings


async def _join(many: Many, number: int) -> None:
    """Visits take more than one of the two hours, so a place fits only one."""
    dice = many.dice
    first = dice.randrange(many.days)
    last = min(first + dice.choice([0, 0, 1, 2, 30]), many.days - 1)
    table = dice.choice([None, None, None, dice.choice(list(many.tables.values()))])
    size = dice.randint(table.seats_min, table.seats_max) if table else dice.randint(1, 8)
    zone = dice.choice([None, "hall"]) if size > 2 and table is None else None
    wanted: Json = (
        {"resource_ids": [table.id]} if table else {"preferences": {"zones": [zone] if zone else []}}
    )
    entry = await joined(
        many.house,
        party_size=size,
        earliest=at("17:00", first),
        latest=at(dice.choice(["18:00", "18:15", "20:00"]), last),
        duration_minutes=dice.choice([75, 90, 120]),
        **wanted,
    )
    many.wishes[entry["id"]] = Wish(
        number, day_of(first), day_of(last), size, zone=zone, table=table and table.id
    )


def day_of(number: int) -> date:
    return DAY + timedelta(days=number)


def all_days(many: Many) -> list[date]:
    return [day_of(number) for number in range(many.days)]


AGAIN_MAX = 5


async def cancel_all(many: Many, bookings: list[Json], freed: asyncio.Queue[Span | None]) -> None:
    many.dice.shuffle(bookings)
    for booking in bookings:
        path = f"/bookings/{booking['id']}/cancel"
        body = {"expected_version": 1, "idempotency_key": booking["id"]}
        for _ in range(AGAIN_MAX):
            done = await many.house.client.post(path, json=body, headers=many.house.bob)
            if done.status_code != 503:  # four promote at the venue, and the machine may be slow
                break
        assert done.status_code == 200, done.text
        start, end = (datetime.fromisoformat(booking[name]) for name in ("start", "end"))
        await freed.put(Span(start, end))
        if many.dice.random() < 0.1:
            await _snipe(many, booking)


async def _snipe(many: Many, booking: Json) -> None:
    """Somebody books what was just freed, unless a worker was faster."""
    tried = await many.house.book(
        start=booking["start"],
        end=booking["end"],
        resource_ids=booking["resource_ids"],
        party_size=booking["party_size"],
    )
    assert tried.status_code in (201, 409), tried.text


async def all_at_once(many: Many, bookings: list[Json]) -> None:
    freed: asyncio.Queue[Span | None] = asyncio.Queue()
    workers = [asyncio.create_task(many.work(freed)) for _ in range(WORKERS)]
    try:
        await cancel_all(many, bookings, freed)
        await freed.join()
    finally:
        for worker in workers:
            worker.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def rows(many: Many, status: str) -> list[Json]:
    path = f"/waitlist/venue/{many.house.venue_id}"
    found: list[Json] = []
    params: Json = {"status": status, "limit": 500}
    while True:
        page = (await many.house.client.get(path, params=params, headers=many.house.bob)).json()
        found += page["items"]
        if page["next"] is None:
            return found
        params["cursor"] = page["next"]


async def run(open_house: Any, db: Database, owner: asyncpg.Connection, *, days: int) -> None:
    entries = days * TABLES
    many, bookings = await prepare(open_house, db, owner, days=days, entries=entries)
    assert await many.promote(around=None) == 0  # all is taken
    await all_at_once(many, bookings)
    assert many.killed > 0, "nobody was killed"
    world = await many.world()
    assert world.skipped(all_days(many)) == []
    offered = await rows(many, "OFFERED")
    assert len(offered) == world.offers > entries / 3
    assert len(await rows(many, "WAITING")) == len(world.waiting)
    await _nobody_else_gets_it(many, offered)
    await _answer_all(many, offered)


async def _nobody_else_gets_it(many: Many, offered: list[Json]) -> None:
    for entry in many.dice.sample(offered, 10):
        offer = entry["offer"]
        tried = await many.house.book(
            start=offer["start"],
            end=offer["end"],
            resource_ids=offer["resource_ids"],
            party_size=entry["party_size"],
        )
        assert (tried.status_code, tried.json()["code"]) == (409, "TABLE_NOT_AVAILABLE")


async def _answer_all(many: Many, offered: list[Json]) -> None:
    """A third accept, a third decline, and a third let the offer expire. Then it is the next ones' turn."""
    before = len(await rows(many, "WAITING"))
    hows = ["accept", "decline", "ignore"]
    for number, entry in enumerate(offered):
        how = hows[number % 3]
        if how != "ignore":
            assert (await answer(many.house, entry, how)).status_code == 200
    ignored = offered[2::3]
    later = max(datetime.fromisoformat(each["offer"]["expires_at"]) for each in ignored)
    while await many.promote(around=None, now=later):
        pass
    await tick(many.db, many.venue.tenant_id, due.expire, now=later, limit=10_000)
    counted = Counter({each: len(await rows(many, each)) for each in ("ACCEPTED", "DECLINED", "LAPSED")})
    assert counted == {
        "ACCEPTED": len(offered[0::3]),
        "DECLINED": len(offered[1::3]),
        "LAPSED": len(ignored),
    }
    world = await many.world()
    assert world.skipped(all_days(many)) == []
    assert world.offers - len(offered) == before - len(world.waiting)
    assert world.offers > len(offered) or before == 0


async def test_200_wait_and_200_cancel(open_house: Any, db: Database, owner: asyncpg.Connection) -> None:
    await run(open_house, db, owner, days=10)


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_1000_wait_and_1000_cancel(open_house: Any, db: Database, owner: asyncpg.Connection) -> None:
    await run(open_house, db, owner, days=50)


async def test_one_freed_place_costs_little_however_many_wait(
    open_house: Any, db: Database, owner: asyncpg.Connection
) -> None:
    """More entries that want the same thing cost no more round trips or searches."""
    many, _ = await prepare(open_house, db, owner, days=1, entries=1)
    for _ in range(100):
        await joined(many.house, earliest=at("18:00"), latest=at("18:00"), duration_minutes=120)
    counting = Counting()
    freed = Span(instant("18:00"), instant("20:00"))
    assert await promotion(Knobs(db, instead=counting).as_database, many.venue).run(freed) == 0
    assert counting.all <= 12
