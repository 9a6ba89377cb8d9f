"""What the engine adds to a verb: the turn, the venue as it is, one reply for each key, what reacts to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.booking.change import Change, change
from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.making.create import Booked
from holdfast.booking.model import Booking, as_json
from holdfast.booking.move import Move, move
from holdfast.booking.states import Status
from holdfast.booking.wanted import Wanted, When
from holdfast.engine import Engine
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.idempotency import DONE, Done, Keyed
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Forbidden, IdempotencyConflict
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from tests.booking.asking import at, instant
from tests.conftest import House
from tests.engines import engine_over
from tests.processes import PATIENT_S


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    await connection.execute("SET holdfast.tenants = '*'")
    yield connection
    await connection.close()


@pytest.fixture
def engine(db: Database) -> Engine:
    return engine_over(db)


async def venue_of(engine: Engine, house: House) -> Venue:
    return await engine.places.venue(UUID(house.venue_id))


def shown(booking: Booking, venue: Venue) -> dict[str, Any]:
    return as_json(booking, venue, SYSTEM)


def key(house: Venue, text: str, request: bytes = b"as asked") -> Keyed:
    return Keyed(house.tenant_id, "status", text, request)


def confirm(booking: dict[str, Any], **more: Any) -> Move:
    return Move(booking_id=UUID(booking["id"]), to=Status.CONFIRMED, expected_version=1, **more)


async def test_events_need_an_engine(database_url: str, owner: asyncpg.Connection) -> None:
    """A transaction whose events nothing could react to is refused, and not written."""
    bare = await Database.connect(database_url, deadline_s=PATIENT_S)
    made = Event(new_id(), new_id(), "test.happened", None, new_id(), {}, "system", instant("12:00"))
    with pytest.raises(RuntimeError, match="run it through an Engine"):
        await bare.run(SYSTEM, emit, [made])
    await bare.close()
    assert await owner.fetchval("SELECT count(*) FROM event WHERE id = $1", made.id) == 0


async def test_a_verb_gets_the_venue_as_it_is(engine: Engine, open_house: Any) -> None:
    house: House = await open_house()
    old = await venue_of(engine, house)
    await house.change_policy(slot_step_minutes=10)

    async def step(tx: Tx, *, venue: Venue) -> int:
        return venue.policy.slot_step_minutes

    assert await engine.change(SYSTEM, old, step) == 10


async def test_changes_of_a_venue_come_one_after_the_other(engine: Engine, open_house: Any) -> None:
    venue = await venue_of(engine, await open_house())
    now, most = 0, 0

    async def busy(tx: Tx, *, venue: Venue) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await tx.execute("SELECT pg_sleep(0.002)")
        now -= 1

    await asyncio.gather(*(engine.change(SYSTEM, venue, busy) for _ in range(20)))
    assert (now, most) == (0, 1)


async def test_the_same_key_has_the_same_reply_and_is_done_once(engine: Engine, open_house: Any) -> None:
    house: House = await open_house()
    venue, booking = await venue_of(engine, house), await house.booked(start=at("12:00"))

    async def ask() -> Done[Booking]:
        asked = key(venue, "confirm")
        return await engine.change_once(SYSTEM, venue, move, confirm(booking), key=asked, show=shown)

    done = await asyncio.gather(*(ask() for _ in range(5)))
    assert len({(each.reply.code, each.reply.body) for each in done}) == 1
    assert [each.value.status for each in done if each.value is not None] == [Status.CONFIRMED]
    other = key(venue, "confirm", b"something else")
    with pytest.raises(IdempotencyConflict):
        await engine.change_once(SYSTEM, venue, move, confirm(booking), key=other, show=shown)


async def test_without_a_key_there_is_a_reply_too(engine: Engine, open_house: Any) -> None:
    house: House = await open_house()
    venue, booking = await venue_of(engine, house), await house.booked(start=at("12:00"))
    done = await engine.change_once(SYSTEM, venue, move, confirm(booking), key=None, show=shown)
    assert done.value is not None
    assert (done.reply.code, done.value.version) == (DONE, 2)


async def test_a_final_refusal_is_kept_and_nothing_of_what_led_to_it(
    db: Database, open_house: Any, owner: asyncpg.Connection
) -> None:
    """Neither rows nor events: what is not there has nothing that reacts to it."""
    reacted: list[Event] = []

    async def react(tx: Tx) -> None:
        reacted.extend(tx.events)

    house: House = await open_house()
    engine = engine_over(db, react)
    try:
        venue = await venue_of(engine, house)
        made = Event(
            new_id(), venue.tenant_id, "test.happened", venue.id, new_id(), {}, "system", instant("12:00")
        )

        async def refuse(tx: Tx, *, venue: Venue) -> None:
            await emit(tx, [made])
            raise Forbidden("No.")

        for _ in range(2):
            done = await engine.change_once(
                SYSTEM, venue, refuse, key=key(venue, "refused"), show=lambda *_: {}
            )
            assert (done.reply.code, done.value) == ("FORBIDDEN", None)
        assert reacted == []
        assert await owner.fetchval("SELECT count(*) FROM event WHERE id = $1", made.id) == 0
    finally:
        engine_over(db)


async def test_what_is_taken_comes_with_what_is_free(engine: Engine, open_house: Any) -> None:
    house: House = await open_house()
    venue = await venue_of(engine, house)
    await house.booked(start=at("12:00"), resource_ids=house.ids("t1"))
    other = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    asked = Change(booking_id=UUID(other["id"]), expected_version=1, when=When(start=instant("12:00")))
    with pytest.raises(NotAvailable) as refused:
        await engine.change(SYSTEM, venue, change, asked)
    assert refused.value.fields["suggested_slots"]


async def test_what_was_changed_here_is_not_remembered_as_it_was(engine: Engine, open_house: Any) -> None:
    house: House = await open_house()
    venue, booking = await venue_of(engine, house), await house.booked(start=at("12:00"))
    at_reference = (venue.tenant_id, booking["booking_reference"])
    assert (await engine.by_reference.find(*at_reference, SYSTEM)).version == 1
    await engine.change(SYSTEM, venue, move, confirm(booking))
    assert (await engine.by_reference.find(*at_reference, SYSTEM)).version == 2

    async def renamed(tx: Tx, venue_id: UUID) -> Sequence[UUID]:
        payload = {"grown_resource_ids": []}
        told = Event(
            new_id(), venue.tenant_id, "venue.updated", venue.id, venue_id, payload, "system", tx.now
        )
        await emit(tx, [told])
        return [venue_id]

    assert engine.places.at_hand(venue.id) is not None
    await engine.change_rules(SYSTEM, venue, renamed)
    assert engine.places.at_hand(venue.id) is None


async def test_new_bookings_leave_the_cache_as_it_is(engine: Engine, open_house: Any) -> None:
    """One that is read while others are made is cached all the same."""
    house: House = await open_house()
    venue, booking = await venue_of(engine, house), await house.booked(start=at("12:00"))
    await engine.by_reference.find(venue.tenant_id, booking["booking_reference"], SYSTEM)
    forgotten = engine.by_reference._forgotten
    wanted = Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=instant("18:00")),
        party_size=2,
    )
    assert isinstance(await engine.create(wanted), Booked)
    assert engine.by_reference._forgotten == forgotten
    await engine.change(SYSTEM, venue, move, confirm(booking))
    assert engine.by_reference._forgotten == forgotten + 1
