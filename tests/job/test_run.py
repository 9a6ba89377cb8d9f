"""Jobs happen once each, also when there are several of everything; what fails is tried again, then a dead letter."""

from __future__ import annotations

import asyncio
from uuid import UUID

import orjson
import pytest
from structlog.testing import capture_logs

from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.job.model import TRIES_MAX
from holdfast.job.reaction import Finish, Reaction
from holdfast.job.run import AT_ONCE_MAX, error_of, retry_s
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.main.process.work import run_worker
from tests.job.handling import all_of
from tests.processes import SOON_S, until

from .conftest import HAPPENED, LANE, NOTED, Desk, note, reaction

NOTE = reaction("note")
GUEST = "gina@nord.example"


class Failing:
    """A verb that writes something and then fails, so many times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.tries = 0

    async def __call__(self, tx: Tx, event: Event) -> None:
        await note(tx, event)
        self.tries += 1
        if self.left:
            self.left -= 1
            raise RuntimeError(f"{GUEST} is no good")


async def test_each_event_once_also_when_there_are_several_of_everything(desk: Desk) -> None:
    desk.react(NOTE)
    await desk.emit(30)
    await desk.emit(3, kind="test.other")
    assert await desk.count("job") == 30
    async with desk.others(1) as [other], desk.lane(NOTE), desk.lane(NOTE, db=other):
        await until(desk.drained)
    assert await desk.each_noted_once(30)
    assert await desk.count("event WHERE event_type = $1 AND actor = 'system'", NOTED) == 30


async def test_a_worker_does_all_of_it_and_stops(desk: Desk) -> None:
    desk.react(NOTE)
    await desk.emit(10)
    stopping = asyncio.Event()
    worker = run_worker(desk.engine, desk.url, ticks=(), reactions=[NOTE], stopping=stopping)
    running = asyncio.create_task(worker)
    await until(desk.drained)
    stopping.set()
    await asyncio.wait_for(running, SOON_S)
    assert await desk.each_noted_once(10)


async def test_what_a_reaction_emits_causes_jobs_as_well(desk: Desk) -> None:
    about: list[UUID] = []

    async def hear(tx: Tx, event: Event) -> None:
        about.append(event.subject_id)

    heard = reaction("heard", hear, types=(NOTED,))
    desk.react(NOTE, heard)
    made = await desk.emit(3)
    async with desk.lane(NOTE, heard):
        await until(desk.drained)
    assert sorted(about) == sorted(event.id for event in made)


async def test_what_fails_leaves_nothing_and_is_tried_again(desk: Desk) -> None:
    verb = Failing(TRIES_MAX - 1)
    shaky = reaction("shaky", verb)
    desk.react(shaky)
    await desk.emit()
    async with desk.lane(shaky):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX
    assert await desk.noted() == 1
    assert await desk.count("dead_letter") == 0


async def test_five_tries_then_it_is_a_dead_letter_without_personal_data(desk: Desk) -> None:
    verb = Failing(100)
    broken = reaction("broken", verb)
    desk.react(broken, NOTE)
    [event] = await desk.emit()
    with capture_logs() as lines:
        async with desk.lane(broken, NOTE):
            await until(desk.drained)
    assert verb.tries == TRIES_MAX == 5
    letter = await desk.owner.fetchrow("SELECT * FROM dead_letter")
    assert letter is not None
    assert (letter["reaction"], letter["lane"], letter["attempts"]) == ("broken", LANE, 5)
    assert orjson.loads(letter["event"])["id"] == str(event.id)
    assert letter["error"] == "RuntimeError in __call__"
    assert letter["first_failed_at"] < letter["dead_at"]
    assert [line["event"] for line in lines if line["event"].startswith("job_")] == [
        *["job_failed"] * 4,
        "job_dead",
    ]
    assert GUEST not in str(lines) + str(letter)
    # The other reaction to the same event is not its business.
    assert await desk.noted() == 1


async def test_failures_are_remembered_by_the_next_worker(desk: Desk) -> None:
    verb = Failing(100)
    broken = reaction("broken", verb)
    desk.react(broken)
    await desk.emit()
    for failures in range(1, TRIES_MAX):

        async def failed(failures: int = failures) -> bool:
            return await desk.count("job WHERE failures >= $1", failures) == 1

        async with desk.lane(broken, retry_least_s=3600):
            await until(failed)
        assert await desk.count("job WHERE failures = $1 AND due_at > now()", failures) == 1
        await desk.owner.execute("UPDATE job SET due_at = now()")
    async with desk.lane(broken):
        await until(desk.drained)
    assert verb.tries == TRIES_MAX
    assert await desk.count("dead_letter") == 1


async def test_a_job_waits_until_it_is_due(desk: Desk) -> None:
    desk.react(NOTE)
    [later] = await desk.emit()
    await desk.owner.execute("UPDATE job SET due_at = now() + interval '1 hour'")
    [marker] = await desk.emit()
    jobs = [await desk.take(), await desk.take()]
    assert [job and job.event for job in jobs] == [marker, None]
    await desk.owner.execute("UPDATE job SET due_at = now() WHERE leased_until IS NULL")
    job = await desk.take()
    assert job is not None
    assert job.event == later


async def test_when_told_to_stop_what_does_not_end_is_given_back(desk: Desk) -> None:
    begun = asyncio.Event()

    async def endless(tx: Tx, event: Event) -> None:
        await note(tx, event)
        begun.set()
        await asyncio.Event().wait()

    stuck = reaction("note", endless)
    desk.react(stuck)
    await desk.emit()
    async with desk.lane(stuck, finish_s=0.01):
        await asyncio.wait_for(begun.wait(), SOON_S)
    row = await desk.owner.fetchrow(
        "SELECT leased_until, failures, vanished, due_at <= now() AS is_due FROM job"
    )
    assert row is not None
    assert tuple(row) == (None, 0, 0, True)
    assert await desk.noted() == 0
    async with desk.lane(NOTE):
        await until(desk.drained)
    assert await desk.noted() == 1


async def test_when_told_to_stop_what_is_under_way_may_finish(desk: Desk) -> None:
    begun, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow(tx: Tx, event: Event) -> None:
        begun.release()
        await go_on.wait()
        await note(tx, event)

    slow_one = reaction("slow", slow)
    desk.react(slow_one)
    await desk.emit(AT_ONCE_MAX + 1)
    async with desk.lane(slow_one, finish_s=60) as stopping:
        for _ in range(AT_ONCE_MAX):
            await asyncio.wait_for(begun.acquire(), SOON_S)
        stopping.set()
        go_on.set()
    assert await desk.noted() == AT_ONCE_MAX
    assert await desk.count("job WHERE leases = 0") == await desk.count("job") == 1


async def test_one_that_never_ends_is_ended_and_has_failed(desk: Desk) -> None:
    async def endless(tx: Tx, event: Event) -> None:
        await note(tx, event)
        await asyncio.Event().wait()

    stuck = reaction("stuck", endless)
    desk.react(stuck, NOTE)
    await desk.emit()
    async with desk.lane(stuck, NOTE, job_s_max=0.02):

        async def is_dead() -> bool:
            return await desk.count("dead_letter") == 1

        await until(is_dead)
    letter = await desk.owner.fetchrow(
        "SELECT reaction, attempts, error FROM dead_letter WHERE reaction = 'stuck'"
    )
    assert letter is not None
    assert (letter["attempts"], letter["error"].split()[0]) == (TRIES_MAX, "TimeoutError")


async def test_one_that_something_else_has_cancelled_is_not_done(desk: Desk) -> None:
    tries = 0

    async def waits_for_what_was_cancelled(engine: Engine, event: Event, finish: Finish) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise asyncio.CancelledError

    odd = Reaction("odd", (HAPPENED,), LANE, waits_for_what_was_cancelled, all_of)
    desk.react(odd)
    await desk.emit()
    async with desk.lane(odd):
        await until(desk.drained)
    assert tries == 2


async def test_a_reaction_sees_no_other_tenant(desk: Desk) -> None:
    seen: list[str] = []

    async def look(tx: Tx, event: Event) -> None:
        seen.append(await tx.fetchval("SELECT current_setting('holdfast.tenants')"))

    desk.react(reaction("look", look))
    await desk.emit()
    async with desk.lane(reaction("look", look)):
        await until(desk.drained)
    assert seen == [str(desk.tenant_id)]


def test_the_pauses_grow_and_are_spread() -> None:
    for failures, middle in ((1, 1), (2, 4), (3, 16), (4, 64)):
        pauses = [retry_s(failures) for _ in range(200)]
        assert middle * 0.5 <= min(pauses) < middle * 0.8 < middle * 1.2 < max(pauses) <= middle * 1.5


def test_an_error_is_told_without_its_text() -> None:
    with pytest.raises(InvalidRequest) as caught:
        raise InvalidRequest.of("guest_email", GUEST, "is no good")
    assert error_of(caught.value) == "INVALID_REQUEST in test_an_error_is_told_without_its_text"
