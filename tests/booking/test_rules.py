"""Each refusal of a venue's rules: its code, what it says would be right, and that this is then accepted."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from holdfast.booking.deciding.prepare import check_time
from holdfast.booking.rules import times
from holdfast.booking.rules.times import OffSlotStep, TooFarAhead, TooSoon
from holdfast.kernel.span import Span
from holdfast.place.document import parse_document
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from tests.conftest import House

from .asking import DAY, STOCKHOLM, at, instant, refused

ALL_WEEK = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


async def accepted(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    return response.json()


async def test_outside_opening_hours(house: House) -> None:
    for wrong in ({"start": at("09:00")}, {"start": at("22:00"), "end": at("23:30")}, {"start": at("23:00")}):
        body = refused(await house.book(**wrong), 400, "OUTSIDE_OPENING_HOURS")
        opening = {name: datetime.fromisoformat(value) for name, value in body["opening_hours"][0].items()}
        assert opening == {"open": instant("10:00"), "close": instant("23:00")}
    opening = body["opening_hours"][0]
    await accepted(await house.book(start=opening["open"]))
    await accepted(await house.book(start=at("21:30"), end=opening["close"]))


async def test_a_closed_day_says_so(house: House) -> None:
    hours = {**house.document["hours"], "exceptions": [{"date": DAY.isoformat(), "closed": True}]}
    await house.replace({**house.document, "hours": hours})
    body = refused(await house.book(start=at("18:00")), 400, "OUTSIDE_OPENING_HOURS")
    assert body["opening_hours"] == []
    assert "closed" in body["detail"]
    await accepted(await house.book(start=at("18:00", days=1)))


async def test_a_resource_has_hours_of_its_own(house: House) -> None:
    own = {"weekly": [{"days": ALL_WEEK, "open": "12:00", "close": "14:00"}]}
    resources = [
        {**each, **({"hours": own} if each["slug"] == "t1" else {})} for each in house.document["resources"]
    ]
    await house.replace({**house.document, "resources": resources})
    t1 = house.ids("t1")
    body = refused(await house.book(start=at("18:00"), resource_ids=t1), 400, "OUTSIDE_OPENING_HOURS")
    assert body["detail"].startswith("T1 ")
    await accepted(await house.book(start=body["opening_hours"][0]["open"], resource_ids=t1))
    assert (await accepted(await house.book(start=at("18:00"))))["resource_ids"] == house.ids("t2")


async def test_off_the_slot_step(house: House) -> None:
    await house.change_policy(slot_step_minutes=30)
    body = refused(await house.book(start=at("18:10")), 400, "OFF_SLOT_STEP")
    assert body["slot_step_minutes"] == 30
    assert [datetime.fromisoformat(each) for each in body["nearest"]] == [
        datetime.fromisoformat(at("18:00")),
        datetime.fromisoformat(at("18:30")),
    ]
    for start in body["nearest"]:
        await accepted(await house.book(start=start))
    late = refused(await house.book(start=at("21:25")), 400, "OFF_SLOT_STEP")
    for start in late["nearest"]:
        await accepted(await house.book(start=start))


async def test_the_slot_step_counts_from_opening_by_the_clock_on_the_wall(house: House) -> None:
    weekly = [{"days": ALL_WEEK, "open": "10:20", "close": "23:00"}]
    await house.replace({**house.document, "hours": {"weekly": weekly}, "policy": {"slot_step_minutes": 60}})
    refused(await house.book(start=at("18:00")), 400, "OFF_SLOT_STEP")
    await accepted(await house.book(start=at("18:20")))


async def test_too_soon(house: House) -> None:
    # One start a day: the earliest does not change while the test runs, but at ten o'clock.
    await house.change_policy(min_notice_minutes=3 * 1440, slot_step_minutes=1440)
    tomorrow = datetime.now(STOCKHOLM).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=1)
    body = refused(await house.book(start=tomorrow.isoformat()), 400, "TOO_SOON")
    assert body["min_notice_minutes"] == 3 * 1440
    await accepted(await house.book(start=body["earliest_start"]))


async def test_in_the_past(house: House) -> None:
    body = refused(await house.book(start="2020-01-01T12:00:00Z"), 400, "TOO_SOON")
    assert datetime.fromisoformat(body["earliest_start"]) > datetime.now(UTC)


async def test_too_far_ahead(house: House) -> None:
    await house.change_policy(max_advance_days=30, slot_step_minutes=1440)
    body = refused(await house.book(start=at("10:00")), 400, "TOO_FAR_AHEAD")
    assert body["max_advance_days"] == 30
    await accepted(await house.book(start=body["latest_start"]))


async def test_party_too_large(house: House) -> None:
    body = refused(
        await house.book(start=at("18:00"), party_size=5, resource_ids=house.ids("t2")),
        400,
        "PARTY_TOO_LARGE",
    )
    assert body["seats_max"] == 4
    await accepted(await house.book(start=at("18:00"), party_size=4, resource_ids=house.ids("t2")))


async def test_party_too_large_for_anything_there(house: House) -> None:
    tables = {"kinds": ["table"]}
    body = refused(
        await house.book(start=at("18:00"), party_size=100_000, preferences=tables), 400, "PARTY_TOO_LARGE"
    )
    assert body["seats_max"] == 10
    await accepted(await house.book(start=at("18:00"), party_size=10, preferences=tables))


async def test_party_too_small(house: House) -> None:
    big = {"slug": "t9", "name": "T9", "kind": "table", "zone": "big", "seats_min": 6, "seats_max": 9}
    await house.replace({**house.document, "resources": [*house.document["resources"], big]})
    for where in ({"resource_ids": house.ids("t9")}, {"preferences": {"zones": ["big"]}}):
        body = refused(await house.book(start=at("12:00"), party_size=2, **where), 400, "PARTY_TOO_SMALL")
        assert body["seats_min"] == 6
    await accepted(await house.book(start=at("18:00"), party_size=6, resource_ids=house.ids("t9")))


async def test_a_party_between_the_sizes_is_told_which_would_do(house: House) -> None:
    resources = [
        {"slug": "s", "name": "S", "kind": "table", "seats_max": 2},
        {"slug": "l", "name": "L", "kind": "table", "seats_min": 5, "seats_max": 8},
    ]
    await house.replace({**house.document, "resources": resources})
    body = refused(await house.book(start=at("18:00"), party_size=3), 400, "PARTY_TOO_LARGE")
    assert body["seats_max"] == 2
    assert "up to 2 or 5 or more" in body["detail"]
    for size in (2, 5):
        await accepted(await house.book(start=at("18:00"), party_size=size))


async def test_pacing(house: House) -> None:
    await house.change_policy(pacing_covers_max=8)
    await accepted(await house.book(start=at("18:00"), party_size=4, resource_ids=house.ids("t2")))
    asked = {"start": at("18:00"), "resource_ids": house.ids("l1")}
    body = refused(await house.book(**asked, party_size=5), 400, "PACING_EXCEEDED")
    assert (body["pacing_covers_max"], body["covers_booked"]) == (8, 4)
    # The next quarter of an hour is another, and as many as are left may come in this one.
    await accepted(await house.book(start=at("18:15"), party_size=5, resource_ids=house.ids("s1")))
    await accepted(await house.book(**asked, party_size=body["pacing_covers_max"] - body["covers_booked"]))
    refused(await house.book(start=at("18:00"), party_size=1), 400, "PACING_EXCEEDED")


async def test_pacing_counts_those_decided_on_together_and_no_ended_ones(house: House) -> None:
    await house.change_policy(pacing_covers_max=6)
    asked = [{"start": at("18:00"), "party_size": 2, "resource_ids": house.ids("s1")} for _ in range(6)]
    answers = await asyncio.gather(*(house.book(**each) for each in asked))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [400] * 3
    first = next(answer.json() for answer in answers if answer.status_code == 201)
    path = f"/bookings/{first['id']}/cancel"
    await house.client.post(path, json={"expected_version": 1}, headers=house.bob)
    await accepted(await house.book(**asked[0]))


async def test_a_local_time_that_clocks_skip(house: House) -> None:
    """On the last Sunday in March, 02:30 does not exist in Stockholm."""
    document = {**house.document, "hours": {"weekly": []}, "policy": {"max_advance_days": 800}}
    await house.replace(document)
    march = date(datetime.now(UTC).year + 1, 3, 31)
    sunday = march - timedelta(days=(march.weekday() + 1) % 7)
    asked = {"booking_date": sunday.isoformat(), "booking_time": "02:30"}
    body = refused(await house.book(**asked), 400, "NONEXISTENT_LOCAL_TIME")
    assert body["timezone"] == "Europe/Stockholm"
    assert body["local_time"] == f"{sunday}T02:30:00"
    assert (await accepted(await house.book(start=body["next_valid"])))["booking_time"] == "03:00"


async def test_the_waitlist_is_offered_where_there_is_one(house: House) -> None:
    await house.change_policy(waitlist_enabled=False)
    asked = {"start": at("18:00"), "resource_ids": house.ids("t1")}
    await accepted(await house.book(**asked))
    assert refused(await house.book(**asked), 409, "TABLE_NOT_AVAILABLE")["can_join_waitlist"] is False


NOON = datetime(2027, 2, 3, 11, 0, tzinfo=UTC)  # 12:00 in Stockholm, a Wednesday


def checked(venue: Venue, start: datetime, *, now: datetime, minutes: int = 90) -> None:
    check_time(venue, (), Span(start, start + timedelta(minutes=minutes)), now=now)


@pytest.fixture
async def venue(house: House, app: Any) -> Venue:
    places: Places = app.state.engine.places
    return await places.venue(UUID(house.venue_id))


def with_policy(venue: Venue, **policy: Any) -> Venue:
    return replace(venue, policy=venue.policy.model_copy(update=policy))


@pytest.mark.parametrize("seconds", [0, 1, 30, 599, 600, 899])
@pytest.mark.parametrize("notice", [0, 7, 60, 24 * 60])
def test_the_earliest_start_it_names_is_allowed_at_that_moment(
    venue: Venue, notice: int, seconds: int
) -> None:
    venue, now = with_policy(venue, min_notice_minutes=notice), NOON + timedelta(seconds=seconds)
    with pytest.raises(TooSoon) as refusal:
        checked(venue, NOON - timedelta(hours=1), now=now)
    earliest = datetime.fromisoformat(refusal.value.fields["earliest_start"])
    checked(venue, earliest, now=now)
    with pytest.raises(TooSoon):
        checked(venue, earliest - timedelta(minutes=15), now=now)


@pytest.mark.parametrize("clock", [3, 8, 12, 20, 22])
@pytest.mark.parametrize("seconds", [0, 1, 61])
def test_the_latest_start_it_names_is_allowed_at_that_moment(venue: Venue, clock: int, seconds: int) -> None:
    venue = with_policy(venue, max_advance_days=10)
    now = NOON.replace(hour=clock) + timedelta(seconds=seconds)
    with pytest.raises(TooFarAhead) as refusal:
        checked(venue, NOON + timedelta(days=40), now=now)
    latest = datetime.fromisoformat(refusal.value.fields["latest_start"])
    checked(venue, latest, now=now)
    with pytest.raises((TooFarAhead, times.OutsideOpeningHours)):
        checked(venue, latest + timedelta(minutes=15), now=now)


@pytest.mark.parametrize("minute", [1, 7, 14])
def test_the_nearest_starts_it_names_are_not_in_the_past(venue: Venue, minute: int) -> None:
    now = NOON + timedelta(minutes=1)
    with pytest.raises(OffSlotStep) as refusal:
        checked(venue, NOON + timedelta(minutes=minute), now=now)
    nearest = [datetime.fromisoformat(each) for each in refusal.value.fields["nearest"]]
    assert nearest == [NOON + timedelta(minutes=15), NOON + timedelta(minutes=30)]
    for start in nearest:
        checked(venue, start, now=now)


def test_a_venue_that_never_opens_names_no_start_but_still_answers(venue: Venue) -> None:
    exceptions = [{"date": f"2027-02-{day:02}", "closed": True} for day in range(1, 29)]
    document = parse_document(
        {
            "slug": "x",
            "name": "X",
            "timezone": "Europe/Stockholm",
            "hours": {
                "weekly": [{"days": ALL_WEEK, "open": "10:00", "close": "23:00"}],
                "exceptions": exceptions,
            },
            "resources": [{"slug": "t", "name": "T", "kind": "table", "seats_max": 2}],
        }
    )
    closed = replace(venue, hours=document.hours, tz=ZoneInfo("Europe/Stockholm"))
    with pytest.raises(TooSoon) as refusal:
        checked(closed, NOON - timedelta(days=1), now=NOON + timedelta(seconds=1))
    assert datetime.fromisoformat(refusal.value.fields["earliest_start"]) == NOON + timedelta(minutes=1)


async def test_a_holiday_is_named_with_the_next_open_day(open_house: Any) -> None:
    days = [str(DAY + timedelta(days=n)) for n in range(3)]
    hours = {
        "weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "10:00", "close": "23:00"}],
        "exceptions": [
            {"date": days[0], "closed": True, "name": "Christmas Eve"},
            {"date": days[1], "closed": True},
            {"date": days[2], "spans": [{"open": "18:00", "close": "20:00"}], "name": "Boxing Day"},
        ],
    }
    house = await open_house(hours=hours)
    closed = refused(await house.book(start=at("18:00")), 400, "OUTSIDE_OPENING_HOURS")
    assert f"Open on {days[0]} (Christmas Eve): closed. The next open day is {days[2]}." in closed["detail"]
    assert (closed["closed_for"], closed["next_open_day"]) == ("Christmas Eve", days[2])
    unnamed = refused(await house.book(start=at("18:00", 1)), 400, "OUTSIDE_OPENING_HOURS")
    assert (unnamed["closed_for"], unnamed["next_open_day"]) == (None, days[2])
    short = refused(await house.book(start=at("12:00", 2)), 400, "OUTSIDE_OPENING_HOURS")
    assert (short["closed_for"], short["next_open_day"]) == ("Boxing Day", None)
