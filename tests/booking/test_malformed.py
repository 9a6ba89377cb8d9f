"""Whatever is sent: a problem that names what is wrong, and never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import House

from .asking import DAY, at, change, refused

WRONG: dict[str, Any] = {
    "party_size": [0, -1, 1.5, "2", True, None, 10**9, 10**40, [], {}],
    "start": [
        "tomorrow",
        1234567890,
        "2027-01-01T10:00:00",
        "9999-12-31T23:59:59-12:00",
        "0001-01-01T00:00:00Z",
        [],
    ],
    "end": ["never", "9999-12-31T23:59:59Z", 5],
    "duration_minutes": [0, -5, 10**9, "90", 1.5],
    "venue_id": ["nord", 7, None, "0190a0a0"],
    "resource_ids": [[], "t1", ["t1"], [1], [None], {}],
    "preferences": [
        [],
        "window",
        {"zone": "hall"},
        {"kinds": "table"},
        {"attributes": {"a": []}},
        {"attributes": {"a": 10**399}},
        {"attributes": {"a": "x" * 501}},
        {"attributes": {"x" * 101: 1}},
        {"attributes": {str(each): each for each in range(51)}},
        {"attributes": {"a": "\0"}},
    ],
    "guest_name": ["", "x" * 201, "a\0b", 5, "a\nb", "\x1b[2J", "\u202egnp.exe"],
    "guest_email": ["\0", "x" * 255, "not-an-email", "a@b", "a@b@c.se", "a b@c.se"],
    "special_requests": ["\0", "x" * 2001],
    "source": [None, "", "\0", 7, "waitlist", "=cmd"],
    "hold": ["yes", 1, None],
    "metadata": [[], "x", None, {"a": "x" * 4096}, {"a": "\0"}, {"\0": 1}, {"n": 10**30}],
    "seen_version": [-1, "1", 10**30],
    "idempotency_key": ["", "x" * 256, "\0", 5],
    "booking_time": ["18:00"],
    "slot_id": ["late"],
    "status": ["CONFIRMED"],
    "total_price": ["0.00"],
}


@pytest.mark.parametrize("field", WRONG)
async def test_a_wrong_value_is_named(house: House, field: str) -> None:
    for value in WRONG[field]:
        body = {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), field: value}
        response = await house.client.post("/bookings", json=body, headers=house.bob)
        problem = refused(response, 400, "INVALID_REQUEST")
        assert problem["errors"], value
        for each in problem["errors"]:
            is_unknown = each["problem"].startswith("is not a field here")
            assert set(each) == ({"field", "problem"} if is_unknown else {"field", "value", "problem"})
        named = " ".join(each["field"] + each["problem"] for each in problem["errors"])
        assert field in named, (value, named)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"book"',
        b"\xff\xfe",
        b"\0",
        b"{" * 5000,
        b'{"metadata": ' + b"[" * 5000,
        b"venue_id=1&party_size=2",
    ],
)
@pytest.mark.parametrize("path", ["/bookings", "/walk-ins", "/bookings/availability/check"])
async def test_what_is_no_object_is_refused(house: House, path: str, raw: bytes) -> None:
    headers = {**house.bob, "content-type": "application/json", "idempotency-key": "some"}
    refused(await house.client.post(path, content=raw, headers=headers), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 30])
@pytest.mark.parametrize("key", [None, "some-key"])
async def test_numbers_that_json_or_the_database_lack_are_refused(
    house: House, number: str, key: str | None
) -> None:
    body = json.dumps(
        {"venue_id": house.venue_id, "party_size": 2, "start": at("18:00"), "metadata": {"n": 0}}
    )
    raw = body.replace('"n": 0', f'"n": [{number}]')
    headers = {**house.bob, "content-type": "application/json"} | ({"idempotency-key": key} if key else {})
    problem = refused(
        await house.client.post("/bookings", content=raw, headers=headers), 400, "INVALID_REQUEST"
    )
    assert problem["errors"][0]["field"].startswith("metadata")


async def test_metadata_of_4_kib_is_kept_and_a_byte_more_refused(house: House) -> None:
    fits = {"a": "x" * (4096 - len('{"a":""}'))}
    assert (await house.booked(start=at("18:00"), metadata=fits))["metadata"] == fits
    more = {"a": fits["a"] + "x"}
    problem = refused(await house.book(start=at("18:00"), metadata=more), 400, "INVALID_REQUEST")
    assert "4096" in problem["errors"][0]["problem"]


async def test_deep_and_odd_metadata_comes_back_as_it_was(house: House) -> None:
    deep: Any = "bottom"
    for _ in range(150):
        deep = [deep]
    odd = {"deep": deep, "": "", "ä": "😀", "n": [0, -1, 2**53, 1e300, -0.5, True, None]}
    assert (await house.booked(start=at("18:00"), metadata=odd))["metadata"] == odd


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"start": at("18:00"), "booking_date": DAY.isoformat(), "booking_time": "18:00"},
        {"booking_date": DAY.isoformat()},
        {"date": DAY.isoformat()},
        {"date": DAY.isoformat(), "slot_id": "late", "duration_minutes": 60},
        {"start": at("18:00"), "end": at("19:00"), "duration_minutes": 60},
        {"start": at("18:00"), "end": at("18:00")},
        {"start": at("18:00"), "end": at("17:00")},
        {"start": at("18:00"), "end": at("18:00", days=61)},
        {"booking_date": DAY.isoformat(), "booking_time": "25:00"},
        {"booking_date": "2027-02-30", "booking_time": "18:00"},
        {"booking_date": "9999-12-31", "booking_time": "18:00"},
    ],
)
async def test_a_time_said_twice_half_or_backwards_is_refused(house: House, when: dict[str, Any]) -> None:
    refused(await house.book(**when), 400, "INVALID_REQUEST")


async def test_far_away_dates_are_refused_by_rule(house: House) -> None:
    refused(await house.book(start="2200-12-31T23:59:00-14:00"), 400, "TOO_FAR_AHEAD")
    refused(await house.book(start="2000-01-01T00:00:00+14:00"), 400, "TOO_SOON")
    refused(await house.book(booking_date="2200-12-31", booking_time="23:59"), 400, "TOO_FAR_AHEAD")


async def test_a_booking_may_be_as_long_as_the_policy_says(house: House) -> None:
    await house.change_policy(duration_minutes_max=366 * 1440)
    await house.booked(start=at("18:00"), duration_minutes=366 * 1440, resource_ids=house.ids("t1"))
    body = refused(
        await house.book(start=at("18:00"), duration_minutes=366 * 1440 + 1), 400, "INVALID_REQUEST"
    )
    assert body["errors"][0]["field"] == "duration_minutes"


@pytest.mark.parametrize(
    "path",
    [
        "/bookings/nonsense",
        "/bookings/0190a0a0/history",
        "/bookings/reference/BR-1",
        "/bookings/reference/BR-20270101-ABCDE%00",
        "/bookings/guest/%00",
        "/bookings/guest/" + "x" * 129,
        "/bookings/venue/nonsense",
        "/venues/nonsense/availability/day?date=2027-01-01&party_size=2",
    ],
)
async def test_a_wrong_path_is_a_problem(house: House, path: str) -> None:
    response = await house.client.get(path, headers=house.bob)
    assert response.status_code in (400, 404), response.text
    refused(response, response.status_code, response.json()["code"])


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=9999-12-31T23:59:59Z",
        "to=0001-01-01T00:00:00Z",
        "from=2027-01-02T00:00:00Z&to=2027-01-01T00:00:00Z",
        "status=SLEEPING",
        "resource_id=t1",
        "limit=0",
        "limit=501",
        "limit=many",
        "cursor=%00",
        "cursor=MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw",
        "cursor=" + "9" * 201,
        "cursor=ü",
    ],
)
@pytest.mark.parametrize("of", ["venue", "guest"])
async def test_a_wrong_query_is_a_problem(house: House, of: str, query: str) -> None:
    whose = {"venue": house.venue_id, "guest": "gina"}[of]
    response = await house.client.get(f"/bookings/{of}/{whose}?{query}", headers=house.bob)
    refused(response, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("cursor", ["%00", "OTk5OTk5OTk5OTk5OTk5OTk5OTk", "LTE", "x", "ü", "MTJfMw"])
async def test_a_wrong_cursor_of_the_history_is_a_problem(house: House, cursor: str) -> None:
    booking = await house.booked(start=at("18:00"))
    response = await house.client.get(f"/bookings/{booking['id']}/history?cursor={cursor}", headers=house.bob)
    refused(response, 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "query",
    [
        "party_size=2",
        "date=2027-01-01&party_size=",
        "date=2027-01-01&party_size=0",
        "date=2027-13-01&party_size=2",
        "date=0001-01-01&party_size=2",
        "date=9999-12-31&party_size=2",
        "date=2027-01-01&party_size=2&duration_minutes=0",
        "date=2027-01-01&party_size=2&duration_minutes=99999999",
    ],
)
async def test_a_wrong_day_view_is_a_problem(house: House, query: str) -> None:
    response = await house.client.get(f"/venues/{house.venue_id}/availability/day?{query}", headers=house.bob)
    refused(response, 400, "INVALID_REQUEST")


@pytest.mark.parametrize("month", ["", "2027", "2027-00", "2027-13", "0000-01", "9999-12", "2027-1"])
async def test_a_wrong_month_view_is_a_problem(house: House, month: str) -> None:
    path = f"/venues/{house.venue_id}/availability/month?month={month}"
    refused(await house.client.get(path, headers=house.bob), 400, "INVALID_REQUEST")


@pytest.mark.parametrize("method", ["put", "cancel", "status"])
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b'{"expected_version": 1, "colour": "blue"}', b"\xff", b"null"]
)
async def test_changes_read_their_bodies_as_strictly(house: House, method: str, raw: bytes) -> None:
    booking = await house.booked(start=at("18:00"))
    path = f"/bookings/{booking['id']}" + ("" if method == "put" else f"/{method}")
    headers = {**house.bob, "content-type": "application/json", "idempotency-key": "k"}
    verb = "PUT" if method == "put" else "POST"
    refused(await house.client.request(verb, path, content=raw, headers=headers), 400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "wrong",
    [
        {"venue_id": "0190a0a0-0000-7000-8000-000000000000"},
        {"hold": True},
        {"party_size": 0},
        {"party_size": None},
        {"metadata": None},
        {"source": None},
        {"guest_name": "\0"},
        {"expected_version": 0},
        {"expected_version": 2**31},
        {"expected_version": "1"},
        {"resource_ids": []},
        {"status": "CONFIRMED"},
    ],
)
async def test_an_update_takes_nothing_else(house: House, wrong: dict[str, Any]) -> None:
    booking = await house.booked(start=at("18:00"))
    refused(await change(house, booking, **wrong), 400, "INVALID_REQUEST")


async def test_a_name_may_begin_like_a_formula_and_a_note_has_lines(house: House) -> None:
    """Nothing here takes it for one; whoever puts names into a spreadsheet has to mark them as text there."""
    given = {"guest_name": "=SUM(A1)", "special_requests": "quiet\n\twindow", "guest_email": "åsa@exämple.se"}
    made = await house.booked(start=at("18:00"), **given)
    assert given.items() <= made.items()


async def test_guests_say_less_of_where_a_booking_comes_from(house: House) -> None:
    for source in ("web", "api"):
        assert (await house.booked(house.gina, start=at("18:00"), source=source))["source"] == source
        await house.booked({}, start=at("18:00"), source=source)
    for who in (house.gina, {}):
        refused(await house.book(who, start=at("19:30"), source="partner"), 403, "FORBIDDEN")
    booking = await house.booked(start=at("20:00"), guest_id="gina", source="phone")
    booking = (await change(house, booking, house.gina, party_size=1, source="phone")).json()
    assert booking["source"] == "phone"
    refused(await change(house, booking, house.gina, source="walk_in"), 403, "FORBIDDEN")
    assert (await change(house, booking, house.gina, source="web")).json()["source"] == "web"
