"""A series counts each of its bookings."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.asking import at, refused
from tests.booking.callers import FLOOR
from tests.conftest import House

from .asking import ask, change, made, preview


@pytest.fixture
async def bound(open_house: Any) -> House:
    rules = [{"per": "guest", "open_bookings_max": 3}, {"per": "guest", "groups": ["m"], "at_once_max": 1}]
    return await open_house(resources=[FLOOR], policy={"fair_use": rules})


async def test_too_long_a_series_is_refused(bound: House) -> None:
    response = await ask(bound, bound.gina)
    body = refused(response, 429, "QUOTA_EXCEEDED")
    assert [each["problem"]["code"] for each in body["occurrences"]] == ["QUOTA_EXCEEDED"]
    assert (body["used"], int(response.headers["retry-after"]) > 1000) == (3, True)
    shown = (await preview(bound, bound.gina)).json()
    assert [each["free"] for each in shown["occurrences"]] == [True, True, True, False]


async def test_what_is_too_much_is_skipped(bound: House) -> None:
    series = await made(bound, bound.gina, on_conflict="skip", rrule="FREQ=DAILY;COUNT=6")
    assert (len(series["bookings"]), len(series["skipped"])) == (3, 3)
    refused(await bound.book(bound.gina, start=at("12:00", 99)), 429, "QUOTA_EXCEEDED")


async def test_a_long_series_in_parts(bound: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.series.expand.PROBES_MAX", 2)
    shown = (await preview(bound, bound.gina)).json()
    assert [each["free"] for each in shown["occurrences"]] == [True, True, True, False]
    series = await made(bound, bound.gina, on_conflict="skip", rrule="FREQ=DAILY;COUNT=6")
    assert (len(series["bookings"]), len(series["skipped"])) == (3, 3)


async def test_alternatives_are_within_it(open_house: Any) -> None:
    policy = {"fair_use": [{"per": "guest", "at_once_max": 1}]}
    house = await open_house(resources=[{**FLOOR, "units": 1}], policy=policy)
    await house.booked(start=at("18:00"), duration_minutes=60)
    await house.booked(start=at("18:00", 7), duration_minutes=60)
    await house.replace({**house.document, "resources": [{**FLOOR, "units": 2}]})
    await house.booked(house.gina, start=at("19:00"), duration_minutes=60)
    await house.replace({**house.document, "resources": [{**FLOOR, "units": 1}]})
    wanted = {"duration_minutes": 60, "on_conflict": "alternatives", "rrule": "FREQ=WEEKLY;COUNT=2"}
    series = await made(house, house.gina, **wanted)
    moved = {each["start"] for each in series["alternatives"]}
    assert moved == {at("17:00"), at("19:00", 7)} or moved == {at("17:00"), at("17:00", 7)}


async def test_a_change_of_a_series_is_bound(open_house: Any) -> None:
    policy = {"fair_use": [{"per": "guest", "at_once_max": 1}]}
    house = await open_house(resources=[FLOOR], policy=policy)
    series = await made(house, house.gina)
    await house.booked(house.gina, start=at("20:00", 7))
    later = {"scope": "all", "changes": {"booking_time": "19:00"}}
    refused(await change(house, series, house.gina, **later), 429, "QUOTA_EXCEEDED")
    done = await change(house, series, house.gina, **later, on_conflict="skip")
    assert (len(done.json()["changed"]), len(done.json()["unchanged"])) == (3, 1)


async def test_what_a_change_of_a_series_adds_up_to(open_house: Any) -> None:
    policy = {"fair_use": [{"per": "guest", "hours_per_week_max": 4}]}
    house = await open_house(resources=[FLOOR], policy=policy)
    series = await made(house, house.gina, rrule="FREQ=DAILY;COUNT=3", duration_minutes=60)
    longer = {"scope": "all", "changes": {"duration_minutes": 120}}
    refused(await change(house, series, house.gina, **longer), 429, "QUOTA_EXCEEDED")
    done = await change(house, series, house.gina, **longer, on_conflict="skip")
    assert (len(done.json()["changed"]), len(done.json()["unchanged"])) == (1, 2)
