"""Whatever happens to series, even concurrently, the database passes the audit afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from holdfast.audit.run import audit
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.embedded import Server
from tests.audit.conftest import serving
from tests.booking.asking import at
from tests.conftest import open_house_at
from tests.databases import new_database

from .asking import ask, bookings, cancel, change, made, read, week

KEYS = 6


async def test_the_audit_finds_nothing(server: Server, data_dir: Path, issuer: DevIssuer) -> None:
    url = await new_database(server, "series_sound")
    async with serving(url, data_dir) as (client, db):
        house = await open_house_at(client, issuer)
        table = house.ids("t1")
        racers = [
            ask(house, resource_ids=table, idempotency_key=f"key {n}", on_conflict=mode)
            for n, mode in enumerate(["refuse", "skip"] * (KEYS // 2))
        ]
        single = [house.book(start=at("18:00", 7 * n), resource_ids=table) for n in range(4)]
        answers = [each.status_code for each in await asyncio.gather(*racers, *single)]
        assert set(answers) == {201, 409}
        assert len(await bookings(house)) == 4

        series = await made(house, start=at("12:00"), idempotency_key="lunch", resource_ids=house.ids("t2"))
        body: dict[str, Any] = {
            "scope": "this_and_following",
            "occurrence_on": week(1),
            "idempotency_key": "change",
        }
        changed = await change(house, series, **body, changes={"booking_time": "13:00", "party_size": 4})
        assert changed.status_code == 200, changed.text
        await house.booked(start=at("14:30", 7), resource_ids=house.ids("t2"))
        refused = await change(
            house, changed.json(), scope="all", changes={"duration_minutes": 120}, idempotency_key="no"
        )
        assert refused.status_code == 409
        at_once = [
            cancel(house, changed.json(), scope="one", occurrence_on=week(n), idempotency_key=f"off {n}")
            for n in range(4)
        ]
        assert sorted(each.status_code for each in await asyncio.gather(*at_once)) == [200, 409, 409, 409]
        statuses = [each["status"] for each in (await read(house, series))["bookings"]]
        assert sorted(statuses) == ["CANCELLED", "RESERVED", "RESERVED", "RESERVED"]
        report = await audit(db)
    assert [(each.check.name, each.violations) for each in report.failed] == []
