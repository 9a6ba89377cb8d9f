"""POST /chain/maintenance-blocks: it takes the time, refuses what is wrong or taken, and emits events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from tests.block.asking import PATH, block, blocked, wanted
from tests.booking.asking import at, instant, refused
from tests.conftest import House

CLAIMS = """
    SELECT unit, lower(during) AS start_at, upper(during) AS end_at, state, changed_by, expires_at
      FROM claim WHERE owner_kind = 'block' AND owner_id = $1::text::uuid ORDER BY 2, 1
"""
EVENTS = """
    SELECT event_type, payload, actor, channel, version FROM event
     WHERE subject_id = $1::text::uuid ORDER BY id
"""


@pytest.fixture
async def owner(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def test_it_takes_the_lanes_for_exactly_that_time(alley: House, owner: asyncpg.Connection) -> None:
    made = await blocked(alley, "l5", "l6", kind="private_event")
    assert made["kind"] == "private_event"
    assert (made["start"], made["end"]) == (at("09:00"), at("17:00"))
    assert made["displaced"] == []
    assert [tuple(row) for row in await owner.fetch(CLAIMS, made["id"])] == [
        (1, instant("09:00"), instant("17:00"), "blocked", "staff:alice", None)
    ] * 2
    during = refused(
        await alley.book(start=at("16:00"), resource_ids=alley.ids("l5")), 409, "LANE_NOT_AVAILABLE"
    )
    assert during["conflicts"][0]["owner_id"] == made["id"]
    await alley.booked(start=at("17:00"), resource_ids=alley.ids("l5"))
    await alley.booked(start=at("16:00"), resource_ids=alley.ids("l4"))


async def test_it_takes_all_units_and_adds_no_buffer(
    open_house: Callable[..., Any], owner: asyncpg.Connection
) -> None:
    house = await open_house(policy={"buffer_after_minutes": 30, "slot_step_minutes": 15})
    made = await blocked(house, "s1", start=at("12:00"), end=at("13:00"))
    rows = await owner.fetch(CLAIMS, made["id"])
    assert [row["unit"] for row in rows] == list(range(1, 11))
    assert {(row["start_at"], row["end_at"]) for row in rows} == {(instant("12:00"), instant("13:00"))}
    # A booking right behind it fits; one before it needs its buffer.
    await house.booked(start=at("13:00"), duration_minutes=60, resource_ids=house.ids("s1"))
    early = await house.book(start=at("11:00"), duration_minutes=60, resource_ids=house.ids("s1"))
    refused(early, 409, "SECTION_NOT_AVAILABLE")


async def test_it_is_told_on_the_venues_channel_with_who_did_it(
    alley: House, owner: asyncpg.Connection
) -> None:
    made = await blocked(alley, "l1")
    [event] = await owner.fetch(EVENTS, made["id"])
    assert tuple(event)[:1] + tuple(event)[2:] == ("block.created", "staff:alice", "bookings", 1)
    assert made["id"] in event["payload"]
    assert "resurfacing" in event["payload"]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"resource_ids": []}, "resource_ids", "at least 1"),
        ({"reason": ""}, "reason", "at least 1"),
        ({"reason": "x" * 501}, "reason", "at most 500"),
        ({"kind": "party"}, "kind", "maintenance"),
        ({"on_conflict": "cancel"}, "on_conflict", "refuse"),
        ({"end": at("09:00")}, "end", "after the start"),
        ({"start": "2027-01-01T09:00:00"}, "start", "offset"),
        ({"colour": "red"}, "colour", "not a field"),
        ({"start": "2020-01-01T09:00:00Z", "end": "2020-01-01T10:00:00Z"}, "end", "is already over"),
        ({"end": "2099-01-01T10:00:00Z"}, "end", "2 years from now"),
        ({"start": "2099-01-01T09:00:00Z", "end": "2099-01-01T10:00:00Z"}, "start", "2 years from now"),
        ({"rrule": "FREQ=YEARLY;COUNT=2"}, "rrule", "FREQ must be DAILY, WEEKLY or MONTHLY"),
        ({"rrule": "FREQ=DAILY"}, "rrule", "UNTIL or COUNT"),
        ({"rrule": "FREQ=DAILY;COUNT=1000000000"}, "rrule", "COUNT must be a whole number"),
        ({"rrule": "FREQ=DAILY;UNTIL=20990101"}, "rrule", "UNTIL=20990101 goes on for too long"),
        ({"rrule": "FREQ=DAILY;UNTIL=20200101"}, "rrule", "UNTIL=20200101 leaves no occurrence"),
        ({"rrule": "FREQ=DAILY;COUNT=3", "end": at("17:00", days=2)}, "rrule", "overlap"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_written(
    alley: House, owner: asyncpg.Connection, changes: dict[str, Any], field: str, said: str
) -> None:
    problem = refused(await block(alley, "l1", **changes), 400, "INVALID_REQUEST")
    [error] = problem["errors"]
    assert error["field"] == field
    assert said in error["problem"]
    assert (
        await owner.fetchval("SELECT count(*) FROM block WHERE venue_id = $1::text::uuid", alley.venue_id)
        == 0
    )


async def test_a_resource_of_another_venue_is_unknown(alley: House, house: House) -> None:
    strange = house.ids("l1")
    problem = refused(await block(alley, resource_ids=strange), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["value"] == strange[0]


async def test_an_hour_that_clocks_repeat_is_refused(alley: House) -> None:
    # 31 October 2027, 02:30 for the second time.
    changes: dict[str, Any] = {"start": "2027-10-31T01:30:00Z", "end": "2027-10-31T05:00:00Z"}
    problem = refused(await block(alley, "l1", **changes), 400, "INVALID_REQUEST")
    assert "repeat" in problem["errors"][0]["problem"]
    await blocked(alley, "l1", start="2027-10-31T00:30:00Z", end="2027-10-31T05:00:00Z")


async def test_more_than_one_block_may_take_is_refused(open_house: Callable[..., Any]) -> None:
    many = [{"slug": "s1", "name": "S1", "kind": "section", "seats_max": 6, "units": 40}]
    house = await open_house(resources=many)
    problem = refused(await block(house, "s1", rrule="FREQ=DAILY;COUNT=600"), 400, "INVALID_REQUEST")
    assert "24,000" in problem["detail"]
    assert "20,000" in problem["detail"]


async def test_one_under_way_takes_the_rest_of_its_time(steady: House, owner: asyncpg.Connection) -> None:
    now: datetime = await owner.fetchval("SELECT date_trunc('minute', clock_timestamp())")  # pyright: ignore[reportAssignmentType]
    start, end = now - timedelta(days=3, hours=1), now - timedelta(days=3) + timedelta(hours=1)
    made = await blocked(
        steady, "l1", start=start.isoformat(), end=end.isoformat(), rrule="FREQ=DAILY;COUNT=5"
    )
    spans = [(row["start_at"], row["end_at"]) for row in await owner.fetch(CLAIMS, made["id"])]
    # Those of three, two and one day ago are over.
    assert len(spans) == 2
    assert spans[0][0] < now < spans[0][1]


async def test_bookings_there_refuse_it_and_are_listed(alley: House, owner: asyncpg.Connection) -> None:
    later = await alley.booked(start=at("15:00"), resource_ids=alley.ids("l5"))
    both = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5", "l6"), party_size=9)
    await alley.booked(start=at("17:00"), resource_ids=alley.ids("l5"))
    problem = refused(await block(alley, "l5", "l6"), 409, "BLOCK_OVERLAPS_BOOKINGS")
    assert problem["bookings_total"] == 2
    assert [each["id"] for each in problem["bookings"]] == [both["id"], later["id"]]
    assert problem["bookings"][0] == {
        "id": both["id"],
        "booking_reference": both["booking_reference"],
        "status": "RESERVED",
        "start": at("12:00"),
        "end": at("13:00"),
        "resource_ids": alley.ids("l5", "l6"),
        "party_size": 9,
        "version": 1,
    }
    for table in ("block", "block_history"):
        count = f"SELECT count(*) FROM {table} b JOIN venue v USING (tenant_id) WHERE v.id = $1::text::uuid"
        assert await owner.fetchval(count, alley.venue_id) == 0


async def test_a_long_list_is_cut_and_counted(alley: House) -> None:
    starts = [(hour, day) for hour in range(10, 17) for day in range(15)][:101]
    made = await asyncio.gather(
        *(alley.booked(start=at(f"{hour}:00", day), resource_ids=alley.ids("l1")) for hour, day in starts)
    )
    repeated: dict[str, Any] = {"rrule": "FREQ=DAILY;COUNT=15"}
    problem = refused(await block(alley, "l1", **repeated), 409, "BLOCK_OVERLAPS_BOOKINGS")
    assert (len(problem["bookings"]), problem["bookings_total"]) == (100, len(made))
    pushed = await block(alley, "l1", **repeated, on_conflict="displace")
    assert "at most 100" in refused(pushed, 409, "BLOCK_OVERLAPS_BOOKINGS")["detail"]


async def test_another_block_there_refuses_it(alley: House) -> None:
    first = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=3")
    again = await block(alley, "l4", "l5", start=at("16:00", days=1), end=at("18:00", days=1))
    problem = refused(again, 409, "BLOCK_OVERLAPS_BLOCKS")
    assert [(each["id"], each["start"]) for each in problem["blocks"]] == [(first["id"], at("09:00", days=1))]
    refused(await block(alley, "l5", on_conflict="displace"), 409, "BLOCK_OVERLAPS_BLOCKS")


async def test_a_hold_past_its_time_is_not_in_the_way(
    open_house: Callable[..., Any], owner: asyncpg.Connection
) -> None:
    house = await open_house()
    held = await house.booked(start=at("12:00"), resource_ids=house.ids("l1"), hold=True)
    await owner.execute(
        """
        WITH past AS (UPDATE claim SET expires_at = now() - interval '1 s' WHERE owner_id = $1::text::uuid)
        UPDATE booking SET expires_at = now() - interval '1 s', due_at = now() - interval '1 s'
         WHERE id = $1::text::uuid
        """,
        held["id"],
    )
    await blocked(house, "l1")
    shown = await house.client.get(f"/bookings/{held['id']}", headers=house.bob)
    assert shown.json()["status"] == "EXPIRED"


async def test_the_same_key_makes_one_block(alley: House, owner: asyncpg.Connection) -> None:
    headers = {**alley.bob, "idempotency-key": "resurface"}
    both = [await block(alley, "l1", who=headers) for _ in range(2)]
    assert [each.status_code for each in both] == [201, 201]
    assert both[0].json() == both[1].json()
    assert both[1].headers["etag"] == '"1"'
    assert (
        await owner.fetchval("SELECT count(*) FROM block WHERE venue_id = $1::text::uuid", alley.venue_id)
        == 1
    )
    other = await block(alley, "l2", who=headers)
    refused(other, 409, "IDEMPOTENCY_CONFLICT")


async def test_a_refusal_under_a_key_is_not_for_good(alley: House) -> None:
    headers = {**alley.bob, "idempotency-key": "later"}
    booked = await alley.booked(start=at("12:00"), resource_ids=alley.ids("l1"))
    refused(await block(alley, "l1", who=headers), 409, "BLOCK_OVERLAPS_BOOKINGS")
    body = {"expected_version": 1}
    await alley.client.post(f"/bookings/{booked['id']}/cancel", json=body, headers=alley.bob)
    assert (await block(alley, "l1", who=headers)).status_code == 201


async def test_staff_of_the_venue_alone_may(alley: House, charlie: dict[str, str]) -> None:
    refused(await block(alley, "l1", who=alley.gina), 403, "FORBIDDEN")
    refused(await block(alley, "l1", who=charlie), 404, "NOT_FOUND")
    elsewhere = alley.headers("staff", subject="eve", venues=["01a1fa4c-7083-7151-bce8-d78608412e10"])
    refused(await block(alley, "l1", who=elsewhere), 404, "NOT_FOUND")
    nobody = await alley.client.post(PATH, json=wanted(alley, "l1"))
    refused(nobody, 401, "UNAUTHENTICATED")


async def test_it_answers_where_others_expect_it(alley: House) -> None:
    url = f"http://holdfast.test{PATH}"
    made = await alley.client.post(url, json=wanted(alley, "l1"), headers=alley.alice)
    assert made.status_code == 201, made.text
    shown = await alley.client.get(f"{url}/{made.json()['id']}", headers=alley.alice)
    assert shown.json()["id"] == made.json()["id"]


async def test_guests_read_that_it_is_closed_and_not_why(alley: House) -> None:
    await blocked(alley, "l5", reason="flooded by Mr Smith", kind="host_operations")
    asked = {"start": at("12:00"), "resource_ids": alley.ids("l5")}
    body = {"venue_id": alley.venue_id, "party_size": 2, "duration_minutes": 60, **asked}
    for headers in (alley.gina, {}):
        booked = await alley.client.post("/bookings", json={**body, "guest_name": "Gina"}, headers=headers)
        problem = refused(booked, 409, "LANE_NOT_AVAILABLE")
        assert problem["detail"].startswith("Lane 5 is closed for maintenance")
        checked = await alley.client.post("/bookings/availability/check", json=body, headers=headers)
        for conflicts in (problem["conflicts"], checked.json()["conflicts"]):
            assert [each["reason"] for each in conflicts] == ["closed for maintenance"]
        for text in (booked.text, checked.text):
            assert not any(word in text for word in ("Smith", "host_operations", "alice", "owner_"))


BOTH = """
    SELECT count(*) FROM claim one JOIN claim other USING (tenant_id, resource_id, unit)
     WHERE one.owner_kind = 'block' AND other.owner_kind = 'booking' AND one.during && other.during
