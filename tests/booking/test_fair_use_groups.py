"""What counts for a group is found by the group: bookings of other groups at the venue are not read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI

from holdfast.booking.making.usage_store import USED
from holdfast.booking.states import TERMINAL, UNDONE
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from tests.conftest import House

from .asking import at
from .callers import FLOOR, Guest

COPY = """
    INSERT INTO booking
    SELECT (json_populate_record(b, json_build_object(
               'id', gen_random_uuid(), 'reference', n, 'booked_groups', $2::text[]))).*
      FROM booking AS b, generate_series(1, $3::integer) AS n WHERE b.id = $1
"""
READ = """
    SELECT pg_stat_get_xact_tuples_fetched('booking'::regclass) + pg_stat_get_xact_tuples_returned('booking'::regclass)
"""
OTHERS = 500
RULES = [{"per": "group", "groups": ["members", "juniors"], "open_bookings_max": 3}]


class RolledBack(Exception):
    pass


@pytest.fixture
async def house(open_house: Any) -> House:
    return await open_house(resources=[FLOOR], policy={"fair_use": RULES})


async def used(tx: Tx, house: House, tenant_id: UUID, group: str) -> set[str]:
    now = datetime.now(UTC)
    of = [[tenant_id], [UUID(house.venue_id)], ["group"], [group]]
    spans = [[now], [now + timedelta(days=400)]]
    rows = await tx.fetch(USED, sorted(TERMINAL), sorted(UNDONE), now, *of, *spans)
    return {str(row["id"]) for row in rows}


async def members(tx: Tx, tenant_id: UUID, venue_id: UUID) -> set[str]:
    sql = "SELECT id FROM bookings_of_group($1, $2, 'members', '-infinity', 'infinity')"
    rows = await tx.fetch(sql, tenant_id, venue_id)
    return {str(row[0]) for row in rows}


async def test_reading_for_a_group_reads_its_bookings_alone(house: House, app: FastAPI, db: Database) -> None:
    """Also where the plan is from when there were hardly any."""
    member = Guest(app, house, "gina", groups=("members", "juniors"))
    made = await member.booked(start=at("12:00"))
    tenant_id = (await app.state.engine.places.venue(UUID(house.venue_id))).tenant_id

    async def look(tx: Tx) -> None:
        for _ in range(6):  # from the sixth time on, a plan is kept
            assert await used(tx, house, tenant_id, "members") == {made["id"]}
        await tx.execute(COPY, UUID(made["id"]), ["juniors"], OTHERS)
        before = await tx.fetchval(READ)
        assert await used(tx, house, tenant_id, "members") == {made["id"]}
        assert await tx.fetchval(READ) - before <= 10
        assert len(await used(tx, house, tenant_id, "juniors")) == OTHERS + 1
        raise RolledBack

    with pytest.raises(RolledBack):
        await db.run(SYSTEM, look)


async def test_the_search_for_a_group_shows_nothing_of_others(
    house: House, open_house: Any, app: FastAPI, db: Database
) -> None:
    other = await open_house(resources=[FLOOR], policy={"fair_use": RULES})
    made = await Guest(app, house, "gina", groups=("members",)).booked(start=at("12:00"))
    theirs = await Guest(app, other, "gina", groups=("members",)).booked(start=at("12:00"))
    places = app.state.engine.places
    mine, others = [(await places.venue(UUID(each.venue_id))).tenant_id for each in (house, other)]
    for seen, tenant_id, at_house, expected in (
        ([mine], mine, house, {made["id"]}),
        ([others], others, other, {theirs["id"]}),
        ([mine, others], mine, house, {made["id"]}),
        ([mine], others, other, set()),
        ([mine], mine, other, set()),
        ([others], mine, house, set()),
        ([new_id()], mine, house, set()),
        ([], mine, house, set()),
    ):
        found = await db.call(SYSTEM, tenants=seen).run(members, tenant_id, UUID(at_house.venue_id))
        assert found == expected
