"""The oldest supported PostgreSQL: the schema, and the life of a booking on it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.audit.run import audit
from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.embedded import EmbeddedPostgres, create_database
from holdfast.main.http.app import create_app
from holdfast.main.process.migrate import migrate
from tests.conftest import FAST, House, open_house_at
from tests.processes import PATIENT_S
from tests.services import postgres15


@pytest.fixture(scope="module")
async def old_house() -> AsyncIterator[tuple[House, Any]]:
    programs = postgres15()
    data_dir = Path(tempfile.mkdtemp(prefix="holdfast-pg15-"))
    postgres = EmbeddedPostgres(data_dir, FAST, bin_dir=programs)
    try:
        server = postgres.start()
        await create_database(server)
        await migrate(server.url())
        app = create_app(
            Settings(
                database_url=server.url(),
                data_dir=data_dir,
                unsafe_database=True,
                request_deadline_s=PATIENT_S,
            )
        )
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://old.test/api/v1") as client:
                yield await open_house_at(client, DevIssuer.load(data_dir)), app
    finally:
        postgres.stop()
        shutil.rmtree(data_dir, ignore_errors=True)


async def test_it_is_postgresql_15(old_house: tuple[House, Any]) -> None:
    async with old_house[1].state.engine.db.pool.acquire() as connection:
        assert connection.get_server_version().major == 15
        found = await connection.fetchrow("SELECT upper('é'), current_setting('data_checksums')")
        assert tuple(found) == ("É", "on")


async def test_a_booking_is_made_refused_changed_and_cancelled(old_house: tuple[House, Any]) -> None:
    house, app = old_house
    wanted: Callable[[str], dict[str, Any]] = lambda time: {  # noqa: E731
        "booking_date": "2027-01-15",
        "booking_time": time,
        "resource_ids": house.ids("t1"),
    }
    made = await house.booked(**wanted("18:00"))
    refused = await house.book(**wanted("18:30"))
    assert (refused.status_code, refused.json()["code"]) == (409, "TABLE_NOT_AVAILABLE")
    assert len(refused.json()["suggested_slots"]) == 3
    path = f"/bookings/{made['id']}"
    changed = await house.client.put(
        path,
        json={"expected_version": 1, "booking_date": "2027-01-15", "booking_time": "19:00"},
        headers=house.bob,
    )
    assert changed.status_code == 200, changed.text
    cancelled = await house.client.post(f"{path}/cancel", json={"expected_version": 2}, headers=house.bob)
    assert cancelled.json()["status"] == "CANCELLED"
    await house.booked(**wanted("19:00"))
    report = await audit(app.state.engine.db)
    assert report.ok, report
