"""Charlie is another tenant and must see nothing: not over HTTP, not in the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.conftest import House

from .asking import DAY, at, claims, history, read, refused, tenant_id

TABLES = ["booking", "claim", "booking_history", "idempotency", "event", "resource", "venue"]


def calls(house: House, booking: dict[str, Any]) -> list[tuple[str, str, Any]]:
    id_, venue = booking["id"], house.venue_id
    version = {"expected_version": booking["version"]}
    start = {"start": at("12:00"), "party_size": 2}
    return [
        ("GET", f"/bookings/{id_}", None),
        ("GET", f"/bookings/{id_}/history", None),
        ("GET", f"/bookings/reference/{booking['booking_reference']}", None),
        ("GET", f"/bookings/venue/{venue}", None),
        ("PUT", f"/bookings/{id_}", {**version, "guest_name": "Charlie"}),
        ("POST", f"/bookings/{id_}/cancel", version),
        ("POST", f"/bookings/{id_}/status", {**version, "to": "CONFIRMED"}),
        ("POST", "/bookings", {"venue_id": venue, **start}),
        ("POST", "/walk-ins", {"venue_id": venue, "party_size": 2}),
        ("POST", "/bookings/availability/check", {"venue_id": venue, **start}),
        ("GET", f"/venues/{venue}/availability/day?date={DAY}&party_size=2", None),
        ("GET", f"/venues/{venue}/availability/month?month={DAY:%Y-%m}", None),
    ]


@pytest.mark.parametrize("role", ["guest", "staff", "manager", "admin"])
async def test_nothing_is_there_for_another_tenant(
    house: House, open_house: Any, owner: asyncpg.Connection, role: str
) -> None:
    booking = await house.booked(house.gina, start=at("18:00"), guest_name="Gina")
    other = await open_house()
    # The same subject as the guest's: it is the tenant that counts.
    stranger = other.headers(role, subject="gina")
    for method, path, body in calls(house, booking):
        response = await house.client.request(method, path, json=body, headers=stranger)
        if role == "guest" and (path == "/walk-ins" or path.startswith("/bookings/venue")):
            assert response.status_code in (403, 404), (method, path)
        else:
            refused(response, 404, "NOT_FOUND")
        assert "Gina" not in response.text
        assert booking["id"] not in response.text.replace(path, "") or booking["id"] in path
    listed = await house.client.get("/bookings/guest/gina", headers=stranger)
    assert listed.json() == {"items": [], "next": None}
    assert await read(house, booking, house.gina) == booking
    assert len(await history(house, booking)) == 1
    assert len(await claims(owner, booking)) == 1


async def test_resources_of_another_tenant_can_not_be_booked(house: House, open_house: Any) -> None:
    other = await open_house()
    response = await house.book(start=at("18:00"), resource_ids=other.ids("t1"))
    refused(response, 400, "INVALID_REQUEST")
    booking = await house.booked(start=at("18:00"))
    body = {"expected_version": 1, "resource_ids": other.ids("t1")}
    refused(
        await house.client.put(f"/bookings/{booking['id']}", json=body, headers=house.bob),
        400,
        "INVALID_REQUEST",
    )


async def test_without_a_token_nothing_of_a_booking_is_seen(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    for method, path, body in calls(house, booking)[:7]:
        response = await house.client.request(method, path, json=body)
        assert response.status_code in (401, 404), (method, path)


async def rows(db: Database, table: str, seen: list[UUID], whose: UUID) -> int:
    async def count(tx: Tx) -> int:
        return await tx.fetchval(f"SELECT count(*) FROM {table} WHERE tenant_id = $1", whose)

    return await db.call(SYSTEM, tenants=seen).run(count)


@pytest.mark.parametrize("table", TABLES)
async def test_the_database_shows_each_tenant_its_own_rows(
    house: House, open_house: Any, owner: asyncpg.Connection, db: Database, table: str
) -> None:
    await house.book({**house.bob, "idempotency-key": "k"}, start=at("18:00"))
    mine, theirs = await tenant_id(owner, house), await tenant_id(owner, await open_house())
    assert await rows(db, table, [mine], mine) > 0
    assert await rows(db, table, [mine, theirs], mine) > 0
    assert await rows(db, table, [theirs], mine) == 0
    assert await rows(db, table, [], mine) == 0


@pytest.mark.parametrize("table", TABLES)
async def test_who_names_no_tenant_sees_no_rows(
    house: House, db: Database, database_url: str, table: str
) -> None:
    await house.book({**house.bob, "idempotency-key": "k"}, start=at("18:00"))
    fresh = await asyncpg.connect(database_url, server_settings={"role": "holdfast_app"})
    try:
        assert await fresh.fetchval(f"SELECT count(*) FROM {table}") == 0
    finally:
        await fresh.close()
    # A connection that another tenant's transaction used before is as blind.
    async with db.pool.acquire() as used:
        assert await used.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_the_ledgers_function_shows_no_other_tenants_claims(
    house: House, open_house: Any, owner: asyncpg.Connection, db: Database
) -> None:
    await house.booked(start=at("18:00"), resource_ids=house.ids("t1"))
    mine, theirs = await tenant_id(owner, house), await tenant_id(owner, await open_house())

    async def probe(tx: Tx) -> int:
        return await tx.fetchval(
            """SELECT count(*) FROM claims_overlapping(
                   $1, $2, ARRAY['-infinity'::timestamptz], ARRAY['infinity'::timestamptz])""",
            [mine],
            house.ids("t1"),
        )

    assert await db.call(SYSTEM, tenants=[mine]).run(probe) == 1
    assert await db.call(SYSTEM, tenants=[theirs]).run(probe) == 0
    assert await db.call(SYSTEM, tenants=[]).run(probe) == 0


WRITES = {
    "claim": """INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, state, changed_by)
                VALUES ($1, $2, 1, '[2027-01-01, 2027-01-02)', 'block', $3, 'blocked', 'staff:bob')""",
    "event": """INSERT INTO event (tenant_id, id, event_type, venue_id, subject_id, payload, actor, created_at)
                VALUES ($1, $3, 'x', NULL, $2, '{}', 'x', now())""",
    "booking_history": """
        INSERT INTO booking_history (tenant_id, booking_id, version, to_status, actor, action, created_at)
        VALUES ($1, $3, 1, 'EXPIRED', $2, 'x', now())""",
    "idempotency": """
        INSERT INTO idempotency (tenant_id, operation, key, request_hash, code, body, subject_id, created_at,
                                 expires_at)
        VALUES ($1, 'create', $2, '', 'DONE', '{}', $3, now(), now())""",
}


@pytest.mark.parametrize("table", WRITES)
async def test_nobody_writes_rows_for_another_tenant(
    house: House, open_house: Any, owner: asyncpg.Connection, db: Database, table: str
) -> None:
    mine, theirs = await tenant_id(owner, house), await tenant_id(owner, await open_house())
    resource = house.resources["t1"]

    async def write(tx: Tx) -> None:
        await tx.execute(WRITES[table], mine, resource, new_id())

    for seen in ([theirs], []):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await db.call(SYSTEM, tenants=seen).run(write)
    await db.call(SYSTEM, tenants=[mine]).run(write)


async def test_nobody_changes_rows_of_another_tenant(
    house: House, open_house: Any, owner: asyncpg.Connection, db: Database
) -> None:
    booking = await house.booked(start=at("18:00"))
    theirs = await tenant_id(owner, await open_house())

    async def meddle(tx: Tx) -> list[str]:
        return [
            await tx.execute(
                "UPDATE booking SET status = 'CANCELLED', due_at = NULL WHERE id = $1", booking["id"]
            ),
            await tx.execute("DELETE FROM claim WHERE owner_id = $1", booking["id"]),
            await tx.execute("DELETE FROM idempotency"),
        ]

    assert (await db.call(SYSTEM, tenants=[theirs]).run(meddle))[:2] == ["UPDATE 0", "DELETE 0"]
    assert await read(house, booking) == booking
