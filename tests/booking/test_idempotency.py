"""One answer per idempotency key."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import httpx
import pytest

from tests.conftest import House

from .asking import at, cancel, change, history, read, refused


async def submit(
    house: House, key: str | None, who: dict[str, str] | None = None, **wanted: Any
) -> httpx.Response:
    header = {} if key is None else {"idempotency-key": key}
    return await house.book({**(house.bob if who is None else who), **header}, **wanted)


async def bookings(owner: asyncpg.Connection, house: House) -> int:
    return await owner.fetchval("SELECT count(*) FROM booking WHERE venue_id = $1", house.venue_id)


async def test_fifty_at_once_make_one_booking_and_fifty_equal_answers(
    house: House, owner: asyncpg.Connection
) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1"), "guest_name": "Gina"}
    answers = await asyncio.gather(*(submit(house, "same", **wanted) for _ in range(50)))
    assert [answer.status_code for answer in answers] == [201] * 50
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["etag"] for answer in answers} == {'"1"'}
    assert await bookings(owner, house) == 1
    assert len(await history(house, answers[0].json())) == 1
    assert (
        await owner.fetchval("SELECT count(*) FROM event WHERE subject_id = $1", answers[0].json()["id"]) == 1
    )
    assert answers[0].json()["idempotency_key"] == "same"


async def test_the_first_answer_comes_back_later_whatever_happened_since(house: House) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    first = await submit(house, "k", **wanted)
    await cancel(house, first.json())
    again = await submit(house, "k", **wanted)
    assert (again.status_code, again.content) == (first.status_code, first.content)


@pytest.mark.parametrize(
    "change_", [{"party_size": 1}, {"start": at("19:00")}, {"guest_name": "x"}, {"hold": True}]
)
async def test_another_request_under_the_key_is_a_conflict(house: House, change_: dict[str, Any]) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    assert (await submit(house, "k", **wanted)).status_code == 201
    refused(await submit(house, "k", **{**wanted, **change_}), 409, "IDEMPOTENCY_CONFLICT")
    assert (await submit(house, "k", **wanted)).status_code == 201


async def test_another_request_at_the_same_moment_is_a_conflict(
    house: House, owner: asyncpg.Connection
) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    answers = await asyncio.gather(*(submit(house, "k", **wanted, party_size=1 + n % 2) for n in range(10)))
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 5
    assert await bookings(owner, house) == 1


@pytest.mark.parametrize("header", ["some-key", '"some-key"', " some-key "])
async def test_the_key_may_be_bare_quoted_or_a_field(
    house: House, owner: asyncpg.Connection, header: str
) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    first = await submit(house, None, **wanted, idempotency_key="some-key")
    again = await submit(house, header, **wanted)
    both = await submit(house, header, **wanted, idempotency_key="some-key")
    assert first.content == again.content == both.content
    assert await bookings(owner, house) == 1
    refused(await submit(house, header, **wanted, idempotency_key="other"), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "a\tb", " "])
async def test_a_key_that_is_none_is_refused(house: House, header: str) -> None:
    problem = refused(await submit(house, header, start=at("18:00")), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "Idempotency-Key"


async def test_spacing_and_order_of_the_json_do_not_matter(house: House) -> None:
    wanted = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "metadata": {"a": 1, "b": 2}}
    headers = {**house.bob, "idempotency-key": "k", "content-type": "application/json"}
    first = await house.client.post("/bookings", content=json.dumps(wanted, indent=3), headers=headers)
    turned = dict(reversed(wanted.items())) | {"metadata": {"b": 2, "a": 1}}
    again = await house.client.post("/bookings", content=json.dumps(turned), headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content


async def test_a_final_refusal_is_kept(house: House) -> None:
    wanted = {"start": at("18:10")}
    first = refused(await submit(house, "k", **wanted), 400, "OFF_SLOT_STEP")
    await house.change_policy(slot_step_minutes=5)
    again = refused(await submit(house, "k", **wanted), 400, "OFF_SLOT_STEP")
    assert {**again, "instance": None} == {**first, "instance": None}
    assert (await submit(house, "other", **wanted)).status_code == 201


async def test_what_was_taken_is_not_kept(house: House) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    other = await house.booked(**wanted)
    refused(await submit(house, "k", **wanted), 409, "TABLE_NOT_AVAILABLE")
    await cancel(house, other)
    assert (await submit(house, "k", **wanted)).status_code == 201


async def test_too_many_holds_is_not_kept(house: House) -> None:
    await house.change_policy(holds_per_guest_max=1)
    first = await house.booked(house.gina, start=at("12:00"), hold=True)
    wanted = {"start": at("18:00"), "hold": True}
    problem = await submit(house, "k", house.gina, **wanted)
    assert int(problem.headers["retry-after"]) >= 1
    assert refused(problem, 429, "TOO_MANY_HOLDS")["holds_max"] == 1
    await cancel(house, first)
    assert (await submit(house, "k", house.gina, **wanted)).status_code == 201


async def test_somebody_elses_key_gives_nothing_away(house: House, charlie: dict[str, str]) -> None:
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    mine = await submit(house, "k", house.gina, **wanted)
    assert mine.status_code == 201
    hugo = house.headers("guest", subject="hugo")
    for who in (hugo, house.bob, {}):
        body = refused(await submit(house, "k", who, **wanted), 409, "IDEMPOTENCY_CONFLICT")
        assert mine.json()["id"] not in json.dumps(body)
    refused(await submit(house, "k", charlie, **wanted), 404, "NOT_FOUND")


async def test_keys_of_other_tenants_are_other_keys(house: House, open_house: Any) -> None:
    other = await open_house()
    first = await submit(house, "k", start=at("18:00"))
    second = await submit(other, "k", start=at("18:00"))
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("hours", [1, 24])
async def test_a_key_past_its_time_is_a_new_one(house: House, owner: asyncpg.Connection, hours: int) -> None:
    await house.change_policy(idempotency_ttl_hours=hours)
    wanted = {"start": at("18:00"), "resource_ids": house.ids("s1")}
    first = (await submit(house, "k", **wanted)).json()
    row = await owner.fetchrow(
        "SELECT created_at, expires_at, subject_id FROM idempotency WHERE key = 'k' AND subject_id = $1",
        first["id"],
    )
    assert row is not None
    assert (row["expires_at"] - row["created_at"]).total_seconds() == hours * 3600
    await owner.execute("UPDATE idempotency SET expires_at = now() WHERE subject_id = $1", first["id"])
    second = (await submit(house, "k", **wanted, party_size=1)).json()
    assert second["id"] != first["id"]
    assert (await submit(house, "k", **wanted, party_size=1)).json() == second


async def test_an_update_under_a_key_happens_once(house: House) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    who = {**house.bob, "idempotency-key": "u"}
    answers = await asyncio.gather(*(change(house, booking, who, start=at("19:00")) for _ in range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    assert len({answer.content for answer in answers}) == 1
    assert (await read(house, booking))["version"] == 2
    refused(await change(house, booking, who, start=at("20:00")), 409, "IDEMPOTENCY_CONFLICT")
    other = await house.booked(start=at("12:00"))
    refused(await change(house, other, who, start=at("19:00")), 409, "IDEMPOTENCY_CONFLICT")


async def test_a_refused_update_is_kept_and_changes_nothing(house: House) -> None:
    booking = await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    who = {**house.bob, "idempotency-key": "u"}
    first = refused(await change(house, booking, who, start=at("18:10")), 400, "OFF_SLOT_STEP")
    await house.change_policy(slot_step_minutes=5)
    again = refused(await change(house, booking, who, start=at("18:10")), 400, "OFF_SLOT_STEP")
    assert {**again, "instance": None} == {**first, "instance": None}
    assert await read(house, booking) == booking


async def test_a_conflicting_update_is_not_kept(house: House) -> None:
    wanted = {"start": at("20:00"), "resource_ids": house.ids("t1")}
    other = await house.booked(**wanted)
    booking = await house.booked(start=at("12:00"), resource_ids=house.ids("t1"))
    who = {**house.bob, "idempotency-key": "u"}
    refused(await change(house, booking, who, start=at("20:00")), 409, "TABLE_NOT_AVAILABLE")
    await cancel(house, other)
    assert (await change(house, booking, who, start=at("20:00"))).status_code == 200


async def test_a_cancellation_under_a_key_happens_once(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    who = {**house.bob, "idempotency-key": "c"}
    answers = await asyncio.gather(*(cancel(house, booking, who, reason="Ill") for _ in range(12)))
    assert [answer.status_code for answer in answers] == [200] * 12
    assert len({answer.content for answer in answers}) == 1
    assert len(await history(house, booking)) == 2
    refused(await cancel(house, booking, who, reason="Well"), 409, "IDEMPOTENCY_CONFLICT")


async def test_each_operation_has_keys_of_its_own(house: House) -> None:
    booking = (await submit(house, "k", start=at("18:00"))).json()
    who = {**house.bob, "idempotency-key": "k"}
    booking = (await change(house, booking, who, guest_name="G")).json()
    assert (await cancel(house, booking, who)).status_code == 200


async def test_a_key_past_its_time_is_a_new_one_for_changes_too(
    house: House, owner: asyncpg.Connection
) -> None:
    booking = await house.booked(start=at("18:00"))
    who = {**house.bob, "idempotency-key": f"late-{booking['id']}"}
    booking = (await change(house, booking, who, start=at("19:00"))).json()
    refused(await change(house, booking, who, start=at("20:00")), 409, "IDEMPOTENCY_CONFLICT")
    await owner.execute("UPDATE idempotency SET expires_at = now() WHERE key = $1", who["idempotency-key"])
    assert (await change(house, booking, who, start=at("20:00"))).json()["version"] == 3
