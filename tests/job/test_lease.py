"""Who has a job, and for how long: nobody else takes it meanwhile, and whoever lost it changes nothing any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from holdfast.engine import Engine
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.job import store
from holdfast.job.model import Job
from holdfast.job.reaction import Finish, Reaction, Verb
from holdfast.job.store import LeaseLost
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.job.handling import all_of
from tests.processes import SOON_S, until

from .conftest import HAPPENED, LANE, Desk, made, note, reaction

NOTE = reaction("note")
BEGUN = "test.begun"


class Gate:
    """Where the first who comes waits until it is opened; others pass."""

    def __init__(self) -> None:
        self.reached, self.opened = asyncio.Event(), asyncio.Event()
        self.visits = 0

    async def pass_through(self) -> None:
        self.visits += 1
        if not self.reached.is_set():
            self.reached.set()
            await self.opened.wait()

    async def is_reached(self) -> None:
        await asyncio.wait_for(self.reached.wait(), SOON_S)

    def before(self, verb: Verb) -> Verb:
        async def gated(tx: Tx, event: Event) -> None:
            await verb(tx, event)
            await self.pass_through()

        return gated


async def taken(desk: Desk) -> Job:
    job = await desk.take()
    assert job is not None
    return job


def in_two(gate: Gate) -> Reaction:
    """One that writes something in a transaction of its own, and the note in the last; with the gate in between."""

    async def handle(engine: Engine, event: Event, finish: Finish) -> None:
        async def first(tx: Tx) -> None:
            await emit(tx, [made(event.tenant_id, BEGUN)])

        async def last(tx: Tx) -> None:
            await note(tx, event)
            await finish(tx)

        await engine.write(SYSTEM, first)
        await gate.pass_through()
        await engine.write(SYSTEM, last)

    return Reaction("note", (HAPPENED,), LANE, handle, all_of)


async def test_a_job_is_taken_once_until_its_lease_has_run_out(desk: Desk) -> None:
    desk.react(NOTE)
    await desk.emit()
    jobs = await asyncio.gather(*(desk.take(lease_s=90) for _ in range(5)))
    assert [job.lease for job in jobs if job is not None] == [1]
    left = await desk.owner.fetchval("SELECT leased_until - now() FROM job")
    assert timedelta(seconds=30) < left < timedelta(seconds=91)
    assert await desk.take() is None
    await desk.leases_run_out()
    again = await taken(desk)
    assert (again.lease, again.vanished, again.failures) == (2, 1, 0)


VERBS: list[Callable[[Tx, Job], Awaitable[Any]]] = [
    lambda tx, job: store.finish(tx, job),
    lambda tx, job: store.renew(tx, job, lease_s=60),
    lambda tx, job: store.fail(tx, job, retry_s=60),
    lambda tx, job: store.bury(tx, job, attempts=5, error="x"),
]


@pytest.mark.parametrize("verb", VERBS, ids=["finish", "renew", "fail", "bury"])
@pytest.mark.parametrize("is_done", [False, True], ids=["another_has_it", "it_is_done"])
async def test_with_a_lease_that_another_has_nothing_can_be_done(
    desk: Desk, verb: Callable[[Tx, Job], Awaitable[Any]], is_done: bool
) -> None:
    desk.react(NOTE)
    await desk.emit()
    job = await taken(desk)
    await desk.leases_run_out()
    other = await taken(desk)
    if is_done:
        await desk.db.run(SYSTEM, store.finish, other)
    before = await desk.owner.fetch("SELECT * FROM job")

    async def write(tx: Tx) -> None:
        await note(tx, job.event)
        await verb(tx, job)

    with pytest.raises(LeaseLost):
        await desk.db.run(SYSTEM, write)
    await desk.db.run(SYSTEM, store.give_back, job)
    assert await desk.owner.fetch("SELECT * FROM job") == before
    assert await desk.noted() == await desk.count("dead_letter") == 0


async def test_the_writes_and_the_end_of_the_job_commit_together(desk: Desk) -> None:
    gate = Gate()

    async def handle(engine: Engine, event: Event, finish: Finish) -> None:
        async def both(tx: Tx) -> None:
            await note(tx, event)
            await finish(tx)
            await gate.pass_through()

        await engine.write(SYSTEM, both)

    note_late = Reaction("note", (HAPPENED,), LANE, handle, all_of)
    desk.react(note_late)
    await desk.emit()
    async with desk.lane(note_late):
        await gate.is_reached()
        assert (await desk.noted(), await desk.count("job")) == (0, 1)
        gate.opened.set()
        await until(desk.drained)
        assert await desk.noted() == 1


async def test_what_fails_after_the_end_was_marked_is_not_done(desk: Desk) -> None:
    tries = 0

    async def handle(engine: Engine, event: Event, finish: Finish) -> None:
        async def both(tx: Tx) -> None:
            nonlocal tries
            tries += 1
            await note(tx, event)
            await finish(tx)
            if tries == 1:
                raise ZeroDivisionError

        await engine.write(SYSTEM, both)

    shaky = Reaction("note", (HAPPENED,), LANE, handle, all_of)
    desk.react(shaky)
    await desk.emit()
    async with desk.lane(shaky):
        await until(desk.drained)
    assert (tries, await desk.noted()) == (2, 1)


async def test_what_forgets_to_mark_the_end_is_done_all_the_same(desk: Desk) -> None:
    async def handle(engine: Engine, event: Event, finish: Finish) -> None:
        await engine.write(SYSTEM, note, event)

    forgetful = Reaction("note", (HAPPENED,), LANE, handle, all_of)
    desk.react(forgetful)
    await desk.emit()
    async with desk.lane(forgetful):
        await until(desk.drained)
    assert await desk.noted() == 1


async def test_what_is_stopped_between_its_transactions_is_run_again(desk: Desk) -> None:
    gate = Gate()
    desk.react(in_two(gate))
    await desk.emit()
    async with desk.lane(in_two(gate), finish_s=0.01):
        await gate.is_reached()
    assert (await desk.noted(), await desk.count("job")) == (0, 1)
    async with desk.lane(in_two(gate)):
        await until(desk.drained)
    assert await desk.count("event WHERE event_type = $1", BEGUN) == 2
    assert await desk.noted() == 1


@pytest.mark.parametrize("kind", ["one transaction", "two transactions"])
async def test_who_lost_the_lease_changes_nothing_in_the_last_transaction(desk: Desk, kind: str) -> None:
    """Two workers in one process: the first is held up, the second takes over and is through before it goes on."""
    gate = Gate()
    slow = reaction("note", gate.before(note)) if kind == "one transaction" else in_two(gate)
    desk.react(slow)
    await desk.emit()
    async with desk.others(1) as [other], desk.lane(slow):
        await gate.is_reached()
        await desk.leases_run_out()
        async with desk.lane(slow, db=other):
            await until(desk.drained)
        assert await desk.noted() == 1
        gate.opened.set()
    assert gate.visits == 2
    assert await desk.noted() == 1
    assert await desk.count("dead_letter") == 0


async def test_who_lost_the_lease_is_stopped(desk: Desk) -> None:
    """As soon as the lease would be prolonged, without waiting for the end of what it does."""
    gate = Gate()
    slow = reaction("note", gate.before(note))
    desk.react(slow)
    await desk.emit()
    async with desk.lane(slow, lease_s=0.3) as stopping:
        await gate.is_reached()
        stopping.set()
        await desk.owner.execute(
            "UPDATE job SET leases = leases + 1, leased_until = now() + interval '1 hour'"
        )
    assert await desk.noted() == 0
    assert await desk.count("job WHERE leases = 2 AND leased_until > now()") == 1


async def test_a_lease_is_prolonged_while_the_job_takes_its_time(desk: Desk) -> None:
    """With another worker there, which would take it over."""
    gate = Gate()
    slow = reaction("note", gate.before(note))
    desk.react(slow)
    await desk.emit()
    first: Any = None
    async with desk.others(1) as [other], desk.lane(slow, lease_s=6):
        await gate.is_reached()
        first = await desk.owner.fetchval("SELECT leased_until FROM job")
        async with desk.lane(slow, db=other, lease_s=6):

            async def is_prolonged() -> bool:
                return await desk.count("job WHERE leased_until > $1", first + timedelta(seconds=1)) == 1

            await until(is_prolonged)
            gate.opened.set()
            await until(desk.drained)
    assert gate.visits == 1
    assert await desk.noted() == 1


async def test_one_job_of_a_venue_is_leased_at_a_time_whoever_asks(desk: Desk) -> None:
    """Two who ask at the same moment may each see a job that is free: the constraint has the last word."""
    desk.react(NOTE)
    venue = new_id()
    await desk.emit(2, venue_id=venue)
    async with desk.another() as other, other.transaction():
        first = "SELECT id FROM job ORDER BY due_at LIMIT 1 FOR UPDATE"
        id_ = await other.fetchval(first)

        async def waits() -> bool:
            return (
                await desk.count("pg_stat_activity WHERE datname = 'desk' AND wait_event_type = 'Lock'") == 1
            )

        await other.execute(
            "UPDATE job SET leases = 1, leased_until = now() + interval '1 hour' WHERE id = $1", id_
        )
        asking = asyncio.create_task(desk.take())
        await until(waits)
    with pytest.raises(LeaseLost):
        await asking
    assert await desk.take() is None
    assert await desk.count("job WHERE leased_until IS NOT NULL") == 1
