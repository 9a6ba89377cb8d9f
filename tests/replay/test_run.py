from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest

from holdfast.audit.run import audit
from holdfast.booking.change import Change, change
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import InvalidRequest, VersionConflict
from holdfast.main.ticks import TICKS
from holdfast.place.places import Places
from holdfast.replay import run
from holdfast.replay.plan import ReplayPlan, plan_replay, stay_span
from holdfast.replay.run import Replayed, replay
from holdfast.replay.stay import BadRow, Stay
from tests.engines import engine_over

from .first_fit import first_fit, refused_by_count
from .hotel_data import needs_data
from .rows import stay

JULY_1, JULY_11, JULY_14 = date(2015, 7, 1), date(2015, 7, 11), date(2015, 7, 14)


async def nothing(_done: int) -> None:
    return None


async def put_through(
    db: Database, plan: ReplayPlan, run_id: str = "once", *, late: bool = False
) -> Replayed:
    return await replay(engine_over(db), plan, run_id=run_id, watch=nothing, late=late)


async def rows(db: Database, sql: str) -> list[asyncpg.Record]:
    async def read(tx: Tx) -> list[asyncpg.Record]:
        return await tx.fetch(sql)

    return await db.run(SYSTEM, read)


ROOMS = """
    SELECT (booking.metadata ->> 'line')::integer AS line, booking.status, tenant.name AS hotel,
           resource.attributes ->> 'room_type' AS room_type,

           resource.name AS room
      FROM booking
      JOIN tenant ON tenant.id = booking.tenant_id
      JOIN resource ON resource.tenant_id = booking.tenant_id AND resource.id = ANY (booking.resource_ids)
"""
ENDED = {"completed": "COMPLETED", "cancelled": "CANCELLED", "no_show": "NO_SHOW"}


async def assert_as_first_fit(db: Database, plan: ReplayPlan, replayed: Replayed) -> None:
    """The same accepted and refused, in the same order and rooms, and each ended as the file says."""
    fitted = first_fit(plan.hotels, plan.actions)
    assert list(replayed.refused) == [each.line for each in fitted.refused]
    found = {row["line"]: row for row in await rows(db, ROOMS)}
    assert {line: (row["hotel"], row["room_type"], row["room"]) for line, row in found.items()} == {
        line: (hotel, room_type, f"{room_type} {number}")
        for line, (hotel, room_type, number) in fitted.room_of.items()
    }
    assert found.keys() == replayed.booking_ids.keys()
    outcomes = {each.line: ENDED[each.outcome] for each in plan.stays}
    assert {line: row["status"] for line, row in found.items()} == {line: outcomes[line] for line in found}


def crowd(seed: int, size: int) -> list[Stay]:
    """Stays in two hotels that want the same nights, and some that are refused."""
    draw = random.Random(seed)
    stays: list[Stay] = []
    for line in range(2, 2 + size):
        booked = JULY_1 + timedelta(days=draw.randrange(20))
        arrival = booked + timedelta(days=draw.randrange(15))
        departure = arrival + timedelta(days=draw.randrange(1, 6))
        outcome = draw.choice(["completed", "completed", "cancelled", "no_show"])
        earliest = arrival if outcome == "completed" else booked
        ended = earliest + timedelta(days=draw.randrange((departure - earliest).days + 2))
        stays.append(
            stay(
                line,
                hotel=draw.choice(["City Hotel", "Resort Hotel"]),
                room_type=draw.choice("AAB"),
                booked_on=booked,
                arrival_on=arrival,
                departure_on=departure,
                party_size=draw.randrange(1, 5),
                outcome=outcome,
                ended_on=ended,
            )
        )
    return stays


async def test_a_crowd_gets_the_rooms_that_first_fit_gives(empty_db: Database) -> None:
    plan = plan_replay(crowd(seed=5, size=250))
    replayed = await put_through(empty_db, plan)
    assert 5 < len(replayed.refused) < 200, "the crowd must be large enough to be refused, and not too large"
    await assert_as_first_fit(empty_db, plan, replayed)
    assert set(replayed.refused.values()) == {"ROOM_NOT_AVAILABLE"}
    accepted = [action for action in plan.actions if action.stay.line in replayed.booking_ids]
    assert replayed.operations == len(accepted) + len(replayed.refused)
    assert (await audit(empty_db)).ok
    assert [row["claims"] for row in await rows(empty_db, "SELECT count(*) AS claims FROM claim")] == [0]


