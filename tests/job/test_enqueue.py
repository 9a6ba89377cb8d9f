"""Jobs exist if and only if the transaction of their event committed and the reaction has something to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.job.reaction import ROUNDS_MAX, Immediate, Reaction
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.booking.asking import at, cancel
from tests.conftest import House
from tests.job.handling import in_one_transaction
from tests.waitlist.asking import joined

from .conftest import HAPPENED, LANE, Desk, made, note, reaction

SECOND = "test.second"


async def jobs_of(desk: Desk) -> list[tuple[str, UUID]]:
    rows = await desk.owner.fetch("SELECT reaction, event ->> 'id' AS event_id FROM job ORDER BY due_at, id")
    return [(row["reaction"], UUID(row["event_id"])) for row in rows]


async def test_a_job_for_each_event_and_reaction_to_its_type(desk: Desk) -> None:
    desk.react(reaction("one", types=(HAPPENED, SECOND)), reaction("two"))
    first = await desk.emit(2)
    await desk.emit(1, kind="test.unheard")
    [second] = await desk.emit(1, kind=SECOND)
    assert sorted(await jobs_of(desk)) == sorted(
        [
            ("one", first[0].id),
            ("one", first[1].id),
            ("two", first[0].id),
            ("two", first[1].id),
            ("one", second.id),
        ]
    )


async def test_what_was_rolled_back_has_no_job(desk: Desk) -> None:
    desk.react(reaction("note"))

    async def change_one_s_mind(tx: Tx) -> None:
        await emit(tx, [made(desk.tenant_id)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await desk.db.run(SYSTEM, change_one_s_mind)
    assert await desk.count("job") == await desk.count("event") == 0


async def test_nobody_sees_a_job_before_its_event_or_without_it(desk: Desk) -> None:
    """In the middle of the transaction there is neither; afterwards both."""
    seen: list[int] = []

    async def look(tx: Tx, events: Sequence[Event]) -> Sequence[Event]:
        seen.append(await desk.count("job") + await desk.count("event"))
        return events

    desk.react(Reaction("look", (HAPPENED,), LANE, in_one_transaction(note), look))
    await desk.emit()
    assert seen == [0]
    assert await desk.count("job") == await desk.count("event") == 1


async def test_a_transaction_that_is_run_again_makes_its_jobs_once(desk: Desk) -> None:
    attempts = 0

    async def clash_once(tx: Tx, events: Sequence[Event]) -> Sequence[Event]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise asyncpg.SerializationError
        return events

    desk.react(reaction("first"), Reaction("note", (HAPPENED,), LANE, in_one_transaction(note), clash_once))
    [event] = await desk.emit()
    assert attempts == 2
    assert sorted(await jobs_of(desk)) == [("first", event.id), ("note", event.id)]


async def test_no_job_where_there_is_nothing_to_do(desk: Desk) -> None:
    asked: list[list[int]] = []

    async def the_even(tx: Tx, events: Sequence[Event]) -> Sequence[Event]:
        asked.append([event.payload["n"] for event in events])
        return [event for event in events if event.payload["n"] % 2 == 0]

    desk.react(Reaction("even", (HAPPENED,), LANE, in_one_transaction(note), the_even))
    made = await desk.emit(4)
    assert asked == [[0, 1, 2, 3]]
    assert await jobs_of(desk) == [("even", made[0].id), ("even", made[2].id)]
    await desk.emit(4, kind="test.unheard")
    assert len(asked) == 1


async def test_a_place_that_comes_free_is_a_job_only_where_somebody_waits(desk: Desk, house: House) -> None:
    first, second = [
        await house.booked(start=at(time), resource_ids=house.ids("t1")) for time in ("12:00", "18:00")
    ]
    await cancel(house, first)
    assert await desk.count("job") == 0
    await joined(house, earliest=at("18:00"), latest=at("18:00"), resource_ids=house.ids("t1"))
    await desk.owner.execute("DELETE FROM job")
    await cancel(house, second)
    row = await desk.owner.fetchrow("SELECT reaction, venue_id, event ->> 'event_type' AS type FROM job")
    assert row is not None
    assert tuple(row) == ("promote_freed", UUID(house.venue_id), "booking.cancelled")


async def test_immediate_reactions_happen_in_the_transaction(desk: Desk) -> None:
    """What they emit causes jobs as any event does."""
    desk.react(reaction("on_note", types=("test.noted",)), immediate=[Immediate((HAPPENED,), note)])
    made = await desk.emit(3)
    assert await desk.each_noted_once(3)
    notes = await desk.owner.fetch("SELECT id FROM event WHERE subject_id = ANY ($1)", [e.id for e in made])
    assert sorted(await jobs_of(desk)) == sorted(("on_note", row["id"]) for row in notes)
    ids = "SELECT count(DISTINCT xmin::text) FROM event UNION ALL SELECT count(DISTINCT xmin::text) FROM job"
    assert [row[0] for row in await desk.owner.fetch(ids)] == [1, 1]
    assert await desk.owner.fetchval(
        "SELECT (SELECT min(xmin::text) FROM event) = (SELECT min(xmin::text) FROM job)"
    )


async def test_one_that_fails_rolls_the_change_back(desk: Desk) -> None:
    async def refuse(tx: Tx, event: Event) -> None:
        await note(tx, event)
        raise ZeroDivisionError

    desk.react(reaction("note"), immediate=[Immediate((HAPPENED,), refuse)])
    with pytest.raises(ZeroDivisionError):
        await desk.emit()
    assert await desk.count("job") == await desk.count("event") == 0


@pytest.mark.parametrize(("rounds", "committed"), [(ROUNDS_MAX, True), (ROUNDS_MAX + 1, False)])
async def test_they_cause_one_another_so_often_and_no_more(desk: Desk, rounds: int, committed: bool) -> None:
    async def go_on(tx: Tx, event: Event) -> None:
        n: Any = event.payload["n"] + 1
        if n < rounds:
            await emit(tx, [made(desk.tenant_id, n=n)])

    desk.react(immediate=[Immediate((HAPPENED,), go_on)])
    if committed:
        await desk.emit()
    else:
        with pytest.raises(RuntimeError, match=f"more than {ROUNDS_MAX} rounds"):
            await desk.emit()
    assert await desk.count("event") == (rounds if committed else 0)


async def test_a_job_of_another_version_can_be_read(desk: Desk) -> None:
    """During a rollout the new version may write more than the old one knows."""
    desk.react(reaction("note"))
    [event] = await desk.emit()
    await desk.owner.execute("""UPDATE job SET event = event || '{"mood": "good"}'""")
    job = await desk.take()
    assert job is not None
    assert job.event == event
    assert await desk.take("other") is None


async def test_a_job_without_a_venue_and_one_with(desk: Desk) -> None:
    desk.react(reaction("note"))
    venue = new_id()
    made = [*await desk.emit(), *await desk.emit(venue_id=venue)]
    jobs = [await desk.take(), await desk.take()]
    assert [job and job.event for job in jobs] == made
