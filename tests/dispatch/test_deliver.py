"""Jobs: each reaction happens once for each event; what fails is tried again, then kept as a dead letter."""

from __future__ import annotations

import asyncio

import pytest
from holdfast.dispatch.deliver import deliver, error_of, retry_s
from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.dispatch.store import TRIES_MAX
from holdfast.kernel.events import Event, emit

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx
from tests.processes import SOON_S, until

from .conftest import HAPPENED, Desk


async def note(tx: Tx, event: Event, tools: Tools) -> None:
    """Something in the database that can be counted: another event, about this one."""
    told = Event(new_id(), event.tenant_id, "test.noted", None, event.id, {}, str(tx.actor), tx.now)
    await emit(tx, [told])


NOTE = Reaction("note", (HAPPENED,), note)
NOTED = "event WHERE event_type = 'test.noted'"


class Failing:
    """A verb that writes something and then fails, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.tries = 0

    async def __call__(self, tx: Tx, event: Event, tools: Tools) -> None:
        await note(tx, event, tools)
        self.tries += 1
        if self.left:
            self.left -= 1
            raise RuntimeError("gina@nord.example is no good")


async def test_each_event_once_also_when_there_are_several_of_everything(desk: Desk) -> None:
    await desk.emit(30)
    await desk.emit(3, kind="test.other")
    await desk.dispatch_all([NOTE])
    assert await desk.queued() == 30
    async with desk.jobs(NOTE), desk.jobs(NOTE):
        await until(desk.drained)
    assert await desk.count(NOTED) == 30
    assert await desk.count(f"{NOTED} AND actor = 'system'") == 30
    assert (
        await desk.count("(SELECT DISTINCT subject_id FROM event WHERE event_type = 'test.noted') AS once")
        == 30
    )


async def test_run_twice_it_happens_once(desk: Desk) -> None:
    [event] = await desk.emit()
    delivery = desk.delivery(event, "note")
    call = desk.db.call(SYSTEM, tenants=[desk.tenant_id])
    assert await call.run(deliver, NOTE, desk.tools, delivery)
    assert not await call.run(deliver, NOTE, desk.tools, delivery)
    assert await desk.count(NOTED) == 1


async def test_run_at_the_same_time_it_happens_once(desk: Desk) -> None:
    [event] = await desk.emit()
    both = asyncio.Event()

    async def slow(tx: Tx, event: Event, tools: Tools) -> None:
        both.set()
        await asyncio.sleep(0)
        await note(tx, event, tools)
        await tx.execute("SELECT pg_sleep(0.1)")

    calls = [
        desk.db.call(SYSTEM, tenants=[desk.tenant_id]).run(
            deliver, Reaction("note", (HAPPENED,), slow), desk.tools, desk.delivery(event, "note")
        )
        for _ in range(4)
    ]
    assert sorted(await asyncio.gather(*calls)) == [False, False, False, True]
    assert await desk.count(NOTED) == 1


async def test_what_fails_leaves_nothing_and_is_tried_again(desk: Desk) -> None:
    verb = Failing(TRIES_MAX - 1)
    reaction = Reaction("shaky", (HAPPENED,), verb)
    await desk.emit()
    await desk.dispatch_all([reaction])
    async with desk.jobs(reaction):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX
    assert await desk.count(NOTED) == 1
    assert await desk.count("dead_letter") == 0
    assert await desk.count("delivery WHERE delivered_at IS NOT NULL AND failures = $1", TRIES_MAX - 1) == 1


async def test_five_tries_then_it_is_a_dead_letter_without_personal_data(desk: Desk) -> None:
    verb = Failing(100)
    reaction = Reaction("broken", (HAPPENED,), verb)
    [event] = await desk.emit()
    await desk.dispatch_all([reaction, NOTE])
    async with desk.jobs(reaction, NOTE):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX == 5
    letter = await desk.owner.fetchrow("SELECT * FROM dead_letter")
    assert letter is not None
    assert (letter["event_id"], letter["reaction"], letter["attempts"]) == (event.id, "broken", 5)
    assert letter["error"] == "RuntimeError in __call__"
    assert letter["first_failed_at"] < letter["dead_at"]
    assert not await desk.count("pgqueuer.pgqueuer_log AS log WHERE log::text LIKE '%gina%'")
    # The other reaction to the same event is not its business.
    assert await desk.count(NOTED) == 1


async def test_failures_are_remembered_by_the_next_worker(desk: Desk) -> None:
    verb = Failing(100)
    reaction = Reaction("broken", (HAPPENED,), verb)
    await desk.emit()
    await desk.dispatch_all([reaction])
    for failures in range(1, TRIES_MAX):

        async def failed(failures: int = failures) -> bool:
            return await desk.count("delivery WHERE failures >= $1", failures) == 1

        async with desk.jobs(reaction):
            await until(failed)
    async with desk.jobs(reaction):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX
    assert await desk.count("dead_letter") == 1


async def test_a_dead_one_is_not_tried_again_by_a_job_that_is_left(desk: Desk) -> None:
    verb = Failing(100)
    reaction = Reaction("broken", (HAPPENED,), verb)
    [event] = await desk.emit()
    await desk.dispatch_all([reaction])
    async with desk.jobs(reaction):
        await until(desk.drained)
    call = desk.db.call(SYSTEM, tenants=[desk.tenant_id])
    assert not await call.run(deliver, reaction, desk.tools, desk.delivery(event, "broken"))
    assert verb.tries == TRIES_MAX


async def test_when_told_to_stop_what_does_not_end_is_given_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.dispatch.jobs.FINISH_S", 0.2)
    begun = asyncio.Event()

    async def endless(tx: Tx, event: Event, tools: Tools) -> None:
        await note(tx, event, tools)
        begun.set()
        await asyncio.sleep(3600)

    reaction = Reaction("endless", (HAPPENED,), endless)
    await desk.emit()
    await desk.dispatch_all([reaction])
    async with desk.jobs(reaction) as stopping:
        await asyncio.wait_for(begun.wait(), SOON_S)
        stopping.set()
    assert await desk.count("pgqueuer.pgqueuer WHERE status = 'queued'") == 1
    assert await desk.count(NOTED) == 0
    assert await desk.count("delivery") == 0
    async with desk.jobs(Reaction("endless", (HAPPENED,), note)):
        await until(desk.drained)
    assert await desk.count(NOTED) == 1


async def test_what_the_library_holds_as_failed_is_run_after_all(desk: Desk) -> None:
    await desk.emit(3)
    await desk.dispatch_all([NOTE])
    await desk.owner.execute("UPDATE pgqueuer.pgqueuer SET status = 'failed'")
    async with desk.jobs(NOTE):
        await until(desk.drained)
    assert await desk.count(NOTED) == 3


async def test_a_job_whose_worker_is_silent_is_taken_over(desk: Desk) -> None:
    await desk.emit()
    await desk.dispatch_all([NOTE])
    await desk.owner.execute(
        "UPDATE pgqueuer.pgqueuer SET status = 'picked', queue_manager_id = $1,"
        " heartbeat = now() - interval '6 seconds'",
        new_id(),
    )
    async with desk.jobs(NOTE):
        await until(desk.drained)
    assert await desk.count(NOTED) == 1


async def test_a_reaction_sees_no_other_tenant(desk: Desk) -> None:
    seen: list[str] = []

    async def look(tx: Tx, event: Event, tools: Tools) -> None:
        seen.append(await tx.fetchval("SELECT current_setting('holdfast.tenants')"))

    reaction = Reaction("look", (HAPPENED,), look)
    await desk.emit()
    await desk.dispatch_all([reaction])
    async with desk.jobs(reaction):
        await until(desk.drained)
    assert seen == [str(desk.tenant_id)]


def test_the_pauses_grow_and_are_spread() -> None:
    for failures, middle in ((1, 1), (2, 4), (3, 16), (4, 64)):
        pauses = [retry_s(failures) for _ in range(200)]
        assert middle * 0.5 <= min(pauses) < middle * 0.8 < middle * 1.2 < max(pauses) <= middle * 1.5


def test_an_error_is_told_without_its_text() -> None:
    with pytest.raises(InvalidRequest) as caught:
        raise InvalidRequest.of("guest_email", "gina@nord.example", "is no good")
    assert error_of(caught.value) == "INVALID_REQUEST in test_an_error_is_told_without_its_text"
