"""The log line of a request says who asked, about which venue, and with which code it was refused."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import orjson
import pytest
import structlog
from fastapi import FastAPI

from holdfast.kernel import telemetry
from holdfast.kernel.actor import ANONYMOUS
from holdfast.kernel.ids import new_id
from holdfast.main.http import middleware
from tests.booking.asking import DAY, at
from tests.conftest import House


class Log(io.BytesIO):
    """The lines of requests."""

    def last(self) -> dict[str, Any]:
        return orjson.loads(self.getvalue().splitlines()[-1])

    def about(self) -> tuple[Any, ...]:
        """Of the last line: status, code, venue, actor and subject."""
        return tuple(self.last()[name] for name in ("status", "code", "venue_id", "actor", "subject"))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    written = Log()
    line = structlog.wrap_logger(structlog.BytesLogger(written), processors=[telemetry._line])
    monkeypatch.setattr(middleware, "request_log", line)
    return written


async def test_a_booking_and_a_refused_one(house: House, log: Log) -> None:
    booked = await house.booked(house.gina, resource_ids=house.ids("t1"), start=at("18:00"))
    assert log.about() == (201, None, house.venue_id, "guest", "gina")
    await house.book(house.bob, resource_ids=house.ids("t1"), start=at("18:00"))
    assert log.about() == (409, "TABLE_NOT_AVAILABLE", house.venue_id, "staff", "bob")
    await house.book({}, start=at("08:00"))
    assert log.about() == (400, "OUTSIDE_OPENING_HOURS", house.venue_id, "anonymous", None)

    path = f"/bookings/{booked['id']}"
    await house.client.get(path, headers=house.gina)
    assert log.about() == (200, None, house.venue_id, "guest", "gina")
    assert log.last()["route"] == "/api/v1/bookings/{booking_id}"
    await house.client.post(f"{path}/cancel", json={"expected_version": 7}, headers=house.gina)
    assert log.about() == (409, "VERSION_CONFLICT", house.venue_id, "guest", "gina")


async def test_what_is_refused_before_anything_is_looked_up(house: House, log: Log) -> None:
    await house.client.post("/bookings", content=b"{", headers=house.gina)
    assert log.about() == (400, "INVALID_REQUEST", None, "guest", "gina")
    await house.client.get("/bookings/mine?colour=red", headers=house.gina)
    assert log.about()[1:] == ("INVALID_REQUEST", None, "guest", "gina")
    await house.client.get("/venues", headers={"authorization": "Bearer nonsense"})
    assert log.about() == (401, "UNAUTHENTICATED", None, "anonymous", None)
    await house.client.get("/nowhere")
    assert log.about() == (404, "NOT_FOUND", None, "anonymous", None)
    await house.client.delete("/bookings")
    assert log.about() == (405, "METHOD_NOT_ALLOWED", None, "anonymous", None)


async def test_every_public_view_of_a_venue_names_it(house: House, log: Log) -> None:
    venue = f"/venues/{house.venue_id}"
    picture = f"/clubs/{house.tenant}/venues/{house.venue['slug']}/availability"
    for path in (
        venue,
        f"{venue}/resources",
        f"{venue}/hours",
        f"{venue}/availability/day?date={DAY}&party_size=2",
        f"{venue}/availability/month?month={DAY:%Y-%m}",
        f"{picture}?date={DAY}&slotId=day",
    ):
        response = await house.client.get(path)
        assert response.status_code == 200, response.text
        assert log.about() == (200, None, house.venue_id, "anonymous", None), path


async def test_a_venue_that_there_is_not_is_named_as_it_was_asked_for(house: House, log: Log) -> None:
    nowhere = str(new_id())
    await house.client.get(f"/venues/{nowhere}")
    assert log.about() == (404, "NOT_FOUND", nowhere, "anonymous", None)


async def test_several_venues_are_none(log: Log, app: FastAPI) -> None:
    """A request that used one venue has its id in its line, one that used several has none."""
    layer = middleware.Middleware(app, shortcuts={}, templates={}, request_deadline_s=1)
    ids = {new_id(), new_id()}
    for used, noted in ((set[UUID](), None), ({min(ids)}, str(min(ids))), (ids, None)):
        state = {"about": telemetry.About(venue_ids=used), "actor": ANONYMOUS}
        scope = {"method": "GET", "path": "/api/v1/venues", "state": state, "app": app}
        layer.record(scope, status=200, seconds=0.0)
        assert log.last()["venue_id"] == noted


@pytest.mark.parametrize("subject", ["gina@example.com", "Gina Svensson", "x" * 65, "gînа"])
async def test_a_subject_that_may_be_personal_is_a_digest(house: House, log: Log, subject: str) -> None:
    headers = house.headers("guest", subject=subject)
    for _ in range(2):
        await house.client.get("/venues", headers=headers)
    lines = [orjson.loads(line)["subject"] for line in log.getvalue().splitlines()]
    assert lines[0] == lines[1]
    assert lines[0].startswith("sha256:")
    assert subject not in log.getvalue().decode()


@pytest.mark.parametrize(
    "subject", ["auth0|5f7c8ec7c33c6c004bbafe82", "gina", "01a22d7f-7056-7349-8513-f2f8fd22cf60"]
)
def test_an_id_is_logged_as_it_is(subject: str) -> None:
    assert middleware.subject_logged(subject) == subject
