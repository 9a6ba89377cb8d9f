"""Channels of days gone by are closed at night, those of a week ago and later stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.channel.names import BOOKINGS, availability
from holdfast.channel.store import open_channel
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.live.channels import close_channels
from tests.booking.asking import tenant_id
from tests.booking.conftest import owner as owner
from tests.conftest import House


async def test_channels_of_more_than_a_week_ago_are_closed(db: Database, house: House, owner: Any) -> None:
    tenant, now = await tenant_id(owner, house), datetime.now(UTC) + timedelta(days=30)
    days = [(now - timedelta(days=back)).date() for back in (30, 9, 8, 7, 0, -5)]
    names = [availability(day, "late") for day in days] + [BOOKINGS]
    call = db.call(SYSTEM, tenants=[tenant], now=now)
    for name in names:
        await call.run(open_channel, tenant_id=tenant, venue_id=UUID(house.venue_id), name=name)

    assert await call.run(close_channels, 2) == 2
    assert await call.run(close_channels, 2) == 1
    assert await call.run(close_channels, 2) == 0
    rows = await owner.fetch("SELECT name FROM channel WHERE venue_id = $1", UUID(house.venue_id))
    assert {row["name"] for row in rows} == set(names[3:])


async def test_one_that_was_opened_just_now_stays(db: Database, house: House, owner: Any) -> None:
    tenant, now = await tenant_id(owner, house), datetime.now(UTC)
    name = availability((now - timedelta(days=30)).date(), "late")
    call = db.call(SYSTEM, tenants=[tenant])
    await call.run(open_channel, tenant_id=tenant, venue_id=UUID(house.venue_id), name=name)
    assert await call.run(close_channels, 10) == 0
