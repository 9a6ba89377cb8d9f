"""Old events go, with their marks; what is still needed of them stays."""

from __future__ import annotations

from datetime import timedelta

import asyncpg
import pytest
from holdfast.dispatch.purge import EVENTS_KEPT_DAYS, purge_dead_letters, purge_events, purge_job_log
from holdfast.dispatch.reaction import Reaction, Tools
from holdfast.kernel.events import Event

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.tx import Tx
from tests.processes import until

from .conftest import HAPPENED, Desk

KEPT = timedelta(days=EVENTS_KEPT_DAYS)


async def nothing(tx: Tx, event: Event, tools: Tools) -> None:
    """The verb of a reaction that need not do anything."""


async def broken(tx: Tx, event: Event, tools: Tools) -> None:
    raise RuntimeError


FINE = Reaction("fine", (HAPPENED,), nothing)
BROKEN = Reaction("broken", ("test.broken",), broken)


async def age(desk: Desk, events: list[Event], by: timedelta) -> None:
    """The events were written so long ago."""
    ids = [event.id for event in events]
    await desk.owner.execute(
        "UPDATE event SET written_at = now() - $1::interval WHERE id = ANY ($2)", by, ids
    )


async def purge(desk: Desk, limit: int = 100) -> int:
    return await desk.db.run(SYSTEM, purge_events, limit)


async def worked_off(desk: Desk, *reactions: Reaction) -> None:
    await desk.dispatch_all(reactions)
    async with desk.jobs(*reactions):
        await until(desk.drained)


async def test_old_events_go_with_their_marks_and_young_ones_stay(desk: Desk) -> None:
    old, young = await desk.emit(5), await desk.emit(3)
    await worked_off(desk, FINE)
    await age(desk, old, KEPT + timedelta(hours=1))
    await age(desk, young, KEPT - timedelta(hours=1))
    assert [await purge(desk, 3) for _ in range(3)] == [3, 2, 0]
    assert await desk.count("event") == await desk.count("delivery") == 3
    assert await desk.count("event WHERE id = ANY ($1)", [event.id for event in young]) == 3


async def test_what_was_not_dispatched_stays_however_old_it_is(desk: Desk) -> None:
    await age(desk, await desk.emit(2), 2 * KEPT)
    assert await purge(desk) == 0
    await desk.dispatch_all([])
    await age(desk, await desk.emit(2), 2 * KEPT)
    assert await purge(desk) == 2
    assert await desk.count("event") == 2


async def test_a_dead_letter_keeps_its_event_until_it_was_replayed_long_ago(desk: Desk) -> None:
    dead = await desk.emit(1, kind="test.broken")
    fine = await desk.emit(2)
    await worked_off(desk, FINE, BROKEN)
    assert await desk.count("dead_letter") == 1
    await age(desk, dead + fine, 2 * KEPT)
    assert await purge(desk) == 3
    assert await desk.count("event WHERE id = $1", dead[0].id) == await desk.count("event") == 1
    assert await desk.db.run(SYSTEM, purge_dead_letters, 10) == 0

    for ago, gone in ((KEPT - timedelta(hours=1), 0), (KEPT + timedelta(hours=1), 1)):
        await desk.owner.execute(
            "UPDATE dead_letter SET replayed_by = 'staff:alice', replayed_at = now() - $1::interval", ago
        )
        assert await desk.db.run(SYSTEM, purge_dead_letters, 10) == gone
    assert await desk.count("event") == await desk.count("delivery") == await desk.count("dead_letter") == 0


async def test_a_young_event_outlives_its_dead_letter(desk: Desk) -> None:
    await desk.emit(1, kind="test.broken")
    await worked_off(desk, BROKEN)
    await desk.owner.execute(
        "UPDATE dead_letter SET replayed_by = 'x', replayed_at = now() - $1::interval", 2 * KEPT
    )
    assert await desk.db.run(SYSTEM, purge_dead_letters, 10) == 1
    assert await desk.count("event") == 1


async def test_while_one_purges_another_has_nothing_to_do(desk: Desk) -> None:
    await age(desk, await desk.emit(4), 2 * KEPT)
    await desk.dispatch_all([])
    assert await purge(desk, 1) == 1
    async with desk.another() as other, other.transaction():
        await other.execute("SELECT FROM event_cursor WHERE name = 'purged' FOR UPDATE")
        assert await purge(desk) == 0
    assert await purge(desk) == 3


async def test_nobody_who_uses_the_application_removes_events_by_himself(desk: Desk) -> None:
    async def remove(tx: Tx) -> None:
        await tx.execute("DELETE FROM event")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await desk.db.run(SYSTEM, remove)


async def test_notes_of_jobs_go_after_a_day(desk: Desk) -> None:
    await desk.emit(2)
    await worked_off(desk, FINE)
    notes = await desk.count("pgqueuer.pgqueuer_log")
    assert notes >= 4
    assert await desk.db.run(SYSTEM, purge_job_log, 100) == 0
    await desk.owner.execute("UPDATE pgqueuer.pgqueuer_log SET created = now() - interval '25 hours'")
    assert await desk.db.run(SYSTEM, purge_job_log, 3) == 3
    assert await desk.db.run(SYSTEM, purge_job_log, 100) == notes - 3