"""


async def test_a_booking_and_a_block_never_both_get_it(alley: House, owner: asyncpg.Connection) -> None:
    """Many connections race for the same lanes, with the block a little before the guests or a little behind them.
    Repeats until each side has won."""
    won, dice = set[bool](), random.Random(1)
    day = 0
    while won != {True, False} or day < 12:
        day += 1
        assert day < 300, "it was no race: the same kind won every time"
        span: dict[str, Any] = {"start": at("12:00", day), "end": at("13:00", day)}

        async def later(asked: Awaitable[httpx.Response], wait_s: float) -> httpx.Response:
            await asyncio.sleep(wait_s)
            return await asked

        head_start_s = dice.uniform(0, 0.03)
        guests = [
            asyncio.create_task(later(alley.book(**span, resource_ids=alley.ids(f"l{n % 4 + 1}")), wait_s))
            for n in range(12)
            for wait_s in [head_start_s if day % 2 else 0]
        ]
        staff = await later(block(alley, "l1", "l2", "l3", "l4", **span), 0 if day % 2 else head_start_s)
        answers = [each.status_code for each in await asyncio.gather(*guests)]
        assert {staff.status_code, *answers} <= {201, 409}
        if staff.status_code == 201:
            assert 201 not in answers
        else:
            # The block was refused, so each lane went to one guest.
            assert answers.count(201) == 4
            assert refused(staff, 409, "BLOCK_OVERLAPS_BOOKINGS")["bookings_total"] >= 1
        won.add(staff.status_code == 201)
    assert await owner.fetchval(BOTH) == 0