async def test_a_crowd_that_gets_its_rooms_late_is_refused_only_when_all_are_booked(
    empty_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In a set, bookings that need others to move are decided last.
    monkeypatch.setattr(run, "SET_MAX", 1)
    plan = plan_replay(crowd(seed=5, size=250))
    replayed = await put_through(empty_db, plan, late=True)
    assert list(replayed.refused) == refused_by_count(plan.hotels, plan.actions)
    assert len(replayed.refused) < len(first_fit(plan.hotels, plan.actions).refused)
    assert set(replayed.refused.values()) == {"ROOM_NOT_AVAILABLE"}
    assert (await audit(empty_db)).ok


async def test_everything_is_dated_by_the_virtual_clock(empty_db: Database) -> None:
    await put_through(empty_db, plan_replay([stay()]))
    at = [action.at for action in plan_replay([stay()]).actions]
    [booking] = await rows(empty_db, "SELECT * FROM booking")
    dates = ("created_at", "checked_in_at", "completed_at")
    assert [booking[name] for name in dates] == at
    assert booking["updated_at"] == at[-1]
    assert (booking["start_at"], booking["end_at"]) == stay_span(stay())
    for table in ("booking_history", "event"):
        found = await rows(empty_db, f"SELECT created_at FROM {table} ORDER BY created_at")
        assert {row["created_at"] for row in found} == set(at), table
    made = await rows(empty_db, "SELECT created_at FROM tenant UNION ALL SELECT created_at FROM venue")
    assert [row["created_at"] for row in made] == [at[0], at[0]]


async def test_a_worker_beside_it_leaves_the_past_alone(empty_db: Database) -> None:
    """Its ticks go by today's clock, by which all of this is over; and halfway the audit holds, too."""
    plan = plan_replay(crowd(seed=6, size=60))
    audits: list[bool] = []

    async def watch(_done: int) -> None:
        for tick in TICKS:
            await empty_db.run(SYSTEM, tick.verb, tick.batch)
        if len(audits) < 3 and await rows(empty_db, "SELECT FROM claim LIMIT 1"):
            audits.append((await audit(empty_db)).ok)

    replayed = await replay(engine_over(empty_db), plan, run_id="busy", watch=watch)
    await assert_as_first_fit(empty_db, plan, replayed)
    assert audits == [True, True, True]


async def test_it_can_be_done_twice_in_one_database(empty_db: Database) -> None:
    plan = plan_replay([stay(2), stay(3, hotel="Resort Hotel")])
    first, second = await put_through(empty_db, plan, "one"), await put_through(empty_db, plan, "two")
    slugs = [venue.tenant_slug for done in (first, second) for venue in done.hotels.values()]
    assert slugs == ["city-hotel-one", "resort-hotel-one", "city-hotel-two", "resort-hotel-two"]
    assert len({*first.booking_ids.values(), *second.booking_ids.values()}) == 4
    with pytest.raises(InvalidRequest, match="taken"):
        await put_through(empty_db, plan, "two")


async def test_what_the_hotel_never_had_is_refused(empty_db: Database) -> None:
    cancelled = {"outcome": "cancelled", "ended_on": JULY_1}
    plan = plan_replay([stay(2), stay(3, room_type="B", **cancelled), stay(4, hotel="Empty", **cancelled)])
    replayed = await put_through(empty_db, plan)
    assert (set(replayed.booking_ids), replayed.refused) == (
        {2},
        {3: "INVALID_REQUEST", 4: "INVALID_REQUEST"},
    )


@pytest.mark.parametrize(
    ("booked_on", "arrival_on", "nights"),
    [
        (date(2015, 7, 1), date(2015, 7, 1), 1),  # made at noon for that day
        (date(2005, 8, 1), date(2015, 7, 1), 365),  # nearly ten years ahead, for a year
        (date(2015, 3, 28), date(2015, 3, 28), 1),  # the night in which clocks go forward
        (date(2015, 10, 24), date(2015, 10, 24), 366),  # and the one in which they go back
    ],
)
async def test_any_lead_time_and_length_is_taken(
    empty_db: Database, booked_on: date, arrival_on: date, nights: int
) -> None:
    departure = arrival_on + timedelta(days=nights)
    dates: dict[str, Any] = {"arrival_on": arrival_on, "departure_on": departure, "ended_on": departure}
    replayed = await put_through(empty_db, plan_replay([stay(booked_on=booked_on, party_size=40, **dates)]))
    assert replayed.refused == {}


async def test_nothing_to_do_is_done(empty_db: Database) -> None:
    assert await put_through(empty_db, plan_replay([])) == Replayed()


async def test_a_hand_in_its_bookings_stops_it_with_the_refusal_itself(empty_db: Database) -> None:
    plan = plan_replay([stay()])

    async def watch(_done: int) -> None:
        [made] = await rows(empty_db, "SELECT id, version, tenant_id, venue_id FROM booking")
        if made["version"] == 1:
            asked = Change(booking_id=made["id"], expected_version=1, details={"internal_notes": "late"})
            venue = await Places(empty_db).venue(made["venue_id"])
            call = empty_db.call(SYSTEM, locks=[lock_key(made["venue_id"])])
            await call.run(change, asked, venue=venue)

    with pytest.raises(VersionConflict):
        await replay(engine_over(empty_db), plan, run_id="meddled", watch=watch)


@needs_data
async def test_a_week_of_the_real_file_goes_as_first_fit_says(
    empty_db: Database, real_file: list[Stay | BadRow]
) -> None:
    """All who were to arrive in one week, so many that both hotels refuse some."""
    week = date(2015, 7, 13).isocalendar()[:2]
    arrivals = [
        row for row in real_file if isinstance(row, Stay) and row.arrival_on.isocalendar()[:2] == week
    ]
    replayed = await put_through_audited(empty_db, plan_replay(arrivals), claims_halfway=100)
    assert (len(replayed.booking_ids), len(replayed.refused)) == (281, 51)
    assert {arrival.hotel for arrival in arrivals if arrival.line in replayed.refused} == {
        "City Hotel",
        "Resort Hotel",
    }


@pytest.mark.soak
@pytest.mark.timeout(1800)
@needs_data
async def test_the_real_file_goes_as_first_fit_says(
    empty_db: Database, real_file: list[Stay | BadRow]
) -> None:
    plan = plan_replay(row for row in real_file if isinstance(row, Stay))
    replayed = await put_through_audited(empty_db, plan, claims_halfway=1_000)
    assert (len(replayed.booking_ids), len(replayed.refused)) == (14_583, 265)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@needs_data
async def test_the_real_file_with_late_rooms(empty_db: Database, real_file: list[Stay | BadRow]) -> None:
    plan = plan_replay(row for row in real_file if isinstance(row, Stay))
    replayed = await put_through(empty_db, plan, late=True)
    assert len(replayed.booking_ids) == 14_619
    assert (await audit(empty_db)).ok


async def put_through_audited(db: Database, plan: ReplayPlan, *, claims_halfway: int) -> Replayed:
    """As first fit says, and the audit passes at the end and halfway, with more than so many claims."""
    done, halfway = 0, []

    async def watch(actions: int) -> None:
        nonlocal done
        done += actions
        if done >= len(plan.actions) // 2 and not halfway:
            [ledger] = await rows(db, "SELECT count(*) AS claims FROM claim")
            halfway.append(((await audit(db)).ok, ledger["claims"] > claims_halfway))

    replayed = await replay(engine_over(db), plan, run_id="whole", watch=watch)
    assert done == len(plan.actions)
    rooms = {each.line: plan.hotels[each.hotel].room_types[each.room_type] for each in plan.stays}
    assert replayed.refused == {
        line: "ROOM_NOT_AVAILABLE" if rooms[line] else "INVALID_REQUEST" for line in replayed.refused
    }
    await assert_as_first_fit(db, plan, replayed)
    assert halfway == [(True, True)]
    assert (await audit(db)).ok
    return replayed
