"""Promotion is planned without a lock and written a few offers at a time. It notices changes in between, and loses
nothing if a worker is killed between two steps. A greedy oracle checks the outcome."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from typing import Any

import asyncpg
import pytest

from holdfast.kernel.db.call import Call
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import OutcomeUnknown, Overloaded
from holdfast.place.places import Places
from holdfast.waitlist import promote
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.engines import connect

from .asking import Counting, Knobs, Verb, promotion
from .floor import Scene, set_scene, some_party, tables
from .greedy import Party

SEED = int(os.environ.get("HOLDFAST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
DAYS = 6
TWO = Party(2, instant("18:00"), instant("18:00"), 6)
SIX = replace(TWO, size=6)


@pytest.fixture
async def scene(open_house: Any, owner: asyncpg.Connection, db: Database) -> Callable[..., Awaitable[Scene]]:
    async def set_one(parties: list[Party], count: int = 3, days: int = 1, **policy: Any) -> Scene:
        return await set_scene(open_house, owner, Places(db), parties, count=count, days=days, **policy)

    return set_one


@pytest.fixture
async def dice() -> random.Random:
    print(f"HOLDFAST_SEED={SEED}")
    return random.Random(SEED)


def before(
    verb_name: str, what: Callable[[], Awaitable[None]], *, which: range
) -> Callable[[str], Awaitable[None]]:
    """Runs `what` before some of the transactions of that name: those in `which`, counted from 0."""
    numbers = count()

    async def before_one(name: str) -> None:
        if name == verb_name and next(numbers) in which:
            await what()

    return before_one


async def many(scene: Callable[..., Awaitable[Scene]], dice: random.Random) -> Scene:
    parties = [some_party(dice, tables(12), DAYS) for _ in range(60)]
    return await scene(parties, count=12, days=DAYS)


async def check(made: Scene) -> None:
    """Exactly the entries that should have an offer have it."""
    assert await made.offers() == made.floor.seat_all(made.parties)


async def test_all_that_fits_is_offered_in_the_order_of_the_queue_few_at_a_time(
    db: Database, scene: Callable[..., Awaitable[Scene]], dice: random.Random
) -> None:
    made = await many(scene, dice)
    await made.free(2, 3, 8)
    counting = Counting()
    offers = await promotion(Knobs(db, instead=counting).as_database, made.venue).run()
    await check(made)
    written = [count for verb, count in counting.statements if verb == "offer"]
    assert len(written) >= offers / promote.OFFERS_AT_ONCE
    assert max(written) <= 10  # under the lock, however long the planning took


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_2000_wait_for_a_month_of_joined_tables(
    db: Database, scene: Callable[..., Awaitable[Scene]], dice: random.Random
) -> None:
    parties = [some_party(dice, tables(60), 31) for _ in range(2_000)]
    made = await scene(parties, count=60, days=31)
    await made.free(7, 20, 21)
    await promotion(db, made.venue).run()
    await check(made)


async def test_nothing_is_held_while_it_thinks(
    database_url: str,
    scene: Callable[..., Awaitable[Scene]],
    dice: random.Random,
    monkeypatch: pytest.MonkeyPatch,
    open_house: Any,
) -> None:
    """It holds no connection, so no transaction and no lock. Others can book in the meantime, here and elsewhere."""
    made = await many(scene, dice)
    await made.free(2, 3, 8)
    other: House = await open_house()
    own = await connect(database_url)
    thoughts = 0

    class Watched(Slices):
        async def rest(self) -> bool:
            nonlocal thoughts
            thoughts += 1
            assert own.pool.get_size() == own.pool.get_idle_size()
            if thoughts == 20:
                await other.booked(start=at("18:00"))
                busy = await made.house.book(start=at("10:00"), resource_ids=made.house.ids("t00"))
                assert busy.status_code == 409
            return await super().rest()

    monkeypatch.setattr(promote, "Slices", Watched)
    try:
        assert await promotion(own, made.venue).run() > 0
    finally:
        await own.close()
    assert thoughts > 20
    await check(made)


async def test_a_worker_may_be_killed_at_any_step(
    db: Database, scene: Callable[..., Awaitable[Scene]], dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run is killed one transaction later than the one before, and the next one continues."""
    monkeypatch.setattr(promote, "OFFERS_AT_ONCE", 4)
    made = await many(scene, dice)
    await made.free(2, 3, 8)
    last = killed = 0
    while True:
        last += 1
        left = last

        def instead(_call: Call, verb: Verb) -> Verb:
            nonlocal left
            left -= 1
            return verb if left else dies(verb, made.owner)

        try:
            await promotion(Knobs(db, instead=instead).as_database, made.venue).run()
            break
        except (Overloaded, OutcomeUnknown):
            killed += 1
    assert killed > 5
    await check(made)


