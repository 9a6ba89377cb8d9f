"""PATCH and DELETE: ending a recurrence, changing the reason, removing the block."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg

from tests.block.asking import PATH, blocked, change, intervals, read, remove
from tests.booking.asking import DAY, at, instant, refused
from tests.conftest import House

SPANS = """
    SELECT lower(during) FROM claim WHERE owner_id = $1::text::uuid ORDER BY 1
"""
EVENTS = "SELECT event_type, actor, channel FROM event WHERE subject_id = $1::text::uuid ORDER BY id"


async def rows(database_url: str, sql: str, made: dict[str, Any]) -> list[Any]:
    connection = await asyncpg.connect(database_url)
    try:
        return [tuple(row) for row in await connection.fetch(sql, made["id"])]
    finally:
        await connection.close()


def date(days: int) -> str:
    return (DAY + timedelta(days=days)).isoformat()


async def test_from_a_date_on_the_occurrences_are_gone(alley: House, database_url: str) -> None:
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=5")
    response = await change(alley, made, cancelled_from=date(2))
    assert response.status_code == 200, response.text
    after = response.json()
    assert (after["cancelled_from"], after["version"], after["last_end"]) == (date(2), 2, at("17:00", 1))
    assert response.headers["etag"] == '"2"'
    assert await rows(database_url, SPANS, made) == [(instant("09:00"),), (instant("09:00", 1),)]
    starts = [each["start"] for each in await intervals(alley, "l5", at("00:00"), at("00:00", 9))]
    assert starts == [at("09:00"), at("09:00", 1)]
    await alley.booked(start=at("12:00", 2), resource_ids=alley.ids("l5"))
    refused(await alley.book(start=at("12:00", 1), resource_ids=alley.ids("l5")), 409, "LANE_NOT_AVAILABLE")
    assert await rows(database_url, EVENTS, made) == [
        ("block.created", "staff:alice", "bookings"),
        ("block.updated", "staff:bob", "bookings"),
    ]
    history = (await read(alley, made["id"])).json()["history"]
    assert [(each["version"], each["action"], each["actor"]) for each in history] == [
        (1, "create", "staff:alice"),
        (2, "update", "staff:bob"),
    ]
    assert history[1]["changes"] == {"cancelled_from": date(2)}


async def test_the_date_moves_earlier_and_not_later(alley: House, database_url: str) -> None:
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=5")
    one = (await change(alley, made, cancelled_from=date(3))).json()
    two = (await change(alley, one, cancelled_from=date(1))).json()
    assert await rows(database_url, SPANS, made) == [(instant("09:00"),)]
    problem = refused(await change(alley, two, cancelled_from=date(2)), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "cancelled_from"
    same = await change(alley, two, cancelled_from=date(1))
    assert same.status_code == 200


async def test_with_nothing_left_it_is_removed(alley: House, database_url: str) -> None:
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=5")
    after = (await change(alley, made, cancelled_from=date(0))).json()
    assert after["removed_at"] is not None
    assert await rows(database_url, SPANS, made) == []
    assert [row[0] for row in await rows(database_url, EVENTS, made)] == ["block.created", "block.cancelled"]


async def test_another_reason_changes_nothing_else(alley: House, database_url: str) -> None:
    made = await blocked(alley, "l5", rrule="FREQ=DAILY;COUNT=5")
    after = (await change(alley, made, reason="league night")).json()
    assert {name for name in after if after[name] != made[name]} == {"reason", "version", "updated_at"}
    assert len(await rows(database_url, SPANS, made)) == 5


async def test_a_change_needs_the_version_that_was_seen(alley: House) -> None:
    made = await blocked(alley, "l5")
    await change(alley, made, reason="first")
    problem = refused(await change(alley, made, reason="second"), 409, "VERSION_CONFLICT")
    assert problem["current_version"] == 2
    missing = await alley.client.patch(f"{PATH}/{made['id']}", json={"reason": "x"}, headers=alley.bob)
    assert refused(missing, 400, "INVALID_REQUEST")["errors"][0]["field"] == "expected_version"
    empty = await change(alley, {**made, "version": 2})
    refused(empty, 400, "INVALID_REQUEST")
    shown = (await read(alley, made["id"])).json()
    assert (shown["reason"], shown["version"]) == ("first", 2)


async def test_removed_it_gives_all_that_is_to_come_free(alley: House, database_url: str) -> None:
    made = await blocked(alley, "l5", "l6", rrule="FREQ=DAILY;COUNT=5")
    response = await remove(alley, made)
    assert response.status_code == 204
    assert response.content == b""
    assert await rows(database_url, SPANS, made) == []
    assert await intervals(alley, "l5", at("00:00"), at("00:00", 9)) == []
    await alley.booked(start=at("12:00"), resource_ids=alley.ids("l5", "l6"))
    assert [row[:2] for row in await rows(database_url, EVENTS, made)] == [
        ("block.created", "staff:alice"),
        ("block.cancelled", "staff:bob"),
    ]
    shown = (await read(alley, made["id"])).json()
    assert shown["removed_at"] is not None
    assert shown["history"][1]["action"] == "remove"


async def test_removed_twice_it_is_not_found(alley: House) -> None:
    made = await blocked(alley, "l5")
    assert (await remove(alley, made)).status_code == 204
    refused(await remove(alley, made), 409, "VERSION_CONFLICT")
    refused(await remove(alley, {**made, "version": 2}), 404, "NOT_FOUND")
    refused(await change(alley, {**made, "version": 2}, reason="x"), 404, "NOT_FOUND")


async def test_what_was_stays_and_what_is_under_way_ends(steady: House, database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    now = await connection.fetchval("SELECT date_trunc('minute', clock_timestamp())")
    start, end = now - timedelta(hours=1), now + timedelta(hours=1)
    made = await blocked(
        steady, "l5", start=start.isoformat(), end=end.isoformat(), rrule="FREQ=DAILY;COUNT=3"
    )
    # The block as it will be a day later: all of its times are moved a day back.
    back = timedelta(days=1)
    await connection.execute(
        """
        WITH moved AS (UPDATE claim SET during = tstzrange(lower(during) - $2::interval, upper(during) - $2::interval)
                        WHERE owner_id = $1::text::uuid)
        UPDATE block SET local_start = local_start - $2::interval, local_end = local_end - $2::interval,
                         first_at = first_at - $2::interval, last_at = last_at - $2::interval,
                         created_at = created_at - $2::interval
         WHERE id = $1::text::uuid
        """,
        made["id"],
        back,
    )
    await connection.close()
    assert (await remove(steady, made)).status_code == 204
    assert await rows(database_url, SPANS, made) == [(start - back,)]
    left = await intervals(steady, "l5", (start - 5 * back).isoformat(), (end + 5 * back).isoformat())
    assert len(left) == 1


async def test_others_can_neither_change_nor_remove_it(alley: House, charlie: dict[str, str]) -> None:
    made = await blocked(alley, "l5")
    path, body = f"{PATH}/{made['id']}", {"reason": "x", "expected_version": 1}
    for headers, status, code in (
        (charlie, 404, "NOT_FOUND"),
        (alley.gina, 403, "FORBIDDEN"),
        ({}, 401, "UNAUTHENTICATED"),
    ):
        refused(await alley.client.patch(path, json=body, headers=headers), status, code)
        gone = await alley.client.delete(path, params={"expected_version": 1}, headers=headers)
        refused(gone, status, code)
    assert (await read(alley, made["id"])).json()["version"] == 1
