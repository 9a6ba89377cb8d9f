"""Wherever an instant is taken it is RFC 3339, and the same instant is the same request however it is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from holdfast.booking.routes.creating import CreateBooking
from holdfast.booking.routes.requests import Instant
from holdfast.kernel.config import Settings
from holdfast.kernel.http import InstantText, meaning
from holdfast.main.http.app import create_app
from tests.booking.asking import DAY, at, change, refused
from tests.conftest import House

from .leaves import Schemas

OPENAPI = create_app(Settings()).openapi()
SCHEMAS = Schemas(OPENAPI)
METHODS = ("get", "post", "put", "patch", "delete")
SOMETHING = "01890a5d-ac96-774b-bcce-b302099a8057"
NOT_RFC_3339 = (
    "1800000000",
    "1800000000.5",
    f"{DAY}",
    f"{DAY}_18:00:00Z",
    f"{DAY}T18Z",
    f"{DAY}T18:00:00+01",
    "noon",
)
INSTANT = TypeAdapter(Instant)


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in OPENAPI["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), re.sub(r"\{\w+\}", SOMETHING, path), item[method]


def in_bodies() -> Iterator[tuple[str, str, str]]:
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for leaf in SCHEMAS.leaves(content.get("schema", {})):
            if "date-time" in leaf.kinds and len(leaf.path) == 1:
                yield method, path, str(leaf.path[0])


def in_queries() -> Iterator[tuple[str, str, str]]:
    for method, path, operation in operations():
        for each in operation.get("parameters", ()):
            kinds = {one.get("format") for one in SCHEMAS.alternatives(each["schema"])}
            if each["in"] == "query" and "date-time" in kinds:
                yield method, path, each["name"]


BODIES, QUERIES = list(in_bodies()), list(in_queries())


def test_there_are_some() -> None:
    assert {("POST", "/api/v1/bookings", "start"), ("POST", "/api/v1/waitlist", "latest")} <= set(BODIES)
    assert ("GET", f"/api/v1/bookings/venue/{SOMETHING}", "from") in QUERIES


async def problem(house: House, method: str, path: str, field: str, **sent: Any) -> str:
    response = await house.client.request(method, path.removeprefix("/api/v1"), headers=house.alice, **sent)
    errors = refused(response, 400, "INVALID_REQUEST")["errors"]
    return next(each["problem"] for each in errors if each["field"] == field)


@pytest.mark.parametrize(("method", "path", "field"), BODIES)
async def test_bodies_take_whole_minutes_of_rfc_3339(
    house: House, method: str, path: str, field: str
) -> None:
    for value in (*NOT_RFC_3339, 1800000000, 1.5, True):
        found = await problem(house, method, path, field, json={field: value})
        assert found.startswith("must be an instant in RFC 3339"), value
    for value in (f"{DAY}T18:00", f"{DAY}T18:00:00"):
        assert "must have its offset" in await problem(house, method, path, field, json={field: value})
    for value in (f"{DAY}T18:00:00.000001Z", f"{DAY}T18:00:01+01:00"):
        assert "must be a whole minute" in await problem(house, method, path, field, json={field: value})
    found = await problem(house, method, path, field, json={field: f"{DAY.year}-02-30T18:00:00Z"})
    assert found == "must be a date, a time and an offset that exist"


@pytest.mark.parametrize(("method", "path", "field"), QUERIES)
async def test_queries_take_rfc_3339(house: House, method: str, path: str, field: str) -> None:
    for value in NOT_RFC_3339:
        found = await problem(house, method, path, field, params={field: value})
        assert found.startswith("must be an instant in RFC 3339"), value
    assert "must have its offset" in await problem(
        house, method, path, field, params={field: f"{DAY}T18:00:00"}
    )


async def test_a_filter_may_have_seconds(house: House) -> None:
    booking = await house.booked(start=at("18:00"), duration_minutes=60)
    span = {"from": f"{DAY}T18:59:59.999+01:00", "to": f"{DAY}T19:30:00Z"}
    found = await house.client.get(f"/bookings/venue/{house.venue_id}", params=span, headers=house.bob)
    assert [each["id"] for each in found.json()["items"]] == [booking["id"]]


OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MINUTES = st.datetimes(datetime(2026, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(second=0, microsecond=0)
)


@st.composite
def written(draw: st.DrawFn) -> tuple[datetime, list[str]]:
    """An instant, and ways to write it."""
    instant = draw(MINUTES).replace(tzinfo=UTC)
    own = instant.astimezone(draw(OFFSETS))
    zulu = instant.isoformat().replace("+00:00", "Z")
    return instant, [
        instant.isoformat(), zulu, zulu.lower(), zulu.replace(":00Z", ":00.000Z"), zulu.replace("T", " "),
        own.isoformat(), own.isoformat(timespec="minutes"), instant.isoformat().replace("+00:00", "-00:00"),
    ]  # fmt: skip


@given(written())
def test_one_instant_has_one_meaning(one: tuple[datetime, list[str]]) -> None:
    instant, ways = one
    assert {INSTANT.validate_json(f'"{way}"', strict=True) for way in ways} == {instant}
    meant = {
        meaning(
            CreateBooking.model_validate_json(
                f'{{"party_size":2,"start":"{way}","venue_id":"{SOMETHING}","idempotency_key":"k{number}"}}',
                strict=True,
            )
        )
        for number, way in enumerate(ways)
    }
    assert len(meant) == 1


@given(st.text(max_size=40) | st.from_regex(r"[0-9TtZz:+.\- ]{0,32}", fullmatch=True))
def test_what_is_taken_has_an_offset_and_a_date(text: str) -> None:
    try:
        found = TypeAdapter(InstantText).validate_python(text)
    except ValidationError:
        return
    assert found.utcoffset() is not None
    assert text[:10] == f"{found:%Y-%m-%d}".rjust(10, "0")


async def test_the_same_instant_under_a_key_is_the_same_request(house: House) -> None:
    start = datetime.fromisoformat(at("18:00"))
    ways = [start.isoformat(), start.astimezone(timezone(-timedelta(hours=3))).isoformat()]
    zulu = start.astimezone(UTC).isoformat().replace("+00:00", "Z")
    ways += [zulu, zulu.lower()]
    made = [(await house.booked(start=way, idempotency_key="one"))["id"] for way in ways]
    assert len(set(made)) == 1
    later = await house.book(start=at("18:15"), idempotency_key="one")
    refused(later, 409, "IDEMPOTENCY_CONFLICT")
    booking = (await house.client.get(f"/bookings/{made[0]}", headers=house.bob)).json()
    for way in (at("20:00"), datetime.fromisoformat(at("20:00")).astimezone(UTC).isoformat()):
        changed = await change(house, booking, start=way, idempotency_key="two")
        assert (changed.status_code, changed.json()["version"]) == (200, 2)
