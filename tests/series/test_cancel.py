"""POST /series/{id}/cancel: one booking, one and those after it, all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.booking.asking import at, refused
from tests.conftest import House

from .asking import bookings, cancel, made, read, week


def statuses(series: dict[str, Any]) -> list[str]:
    return [each["status"] for each in series["bookings"]]


@pytest.mark.parametrize(
    ("scope", "cancelled"),
    [("one", [1]), ("this_and_following", [1, 2, 3]), ("all", [0, 1, 2, 3])],
)
async def test_the_scope_says_which(house: House, scope: str, cancelled: list[int]) -> None:
    series = await made(house, resource_ids=house.ids("t1"))
    on: dict[str, Any] = {} if scope == "all" else {"occurrence_on": week(1)}
    response = await cancel(house, series, scope=scope, reason="on holiday", **on)
    assert response.status_code == 200, response.text
    after = response.json()
    assert (after["version"], after["changed"], after["unchanged"]) == (2, [week(n) for n in cancelled], [])
    assert [n for n, status in enumerate(statuses(after)) if status == "CANCELLED"] == cancelled
    found = await bookings(house)
    assert [n for n, each in enumerate(found) if each["cancellation_reason"] == "on holiday"] == cancelled
    for number in range(4):
        again = await house.book(start=at("18:00", 7 * number), resource_ids=house.ids("t1"))
        assert again.status_code == (201 if number in cancelled else 409)


async def test_a_second_time_there_is_nothing_left(house: House) -> None:
    series = await made(house)
    body: dict[str, Any] = {"scope": "this_and_following", "occurrence_on": week(2)}
    after = (await cancel(house, series, **body)).json()
    refused(await cancel(house, series, **body), 409, "VERSION_CONFLICT")
    refused(await cancel(house, after, **body), 400, "INVALID_REQUEST")
    rest = (await cancel(house, after, scope="all")).json()
    assert rest["changed"] == [week(0), week(1)]
    assert [each["occurrence_on"] for each in rest["unchanged"]] == [week(2), week(3)]
    assert set(statuses(rest)) == {"CANCELLED"}


async def test_a_key_cancels_once(house: House) -> None:
    series = await made(house)
    body: dict[str, Any] = {"scope": "all", "idempotency_key": "off"}
    first, again = await cancel(house, series, **body), await cancel(house, series, **body)
    assert (first.status_code, again.json()) == (200, first.json())


async def test_guests_cancel_their_own(house: House, charlie: dict[str, str]) -> None:
    series = await made(house, house.gina)
    for who in (charlie, house.headers("guest", subject="mallory")):
        refused(await cancel(house, series, who, scope="all"), 404, "NOT_FOUND")
    assert set(statuses(await read(house, series))) == {"RESERVED"}
    assert set(statuses((await cancel(house, series, house.gina, scope="all")).json())) == {"CANCELLED"}


async def test_a_reference_is_not_remembered_as_it_was(house: House) -> None:
    series = await made(house)
    path = f"/bookings/reference/{series['bookings'][0]['booking_reference']}"
    assert (await house.client.get(path, headers=house.bob)).json()["status"] == "RESERVED"
    await cancel(house, series, scope="all")
    assert (await house.client.get(path, headers=house.bob)).json()["status"] == "CANCELLED"