def dies(verb: Verb, owner: asyncpg.Connection) -> Verb:
    async def killed(tx: Tx, *args: Any, **more: Any) -> Any:
        done = await verb(tx, *args, **more)
        await owner.execute("SELECT pg_terminate_backend($1)", await tx.fetchval("SELECT pg_backend_pid()"))
        return done

    return killed


async def test_several_workers_at_once_make_each_offer_once(
    db: Database, scene: Callable[..., Awaitable[Scene]], dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promote, "OFFERS_AT_ONCE", 4)
    made = await many(scene, dice)
    await made.free(2, 3, 8)
    await asyncio.gather(*(promotion(db, made.venue).run() for _ in range(3)))
    await check(made)


async def interrupted(
    db: Database, made: Scene, what: Callable[[], Awaitable[None]], *, which: range = range(1)
) -> list[str]:
    """Runs a promotion, with `what` happening just before some offers are made. Returns its transactions' names."""
    counting = Counting()
    knobs = Knobs(db, instead=counting, before=before("offer", what, which=which))
    await promotion(knobs.as_database, made.venue).run()
    return [verb for verb, _ in counting.statements]


async def test_who_has_left_meanwhile_gets_nothing_and_keeps_nothing(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    made = await scene([TWO, TWO])
    await made.free(0)

    async def leaves() -> None:
        left = await made.house.client.delete(f"/waitlist/{made.entries[0]}", headers=made.house.bob)
        assert left.status_code == 200

    await interrupted(db, made, leaves)
    assert await made.offers() == {1: (TWO.earliest, (0,))}


async def test_what_one_batch_was_rechecked_for_says_nothing_about_the_next(
    db: Database, scene: Callable[..., Awaitable[Scene]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second leaves before the first gets its offer, so only its own batch can notice."""
    monkeypatch.setattr(promote, "OFFERS_AT_ONCE", 1)
    made = await scene([TWO, TWO, TWO])
    await made.free(0, 1)

    async def the_second_leaves() -> None:
        left = await made.house.client.delete(f"/waitlist/{made.entries[1]}", headers=made.house.bob)
        assert left.status_code == 200

    await interrupted(db, made, the_second_leaves)
    assert await made.offers() == {0: (TWO.earliest, (0,)), 2: (TWO.earliest, (1,))}


async def test_a_place_that_was_booked_meanwhile_is_offered_to_nobody_and_another_is(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    made = await scene([TWO, TWO])
    await made.free(0, 1)

    async def is_booked() -> None:
        await made.house.booked(start=at("18:00"), resource_ids=made.house.ids("t00"))

    await interrupted(db, made, is_booked)
    assert await made.offers() == {0: (TWO.earliest, (1,))}


async def test_what_came_free_meanwhile_goes_to_who_waits_longer_and_needs_both(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    """The party of six needs two tables; the party of two was planned for one of them."""
    made = await scene([SIX, TWO])
    await made.free(0)
    await interrupted(db, made, lambda: made.free(1))
    assert await made.offers() == {0: (SIX.earliest, (0, 1))}


async def test_somebody_who_waits_longer_and_was_not_seen_comes_first(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    made = await scene([TWO, TWO])
    first, second = made.entries
    await made.owner.execute("UPDATE waitlist_entry SET status = 'LAPSED' WHERE id = $1", first)
    await made.free(0)

    async def is_back() -> None:
        await made.owner.execute("UPDATE waitlist_entry SET status = 'WAITING' WHERE id = $1", first)
        await made.house.booked(
            start=at("12:00"), resource_ids=made.house.ids("t00")
        )  # any event of the venue

    await interrupted(db, made, is_back)
    assert await made.offers() == {0: (TWO.earliest, (0,))}
    assert second


async def test_a_rule_that_was_changed_meanwhile_holds(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    made = await scene([TWO, replace(TWO, earliest=instant("12:00"), latest=instant("12:00"))])
    await made.free(0)

    async def closes_earlier() -> None:
        weekly = [{**made.house.document["hours"]["weekly"][0], "close": "19:00"}]
        await made.house.replace({**made.house.document, "hours": {"weekly": weekly}})

    await interrupted(db, made, closes_earlier)
    assert await made.offers() == {1: (instant("12:00"), (0,))}


async def test_a_rule_that_makes_a_place_for_who_waits_longer_is_minded(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    late = replace(TWO, earliest=instant("22:00"), latest=instant("22:00"))
    made = await scene([late, replace(late, earliest=instant("21:30"), latest=instant("21:30"))])
    await made.free(0)

    async def closes_later() -> None:
        weekly = [{**made.house.document["hours"]["weekly"][0], "close": "24:00"}]
        await made.house.replace({**made.house.document, "hours": {"weekly": weekly}})

    await interrupted(db, made, closes_later)
    assert await made.offers() == {0: (late.earliest, (0,))}


async def test_what_has_nothing_to_do_with_the_offers_leaves_them_as_planned(
    db: Database, scene: Callable[..., Awaitable[Scene]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promote, "OFFERS_AT_ONCE", 1)
    made = await scene([TWO, replace(TWO, earliest=instant("19:30"), latest=instant("19:30"))])
    await made.free(0)

    async def joins() -> None:
        window = {"earliest": at("18:00"), "latest": at("18:00")}
        body = {"venue_id": made.house.venue_id, "party_size": 2, **window}
        joined = await made.house.client.post("/waitlist", json=body, headers=made.house.bob)
        assert joined.status_code == 201

    ran = await interrupted(db, made, joins, which=range(1, 2))
    assert ran.count("read_queue") == 1  # not planned again
    assert ran.count("offer") == 3
    assert await made.offers() == {0: (TWO.earliest, (0,)), 1: (instant("19:30"), (0,))}


async def test_it_gets_on_where_something_happens_all_the_time(
    db: Database, scene: Callable[..., Awaitable[Scene]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before every attempt a place becomes free that could suit somebody else. In the end the offer is made."""
    monkeypatch.setattr(promote, "PLANS_MAX", 2)
    monkeypatch.setattr(promote, "RECHECKS_MAX", 1)
    made = await scene([TWO], count=6)
    await made.free(0)
    rows = iter(range(1, 6))
    ran = await interrupted(db, made, lambda: made.free(next(rows)), which=range(5))
    assert ran.count("read_queue") == 2
    assert len(await made.offers()) == 1


async def test_arrivals_that_came_free_meanwhile_are_for_who_waits_longer(
    db: Database, scene: Callable[..., Awaitable[Scene]]
) -> None:
    four = replace(TWO, size=4)
    made = await scene([four, TWO])
    await made.free(0, 1, 2)
    await made.house.change_policy(pacing_covers_max=4, combination_resources_max=1)
    quick = await made.house.booked(start=at("18:00"), resource_ids=made.house.ids("t02"), party_size=2)

    async def fewer_arrive() -> None:
        path, body = f"/bookings/{quick['id']}/cancel", {"expected_version": 1}
        assert (await made.house.client.post(path, json=body, headers=made.house.bob)).status_code == 200

    await interrupted(db, made, fewer_arrive)
    assert await made.offers() == {0: (four.earliest, (1,))}
