"""A change that takes thought is planned holding nothing, and written when what it was planned on still holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from holdfast.engine import Engine
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.idempotency import DONE, Done, Keyed
from holdfast.kernel.db.tx import Tx, _current, left_s, request_deadline
from holdfast.kernel.errors import Forbidden, HoldfastError, IdempotencyConflict, VersionConflict
from holdfast.place.venue import Venue
from holdfast.planning import PLANS_MAX, Read, StalePlan, change_planned, make_plan
from tests.conftest import House
from tests.engines import engine_over
from tests.processes import PATIENT_S

WRITABLE = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL"


@dataclass
class Thinker:
    """Plans how often it has planned; its plan is stale as often as is said."""

    db: Database
    stale: int = 0
    plans: int = 0
    refused: Exception | None = None
    written: list[tuple[int, int]] = field(default_factory=list)

    async def plan(self, read: Read) -> int:
        assert await read(has_an_xid) is False
        assert self.db.pool.get_size() == self.db.pool.get_idle_size()
        self.plans += 1
        if self.refused is not None:
            raise self.refused
        return self.plans

    async def write(self, tx: Tx, planned: int, *, plans_left: int, venue: Venue) -> int:
        assert await has_an_xid(tx)
        self.written.append((planned, plans_left))
        if planned <= self.stale:
            raise StalePlan
        return planned


async def has_an_xid(tx: Tx) -> bool:
    return await tx.fetchval(WRITABLE)


@pytest.fixture
async def venue(db: Database, open_house: Any) -> Venue:
    house: House = await open_house()
    return await engine_over(db).places.venue(UUID(house.venue_id))


async def ask(
    engine: Engine, venue: Venue, thinker: Thinker, key: str | None = None, request: bytes = b""
) -> Done[int]:
    keyed = None if key is None else Keyed(venue.tenant_id, "think", key, request)
    return await change_planned(
        engine, SYSTEM, venue, thinker.plan, thinker.write, key=keyed, show=lambda value, _: {"plan": value}
    )


async def test_what_is_planned_is_written(db: Database, venue: Venue) -> None:
    thinker = Thinker(db)
    done = await ask(engine_over(db), venue, thinker)
    assert (done.value, done.reply.code, thinker.written) == (1, DONE, [(1, PLANS_MAX - 1)])


async def test_a_stale_plan_is_made_anew_so_many_times(db: Database, venue: Venue) -> None:
    engine, thinker = engine_over(db), Thinker(db, stale=PLANS_MAX - 1)
    assert (await ask(engine, venue, thinker)).value == PLANS_MAX
    assert thinker.written == [(number + 1, PLANS_MAX - 1 - number) for number in range(PLANS_MAX)]
    never = Thinker(db, stale=1_000)
    with pytest.raises(StalePlan):
        await ask(engine, venue, never, "never")
    assert never.plans == PLANS_MAX
    assert (
        await ask(engine, venue, Thinker(db), "never")
    ).value == 1  # nothing is stored: it may be tried again


async def test_a_key_has_one_reply_and_plans_no_more(db: Database, venue: Venue) -> None:
    engine, thinker = engine_over(db), Thinker(db)
    first, again = await ask(engine, venue, thinker, "once"), await ask(engine, venue, thinker, "once")
    assert (again.reply, again.value, thinker.plans) == (first.reply, None, 1)
    with pytest.raises(IdempotencyConflict):
        await ask(engine, venue, thinker, "once", b"other")


async def test_a_final_refusal_of_a_plan_is_stored_and_no_other(db: Database, venue: Venue) -> None:
    engine, no = engine_over(db), Thinker(db, refused=Forbidden("No."))
    assert [(await ask(engine, venue, no, "no")).reply.code for _ in range(2)] == ["FORBIDDEN"] * 2
    assert (no.plans, no.written) == (1, [])
    later = Thinker(db, refused=VersionConflict())
    for _ in range(2):
        with pytest.raises(VersionConflict):
            await ask(engine, venue, later, "later")
    assert later.plans == 2
    with pytest.raises(Forbidden):
        await ask(engine, venue, no)


async def test_two_who_ask_for_the_same_at_once_get_the_same(db: Database, venue: Venue) -> None:
    """What is in the way of the second may be what the first has just got."""
    engine, first = engine_over(db), Thinker(db)
    keyed = Keyed(venue.tenant_id, "think", "twice", b"")
    show = {"key": keyed, "show": lambda value, _: {"plan": value}}

    async def overtaken(read: Read) -> int:
        await engine.change_once(SYSTEM, venue, first.write, 1, plans_left=0, **show)
        raise VersionConflict

    done = await change_planned(engine, SYSTEM, venue, overtaken, first.write, **show)
    assert (done.reply.code, done.reply.body, done.value) == (DONE, '{"plan":1}', None)
    assert first.written == [(1, 0)]


@pytest.mark.parametrize("key", [None, "slow"])
@pytest.mark.parametrize(
    ("refused", "code"), [(None, DONE), (Forbidden("No."), "FORBIDDEN"), (VersionConflict(), None)]
)
async def test_what_comes_of_a_plan_that_took_longer_than_a_request_is_told_all_the_same(
    db: Database, venue: Venue, refused: HoldfastError | None, code: str | None, key: str | None
) -> None:
    with request_deadline(PATIENT_S):
        left_s(PATIENT_S)  # it has begun
        thinker = Slow(db, refused=refused, request=_current.get())
        if code is None or (refused is not None and key is None):
            with pytest.raises(type(refused)):
                await ask(engine_over(db), venue, thinker, key)
        else:
            assert (await ask(engine_over(db), venue, thinker, key)).reply.code == code
        assert left_s(PATIENT_S) == 0


@dataclass
class Slow(Thinker):
    """When it has planned, the time of the request is over."""

    request: Any = None

    async def plan(self, read: Read) -> int:
        self.request.until = 0.0
        return await super().plan(read)


async def test_one_plan_at_a_time_for_a_venue(db: Database, venue: Venue) -> None:
    """However many ask, they take no more of the process than one does."""
    engine, now, most = engine_over(db), 0, 0

    async def plan(read: Read) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await read(has_an_xid)
        now -= 1
        return 1

    async def ask_once() -> None:
        await change_planned(engine, SYSTEM, venue, plan, Thinker(db).write, key=None, show=lambda *_: {})

    await asyncio.gather(*(ask_once() for _ in range(20)))
    assert (now, most) == (0, 1)


async def test_who_only_looks_keeps_nobody_from_planning(db: Database, venue: Venue) -> None:
    engine, seen_enough = engine_over(db), asyncio.Event()

    async def look(read: Read) -> str:
        await seen_enough.wait()
        return "seen"

    looking = asyncio.create_task(make_plan(engine, SYSTEM, venue, look, is_preview=True))
    await asyncio.sleep(0)
    assert (await ask(engine, venue, Thinker(db))).value == 1
    seen_enough.set()
    assert await looking == "seen"


async def test_a_preview_at_one_venue_keeps_no_month_of_another_waiting(db: Database, venue: Venue) -> None:
    engine, seen_enough, other = engine_over(db), asyncio.Event(), replace(venue, id=uuid4())

    async def look(_read: Any) -> str:
        await seen_enough.wait()
        return "seen"

    async def month(_tx: Tx) -> str:
        return "shown"

    looking = asyncio.create_task(make_plan(engine, SYSTEM, venue, look, is_preview=True))
    await asyncio.sleep(0)
    for each in (other, venue):
        assert await engine.look_long(SYSTEM, each, month) == "shown"
    seen_enough.set()
    assert await looking == "seen"
