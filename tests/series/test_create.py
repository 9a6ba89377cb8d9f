"""POST /series: all bookings of a series in one transaction."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from holdfast.kernel.db.tx import _current
from holdfast.series import routes
from tests.booking.asking import at, refused
from tests.conftest import House

from .asking import ask, bookings, clocks, days, made, read, week


async def test_every_occurrence_is_a_booking(house: House) -> None:
    series = await made(house, guest_name="Gina", resource_ids=house.ids("t1"), source="phone")
    assert (series["version"], series["rrule"], series["duration_minutes"]) == (1, "FREQ=WEEKLY;COUNT=4", 90)
    assert series["local_start"] == at("18:00")[:16]
    assert days(series["bookings"]) == [week(n) for n in range(4)]
    assert (series["skipped"], series["alternatives"]) == ([], [])
    found = await bookings(house)
    assert [each["id"] for each in found] == [each["booking_id"] for each in series["bookings"]]
    for booking, member in zip(found, series["bookings"], strict=True):
        assert booking["resource_ids"] == member["resource_ids"] == house.ids("t1")
        assert (booking["start"], booking["end"]) == (member["start"], member["end"])
        assert (booking["booking_reference"], booking["status"], booking["version"]) == (
            member["booking_reference"],
            "RESERVED",
            1,
        )
        assert (booking["guest_name"], booking["source"]) == ("Gina", "phone")
    assert await read(house, series) == {
        name: value for name, value in series.items() if name not in ("skipped", "alternatives")
    }


async def test_all_or_nothing(house: House) -> None:
    for number in (1, 3):
        await house.booked(start=at("18:30", 7 * number), resource_ids=house.ids("t1"))
    before = await bookings(house)
    problem = refused(await ask(house, resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")
    assert days(problem["occurrences"]) == [week(1), week(3)]
    for number, occurrence in zip((1, 3), problem["occurrences"], strict=True):
        assert occurrence["start"] == at("18:00", 7 * number)
        assert occurrence["problem"]["code"] == "TABLE_NOT_AVAILABLE"
        [conflict] = occurrence["conflicts"]
        assert conflict["start"] == at("18:30", 7 * number)
        # 16:30 to 18:00 on the same table is free, and so is another table at once.
        assert occurrence["suggested_slots"][0]["start"] in (at("18:00", 7 * number), at("17:00", 7 * number))
    assert problem["conflicts"] == problem["occurrences"][0]["conflicts"]
    assert problem["suggested_slots"] == problem["occurrences"][0]["suggested_slots"] != []
    assert problem["can_join_waitlist"] is True
    assert await bookings(house) == before


async def test_a_refusal_after_long_thought_comes_with_suggestions_too(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = routes.change_planned

    async def slow(*args: Any, **more: Any) -> Any:
        try:
            return await planned(*args, **more)
        finally:
            request = _current.get()
            assert request is not None
            request.until = 0.0  # the request's deadline has passed

    monkeypatch.setattr(routes, "change_planned", slow)
    await house.booked(start=at("18:30", 7), resource_ids=house.ids("t1"))
    problem = refused(await ask(house, resource_ids=house.ids("t1")), 409, "TABLE_NOT_AVAILABLE")
    assert problem["suggested_slots"] != []


async def test_skip_books_the_others(house: House) -> None:
    await house.booked(start=at("18:30", 7), resource_ids=house.ids("t1"))
    series = await made(house, resource_ids=house.ids("t1"), on_conflict="skip")
    assert days(series["bookings"]) == [week(0), week(2), week(3)]
    assert days(series["skipped"]) == [week(1)]
    assert series["skipped"][0]["problem"]["code"] == "TABLE_NOT_AVAILABLE"
    assert len(await bookings(house)) == 4


async def test_alternatives_take_the_nearest_free_time_of_the_day(house: House) -> None:
    """The other tables are taken too, so the alternative must be another time."""
    for slug in ("t1", "t2", "t3"):
        await house.booked(start=at("18:00", 7), resource_ids=house.ids(slug))
    series = await made(house, resource_ids=house.ids("t1"), on_conflict="alternatives")
    assert days(series["bookings"]) == [week(n) for n in range(4)]
    assert series["skipped"] == []
    [other] = series["alternatives"]
    assert (other["occurrence_on"], other["wanted_start"]) == (week(1), at("18:00", 7))
    assert other["start"] == at("16:30", 7)
    assert clocks(series) == ["18:00", "16:30", "18:00", "18:00"]


async def test_alternatives_skip_what_has_none(house: House) -> None:
    for slug in ("t1", "t2", "t3"):
        await house.booked(start=at("10:00", 7), end=at("23:00", 7), resource_ids=house.ids(slug))
    series = await made(house, preferences={"kinds": ["table"]}, on_conflict="alternatives")
    assert (days(series["skipped"]), series["alternatives"]) == ([week(1)], [])


@pytest.mark.parametrize("on_conflict", ["skip", "alternatives"])
async def test_at_least_one_must_be_had(house: House, on_conflict: str) -> None:
    for number in range(4):
        for slug in ("t1", "t2", "t3"):
            await house.booked(
                start=at("10:00", 7 * number), end=at("23:00", 7 * number), resource_ids=house.ids(slug)
            )
    response = await ask(house, resource_ids=house.ids("t1"), on_conflict=on_conflict)
    problem = refused(response, 409, "TABLE_NOT_AVAILABLE")
    assert days(problem["occurrences"]) == [week(n) for n in range(4)]
    assert len(await bookings(house)) == 12


async def test_a_rule_refuses_with_its_own_code(open_house: Any) -> None:
    house = await open_house(policy={"max_advance_days": 60})
    problem = refused(await ask(house), 400, "TOO_FAR_AHEAD")
    assert problem["max_advance_days"] == 60
    assert days(problem["occurrences"])[-1] == week(3)
    series = await made(house, on_conflict="skip")
    assert 0 < len(series["bookings"]) < 4


async def test_wall_time_is_kept_when_clocks_change(open_house: Any) -> None:
    """A year of Wednesdays, in which clocks change twice."""
    house = await open_house(policy={"max_advance_days": 500})
    series = await made(house, rrule="FREQ=WEEKLY;COUNT=52", resource_ids=house.ids("t1"))
    assert set(clocks(series)) == {"18:00"}
    assert {each["end"][11:16] for each in series["bookings"]} == {"19:30"}
    assert {each["start"][-6:] for each in series["bookings"]} == {"+01:00", "+02:00"}


async def test_one_that_starts_when_clocks_skip_an_hour_starts_after_it_at_full_length(
    open_house: Any,
) -> None:
    house = await open_house(hours={}, policy={"max_advance_days": 500})
    change = last_sunday(3)
    series = await made(
        house,
        booking_date=str(change - timedelta(days=1)),
        booking_time="02:30",
        duration_minutes=60,
        rrule="FREQ=DAILY;COUNT=3",
        on_conflict="skip",
        resource_ids=house.ids("t1"),
    )
    assert clocks(series) == ["02:30", "03:00", "02:30"]
    assert [each["end"][11:16] for each in series["bookings"]] == ["03:30", "04:00", "03:30"]


async def test_no_day_is_lost_where_midnight_does_not_exist(open_house: Any) -> None:
    house = await open_house(hours={}, timezone="Asia/Beirut", policy={"max_advance_days": 500})
    change = last_sunday(3)  # in Lebanon, clocks go from 00:00 to 01:00
    series = await made(
        house,
        booking_date=str(change - timedelta(days=1)),
        booking_time="00:00",
        duration_minutes=60,
        rrule="FREQ=DAILY;COUNT=3",
        resource_ids=house.ids("t1"),
    )
    assert series["skipped"] == []
    assert clocks(series) == ["00:00", "01:00", "00:00"]
    assert [each["end"][11:16] for each in series["bookings"]] == ["01:00", "02:00", "01:00"]


def last_sunday(month: int) -> date:
    """The last Sunday of that month, at least two months ahead."""
    soon = datetime.now(UTC).date() + timedelta(days=60)
    day = date(soon.year + (soon.month >= month), month, 31)
    return day - timedelta(days=(day.weekday() + 1) % 7)


async def test_a_slot_repeats_as_the_slot(open_house: Any) -> None:
    slot = {"id": "late", "name": "Late", "start": "21:00", "minutes": 120}
    house = await open_house(slots=[slot])
    series = await made(house, date=week(0), slot_id="late", rrule="FREQ=WEEKLY;COUNT=2")
    assert clocks(series) == ["21:00", "21:00"]
    assert {each["slot_id"] for each in await bookings(house)} == {"late"}


async def test_occurrences_do_not_sit_in_each_others_way(house: House) -> None:
    """The best table is the same every day, counting the claims and arrivals of the series itself."""
    series = await made(house, rrule="FREQ=DAILY;COUNT=30", preferences={"kinds": ["table"]})
    assert {tuple(each["resource_ids"]) for each in series["bookings"]} == {tuple(house.ids("t1"))}


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"rrule": "FREQ=HOURLY;COUNT=2"}, "rrule", "DAILY"),
        ({"rrule": "FREQ=WEEKLY"}, "rrule", "UNTIL or COUNT"),
        ({"rrule": "every week"}, "rrule", ""),
        ({"rrule": "FREQ=DAILY;COUNT=367"}, "rrule", "at most 366"),
        ({"rrule": "FREQ=MONTHLY;COUNT=36"}, "rrule", "too long"),
        ({"rrule": "FREQ=DAILY;COUNT=3", "duration_minutes": 1500}, "rrule", "overlap"),
        ({"rrule": None}, "rrule", ""),
        ({"on_conflict": "maybe"}, "on_conflict", "refuse"),
        ({"hold": True}, "hold", "not a field"),
        ({"party_size": 0}, "party_size", ""),
        ({"start": None}, "", "give a start"),
        ({"start": "2026-01-01T10:00:00"}, "start", "offset"),
    ],
)
async def test_what_can_not_be_is_refused(house: House, body: dict[str, Any], field: str, said: str) -> None:
    problem = refused(await ask(house, **body), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == field
    assert said in problem["errors"][0]["problem"]
    assert await bookings(house) == []


async def test_a_key_makes_it_once(house: House) -> None:
    headers = {"idempotency-key": "a-year-of-lunches"}
    first = await ask(house, headers=headers)
    again = await ask(house, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert len(await bookings(house)) == 4
    other = await ask(house, headers=headers, party_size=3)
    refused(other, 409, "IDEMPOTENCY_CONFLICT")
    in_body = await ask(house, idempotency_key="a-year-of-lunches")
    assert in_body.json() == first.json()


async def test_guests_book_for_themselves(house: House) -> None:
    series = await made(house, house.gina, guest_name="Gina")
    assert series["guest_id"] == "gina"
    assert {each["guest_id"] for each in await bookings(house)} == {"gina"}
    assert (await read(house, series, house.gina))["bookings"] == series["bookings"]
    assert (await ask(house, house.gina, guest_id="bob")).status_code == 403
    assert (await ask(house, house.gina, internal_notes="tips well")).status_code == 403
    refused(await ask(house, {}), 401, "UNAUTHENTICATED")


async def test_another_tenant_sees_nothing(house: House, charlie: dict[str, str]) -> None:
    series = await made(house)
    refused(await ask(house, charlie), 404, "NOT_FOUND")
    mallory = house.headers("guest", subject="mallory")
    for who in (charlie, mallory, {}):
        response = await house.client.get(f"/series/{series['id']}", headers=who)
        refused(response, 404, "NOT_FOUND")
    listed = await house.client.get(f"/series?venue_id={house.venue_id}", headers=charlie)
    refused(listed, 404, "NOT_FOUND")
    assert (await house.client.get(f"/series?venue_id={house.venue_id}", headers=mallory)).status_code == 403


async def test_the_venues_series_are_listed(house: House) -> None:
    ids = [
        (await made(house, start=at(clock), resource_ids=house.ids("t3")))["id"]
        for clock in ("11:00", "13:00", "15:00")
    ]
    path = f"/series?venue_id={house.venue_id}&limit=2"
    first = (await house.client.get(path, headers=house.bob)).json()
    rest = (await house.client.get(f"{path}&cursor={first['next']}", headers=house.bob)).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == ids
    assert rest["next"] is None
    assert (await house.client.get(f"{path}&cursor=x", headers=house.bob)).status_code == 400


async def test_it_is_told(house: House, database_url: str) -> None:
    series = await made(house)
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT event_type, subject_id, channel, payload FROM event WHERE venue_id = $1"
            " AND channel = 'bookings' ORDER BY version",
            house.venue_id,
        )
    finally:
        await connection.close()
    assert [row["event_type"] for row in rows] == ["booking.created"] * 4 + ["series.created"]
    assert str(rows[-1]["subject_id"]) == series["id"]
    ids = [each["booking_id"] for each in series["bookings"]]
    assert [str(row["subject_id"]) for row in rows[:4]] == ids
    assert all(each in rows[-1]["payload"] for each in ids)
