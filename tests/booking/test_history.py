"""The audit trail: one row per version, in order, that nobody rewrites."""

from __future__ import annotations

import asyncpg
import pytest

from holdfast.booking import store
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from tests.conftest import House

from .asking import at, cancel, change, history, move, refused, tenant_id


async def test_every_step_is_told(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"), hold=True)
    booking = (await move(house, booking, "RESERVED", house.gina)).json()
    booking = (await change(house, booking, start=at("18:15"))).json()
    booking = (
        await move(house, booking, "CONFIRMED", house.alice, reason="Regular", metadata={"a": 1})
    ).json()
    booking = (await cancel(house, booking, reason="Ill")).json()
    told = await history(house, booking)
    assert [
        (row["from_status"], row["to_status"], row["action"], row["actor"], row["reason"]) for row in told
    ] == [
        (None, "HELD", "create", "guest:gina", None),
        ("HELD", "RESERVED", "status", "guest:gina", None),
        ("RESERVED", "RESERVED", "update", "staff:bob", None),
        ("RESERVED", "CONFIRMED", "confirm", "staff:alice", "Regular"),
        ("CONFIRMED", "CANCELLED", "cancel", "staff:bob", "Ill"),
    ]
    assert told[3]["metadata"] == {"a": 1}
    assert [row["created_at"] for row in told] == sorted(row["created_at"] for row in told)
    assert all(
        set(row) == {"from_status", "to_status", "actor", "action", "reason", "metadata", "created_at"}
        for row in told
    )


async def test_it_holds_no_guest_data(house: House) -> None:
    booking = await house.booked(
        start=at("18:00"), guest_name="Secret", guest_email="secret@example.org", guest_phone="+46 555"
    )
    booking = (await change(house, booking, guest_name="Secret Too", special_requests="Secret")).json()
    told = str(await history(house, booking))
    assert "ecret" not in told
    assert "+46" not in told
    assert "guest_name" in told


async def test_a_change_names_every_column_that_differs(house: House) -> None:
    """Also those that hold a part of a value: of the guest, of the price, of what was said."""
    await house.change_policy(price_rules=[{"per": "guest", "amount": "10"}], tax_percent="10")
    booking = await house.booked(
        start=at("18:00"), resource_ids=house.ids("t2"), guest_phone="1", source="phone"
    )
    about_the_guest = {
        "guest_name": "Gina",
        "guest_phone": "1",
        "special_requests": "A window",
        "metadata": {"a": 1},
    }
    booking = (await change(house, booking, **about_the_guest)).json()
    booking = (await change(house, booking, party_size=3, source="email")).json()
    assert [row["metadata"] for row in await history(house, booking)] == [
        {},
        {"changed": ["guest_name", "metadata", "special_requests"]},
        {"changed": ["base_minor", "party_size", "price_lines", "source", "tax_minor", "total_minor"]},
    ]


async def test_every_column_is_a_part_of_a_booking(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'booking'"
    )
    assert {row["column_name"] for row in rows} == {*store.COLUMNS}


async def test_it_comes_in_pages(house: House) -> None:
    booking = await house.booked(start=at("18:00"))
    for n in range(4):
        booking = (await change(house, booking, guest_name=f"n{n}")).json()
    whole, cursor, pages = await history(house, booking), "", 0
    found = []
    while cursor is not None:
        query = f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        page = (await house.client.get(f"/bookings/{booking['id']}/history{query}", headers=house.bob)).json()
        found += page["items"]
        cursor, pages = page["next"], pages + 1
        assert pages < 5
    assert (found, pages) == (whole, 3)


async def test_who_may_not_see_the_booking_does_not_see_it(house: House) -> None:
    booking = await house.booked(house.gina, start=at("18:00"))
    path = f"/bookings/{booking['id']}/history"
    for who in (house.headers("guest", subject="hugo"), {}):
        refused(await house.client.get(path, headers=who), 404, "NOT_FOUND")
    assert (await house.client.get(path, headers=house.gina)).status_code == 200


@pytest.mark.parametrize("table", ["booking_history", "event", "claim_archive"])
@pytest.mark.parametrize("sql", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}"])
async def test_the_database_does_not_let_the_application_rewrite_it(
    db: Database, table: str, sql: str
) -> None:
    async def rewrite(tx: Tx) -> None:
        await tx.execute(sql.format(table))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run(SYSTEM, rewrite)


@pytest.mark.parametrize("sql", ["DELETE FROM booking", "TRUNCATE booking", "TRUNCATE claim"])
async def test_nor_take_bookings_away(db: Database, sql: str) -> None:
    async def rewrite(tx: Tx) -> None:
        await tx.execute(sql)

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await db.run(SYSTEM, rewrite)


async def test_a_version_is_written_once(house: House, owner: asyncpg.Connection, db: Database) -> None:
    booking = await house.booked(start=at("18:00"))
    tenant = await tenant_id(owner, house)

    async def forge(tx: Tx) -> None:
        await tx.execute(
            """INSERT INTO booking_history (tenant_id, booking_id, version, to_status, actor, action, created_at)
               VALUES ($1, $2, 1, 'CANCELLED', 'x', 'cancel', now())""",
            tenant,
            booking["id"],
        )

    with pytest.raises(asyncpg.UniqueViolationError):
        await db.run(SYSTEM, forge)
