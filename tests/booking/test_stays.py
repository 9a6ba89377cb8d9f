"""Stays: venues that sell nights, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest

from tests.booking.asking import DAY, cancel, change, claims, move, refused
from tests.conftest import House

ROOMS: list[dict[str, Any]] = [
    {"slug": f"r{n}", "name": f"Room {n}", "kind": "room", "seats_max": 2, "sort_order": n} for n in (1, 2)
]
DESK = {"weekly": [{"days": ["MO", "TU", "WE", "TH", "FR", "SA", "SU"], "open": "07:00", "close": "23:00"}]}
HOTEL: dict[str, Any] = {
    "slug": "hotel",
    "kind": "hotel",
    "stay": {"check_in": "15:00", "check_out": "11:00"},
    "policy": {"max_advance_days": 800},
    "hours": DESK,
    "resources": ROOMS,
}


def on(days: int) -> str:
    return str(DAY + timedelta(days=days))


@pytest.fixture
async def hotel(open_house: Callable[..., Any]) -> House:
    return await open_house(**HOTEL)


def times(booking: dict[str, Any]) -> tuple[str, str]:
    return booking["start"][:16], booking["end"][:16]


def stay_of(booking: dict[str, Any]) -> tuple[str, str, int]:
    return booking["arrival"], booking["departure"], booking["nights"]


def error(response: httpx.Response) -> tuple[str, str]:
    first = refused(response, 400, "INVALID_REQUEST")["errors"][0]
    return first["field"], first["problem"]


@pytest.mark.parametrize("nights", [1, 2, 7])
async def test_nights_are_booked_whatever_the_desk_s_hours(hotel: House, nights: int) -> None:
    one = await hotel.booked(hotel.gina, arrival=on(0), nights=nights, resource_ids=hotel.ids("r1"))
    assert times(one) == (f"{on(0)}T15:00", f"{on(nights)}T11:00")
    assert stay_of(one) == (on(0), on(nights), nights)
    other = await hotel.booked(arrival=on(0), departure=on(nights), resource_ids=hotel.ids("r2"))
    assert stay_of(other) == stay_of(one)
    assert (await hotel.client.get(f"/bookings/{one['id']}", headers=hotel.gina)).json() == one


async def test_others_have_no_nights(house: House) -> None:
    booking = await house.booked(start=f"{DAY}T12:00:00Z")
    assert stay_of(booking) == (None, None, None)


async def test_the_next_guest_comes_when_the_last_one_goes(
    hotel: House, open_house: Callable[..., Any]
) -> None:
    await hotel.booked(arrival=on(0), nights=2, resource_ids=hotel.ids("r1"))
    await hotel.booked(arrival=on(2), nights=1, resource_ids=hotel.ids("r1"))
    refused(
        await hotel.book(arrival=on(1), nights=1, resource_ids=hotel.ids("r1")), 409, "ROOM_NOT_AVAILABLE"
    )
    cleaned = await open_house(**HOTEL | {"policy": {"max_advance_days": 800, "buffer_after_minutes": 240}})
    await cleaned.booked(arrival=on(0), nights=2, resource_ids=cleaned.ids("r1"))
    await cleaned.booked(arrival=on(2), nights=1, resource_ids=cleaned.ids("r1"))
    longer = await open_house(**HOTEL | {"policy": {"max_advance_days": 800, "buffer_after_minutes": 241}})
    await longer.booked(arrival=on(0), nights=2, resource_ids=longer.ids("r1"))
    refused(
        await longer.book(arrival=on(2), nights=1, resource_ids=longer.ids("r1")), 409, "ROOM_NOT_AVAILABLE"
    )


async def test_elsewhere_the_forms_of_stays_are_refused(house: House) -> None:
    forms: list[tuple[str, dict[str, Any]]] = [
        ("arrival", {"arrival": on(0), "nights": 1}),
        ("arrival", {"arrival": on(0), "departure": on(1)}),
        ("nights", {"start": f"{DAY}T12:00:00Z", "nights": 1}),
        ("departure", {"start": f"{DAY}T12:00:00Z", "departure": on(1)}),
    ]
    for field, form in forms:
        found, problem = error(await house.book(**form))
        assert (found, problem[:30]) == (field, "is for venues that sell nights")
        check = {"venue_id": house.venue_id, "party_size": 2, **form}
        assert error(await house.client.post("/bookings/availability/check", json=check))[0] == field
    booking = await house.booked(start=f"{DAY}T12:00:00Z")
    assert error(await change(house, booking, nights=2))[0] == "nights"
    waiting = {"venue_id": house.venue_id, "party_size": 2, "arrival": on(0), "nights": 1}
    assert error(await house.client.post("/waitlist", json=waiting, headers=house.bob))[0] == "arrival"
    assert (
        error(
            await house.client.post(
                "/walk-ins",
                json={"venue_id": house.venue_id, "party_size": 2, "nights": 1},
                headers=house.bob,
            )
        )[0]
        == "nights"
    )
    view = {"date": on(0), "party_size": 2, "nights": 1}
    path = f"/venues/{house.venue_id}/availability/day"
    assert error(await house.client.get(path, params=view))[0] == "nights"


@pytest.mark.parametrize(
    ("form", "field", "said"),
    [
        ({"arrival": on(0)}, "", "give nights or departure with arrival"),
        ({"arrival": on(0), "nights": 1, "departure": on(1)}, "", "not both"),
        ({"arrival": on(0), "start": f"{DAY}T15:00:00Z", "nights": 1}, "", "give only one of start"),
        ({"arrival": on(0), "duration_minutes": 60}, "", "not end or duration_minutes"),
        ({"arrival": on(0), "departure": on(0)}, "departure", f"must be after the arrival, {on(0)}"),
        ({"arrival": on(0), "departure": on(-3)}, "departure", f"{on(1)} or later"),
        ({"arrival": on(0), "nights": 0}, "nights", ""),
        ({"arrival": on(0), "nights": 61}, "nights", "must be at most 60"),
        ({"arrival": "tomorrow", "nights": 1}, "arrival", ""),
        ({"nights": 1}, "", "give a start"),
        ({"date": on(0), "slot_id": "day", "nights": 2}, "", "omit end, duration_minutes and slot_id"),
    ],
)
async def test_what_can_not_be_is_refused(hotel: House, form: dict[str, Any], field: str, said: str) -> None:
    found, problem = error(await hotel.book(**form))
    assert found == field
    assert said in problem


async def test_guests_get_the_whole_nights_that_their_times_touch(hotel: House) -> None:
    tz = ZoneInfo("Europe/Stockholm")

    def clock(days: int, hour: int) -> str:
        return (
            datetime.combine(DAY + timedelta(days=days), datetime.min.time(), tz)
            .replace(hour=hour)
            .isoformat()
        )

    for start, end, arrival, departure in (
        (clock(0, 22), clock(2, 8), 0, 2),
        (clock(0, 12), clock(1, 14), 0, 1),
        (clock(1, 3), clock(1, 9), 0, 1),
        (clock(0, 15), clock(1, 16), 0, 2),
    ):
        booking = await hotel.booked(hotel.gina, start=start, end=end)
        assert times(booking) == (f"{on(arrival)}T15:00", f"{on(departure)}T11:00")
        assert stay_of(booking)[:2] == (on(arrival), on(departure))
        await cancel(hotel, booking)
    alone = await hotel.booked(hotel.gina, booking_date=on(0), booking_time="20:00")
    assert times(alone) == (f"{on(0)}T15:00", f"{on(1)}T11:00")
    desk = await hotel.booked(start=clock(3, 22), end=clock(5, 8))
    assert times(desk) == (f"{on(3)}T22:00", f"{on(5)}T08:00")
    assert stay_of(desk) == (on(3), on(5), 2)


async def test_the_slot_day_is_one_night(hotel: House) -> None:
    booking = await hotel.booked(hotel.gina, date=on(0), slot_id="day")
    assert (stay_of(booking), booking["slot_id"]) == ((on(0), on(1), 1), "day")


async def test_closed_dates_are_not_sold(open_house: Callable[..., Any]) -> None:
    exceptions = [{"date": on(1), "closed": True}]
    own = {"weekly": [], "exceptions": [{"date": on(5), "closed": True}]}
    hotel: House = await open_house(
        **HOTEL
        | {"hours": {**DESK, "exceptions": exceptions}, "resources": [ROOMS[0], {**ROOMS[1], "hours": own}]}
    )
    r1, r2 = hotel.ids("r1"), hotel.ids("r2")
    problem = refused(
        await hotel.book(arrival=on(0), nights=2, resource_ids=r1), 400, "OUTSIDE_OPENING_HOURS"
    )
    assert on(1) in problem["detail"]
    await hotel.booked(arrival=on(0), nights=1, resource_ids=r1)
    await hotel.booked(arrival=on(2), nights=1, resource_ids=r1)
    await hotel.booked(arrival=on(0), nights=2, resource_ids=r2)  # its own hours replace the venue's
    problem = refused(
        await hotel.book(arrival=on(4), nights=2, resource_ids=r2), 400, "OUTSIDE_OPENING_HOURS"
    )
    assert "Room 2" in problem["detail"]
    both = await hotel.booked(arrival=on(4), nights=2)
    assert both["resource_ids"] == r1
    assert await starts(hotel, 5) == [] or hotel.ids("r2")[0] not in str(await starts(hotel, 5))


async def starts(hotel: House, days: int, **more: Any) -> list[dict[str, Any]]:
    found = await hotel.client.get(
        f"/venues/{hotel.venue_id}/availability/day", params={"date": on(days), "party_size": 2, **more}
    )
    assert found.status_code == 200, found.text
    return found.json()["starts"]


async def month_of(hotel: House, day: date, **more: Any) -> list[str]:
    found = await hotel.client.get(
        f"/venues/{hotel.venue_id}/availability/month",
        params={"month": f"{day:%Y-%m}", "party_size": 2, **more},
    )
    assert found.status_code == 200, found.text
    return found.json()["days"]


async def test_the_views_show_one_start_a_day(hotel: House) -> None:
    for days in range(3):
        (one,) = await starts(hotel, days)
        assert times(one) == (f"{on(days)}T15:00", f"{on(days + 1)}T11:00")
    (three,) = await starts(hotel, 0, nights=3)
    assert times(three) == (f"{on(0)}T15:00", f"{on(3)}T11:00")
    for slug in ("r1", "r2"):
        await hotel.booked(arrival=on(1), nights=1, resource_ids=hotel.ids(slug))
    assert await starts(hotel, 1) == []
    assert len(await starts(hotel, 0)) == 1
    assert await starts(hotel, 0, nights=2) == []
    assert len(await starts(hotel, 2)) == 1
    shown = await month_of(hotel, DAY + timedelta(days=1))
    assert on(1) not in shown
    assert on(2) in shown or DAY.month != (DAY + timedelta(days=2)).month
    assert on(0) not in await month_of(hotel, DAY, nights=2)


async def test_what_the_day_shows_can_be_booked(hotel: House) -> None:
    (one,) = await starts(hotel, 4)
    booking = await hotel.booked(hotel.gina, start=one["start"], end=one["end"])
    assert times(booking) == times(one)


async def test_the_picture_of_a_day_is_the_night_that_begins_on_it(hotel: House) -> None:
    async def state(days: int) -> tuple[str, int]:
        found = await hotel.client.get(
            f"/clubs/{hotel.tenant}/venues/hotel/availability", params={"date": on(days), "slotId": "day"}
        )
        body = found.json()
        return body["sections"][0]["state"], body["version"]

    assert await state(0) == await state(1) == await state(2) == ("available", 0)
    await hotel.booked(arrival=on(0), nights=2, resource_ids=hotel.ids("r1"))
    # On the day of departure the room is available again, and nothing was announced there.
    assert [await state(days) for days in (-1, 0, 1, 2)] == [
        ("available", 0),
        ("unavailable", 1),
        ("unavailable", 1),
        ("available", 0),
    ]


async def test_suggestions_are_the_same_nights_elsewhere_and_other_dates(hotel: House) -> None:
    await hotel.booked(arrival=on(0), nights=2, resource_ids=hotel.ids("r1"))
    problem = refused(
        await hotel.book(hotel.gina, arrival=on(0), nights=2, resource_ids=hotel.ids("r1")),
        409,
        "ROOM_NOT_AVAILABLE",
    )
    slots = problem["suggested_slots"]
    assert slots, problem["detail"]
    for each in slots:
        assert each["start"][11:16] == "15:00"
        assert each["end"][11:16] == "11:00"
        booked = await hotel.booked(
            hotel.gina, start=each["start"], end=each["end"], resource_ids=each["resource_ids"]
        )
        assert booked["nights"] == 2
        await cancel(hotel, booked)
    await hotel.booked(arrival=on(-4), nights=20, resource_ids=hotel.ids("r2"))
    await hotel.booked(arrival=on(2), nights=20, resource_ids=hotel.ids("r1"))
    await hotel.booked(arrival=on(-10), nights=10, resource_ids=hotel.ids("r1"))
    problem = refused(await hotel.book(arrival=on(0), nights=2), 409, "ROOM_NOT_AVAILABLE")
    assert problem["suggested_slots"] == []
    assert "three days" in problem["detail"]


async def test_check_says_what_create_would(hotel: House) -> None:
    async def check(**form: Any) -> dict[str, Any]:
        found = await hotel.client.post(
            "/bookings/availability/check", json={"venue_id": hotel.venue_id, "party_size": 2, **form}
        )
        assert found.status_code == 200, found.text
        return found.json()

    assert (await check(arrival=on(0), nights=2))["available"]
    assert (await check(date=on(0), slot_id="day"))["available"]
    for slug in ("r1", "r2"):
        await hotel.booked(arrival=on(1), nights=1, resource_ids=hotel.ids(slug))
    found = await check(arrival=on(0), departure=on(2))
    assert not found["available"]
    assert found["conflicts"]


RULES = {
    "max_advance_days": 800,
    "nights_min": 2,
    "nights_max": 10,
    "arrival_rules": [
        {
            "from": on(0),
            "to": on(9),
            "closed_to_arrival": ["SA"],
            "closed_to_departure": ["SU"],
            "nights_min": 3,
        },
        {"from": on(20), "nights_max": 4},
    ],
}  # DAY is a Wednesday


@pytest.mark.parametrize(
    ("arrival", "nights", "field", "said"),
    [
        (0, 2, "nights", f"must be at least 3 for an arrival on {on(0)}"),
        (0, 3, None, ""),
        (9, 2, "nights", "at least 3"),  # `to` is included
        (10, 2, None, ""),
        (10, 1, "nights", "at least 2"),
        (10, 10, None, ""),
        (10, 11, "nights", "at most 10"),
        (20, 5, "nights", "at most 4"),
        (20, 4, None, ""),
        (3, 3, "arrival", f"the next is {on(4)}"),
        (10, 3, None, ""),  # Saturday, after the rule
        (1, 3, "departure", f"the next is {on(5)}"),
        (8, 3, None, ""),  # departs on a Sunday after the rule
    ],
)
async def test_rules_about_nights(
    open_house: Callable[..., Any], arrival: int, nights: int, field: str | None, said: str
) -> None:
    hotel: House = await open_house(**HOTEL | {"policy": RULES})
    for who in (hotel.gina, hotel.bob):
        response = await hotel.book(who, arrival=on(arrival), nights=nights)
        if field is None:
            assert response.status_code == 201, response.text
        else:
            found, problem = error(response)
            assert found == field
            assert said in problem
            assert response.json()["rule"] == "STAY_NOT_ALLOWED"


async def test_a_day_view_shows_the_shortest_stay_allowed(open_house: Callable[..., Any]) -> None:
    hotel: House = await open_house(**HOTEL | {"policy": RULES})
    (one,) = await starts(hotel, 0)
    assert times(one)[1] == f"{on(3)}T11:00"
    assert await starts(hotel, 0, nights=2) == []
    assert await starts(hotel, 3) == []  # closed to arrival
    assert len(await starts(hotel, 11)) == 1


async def test_the_desk_decides_on_times_and_rules_do_not_bind_it(open_house: Callable[..., Any]) -> None:
    hotel: House = await open_house(**HOTEL | {"policy": RULES})
    booking = await hotel.booked(arrival=on(0), nights=3, resource_ids=hotel.ids("r1"))
    tz = ZoneInfo("Europe/Stockholm")
    early = datetime.combine(DAY + timedelta(days=1), datetime.min.time(), tz).replace(hour=9)
    left = await change(hotel, booking, end=early.isoformat())
    assert left.status_code == 200, left.text
    assert stay_of(left.json()) == (on(0), on(1), 1)
    assert times(left.json()) == (f"{on(0)}T15:00", f"{on(1)}T09:00")
    late = await change(hotel, left.json(), start=f"{on(0)}T22:00:00+01:00")
    assert times(late.json()) == (f"{on(0)}T22:00", f"{on(1)}T09:00")
    # The night that was given back is for sale.
    await hotel.booked(hotel.bob, start=f"{on(1)}T15:00:00+01:00", nights=3, resource_ids=hotel.ids("r1"))


async def test_changes_keep_what_they_do_not_say(hotel: House) -> None:
    booking = await hotel.booked(hotel.gina, arrival=on(0), nights=2)
    for said, expected in (
        ({"arrival": on(3)}, (on(3), on(5), 2)),
        ({"nights": 4}, (on(3), on(7), 4)),
        ({"departure": on(4)}, (on(3), on(4), 1)),
        ({"arrival": on(2)}, (on(2), on(3), 1)),
        ({"arrival": on(2), "departure": on(6)}, (on(2), on(6), 4)),
        ({"start": f"{on(8)}T18:00:00+01:00"}, (on(8), on(12), 4)),
        ({"date": on(1), "slot_id": "day"}, (on(1), on(2), 1)),
        ({"party_size": 1}, (on(1), on(2), 1)),
        ({"guest_name": "G"}, (on(1), on(2), 1)),
    ):
        changed = await change(hotel, booking, hotel.gina, **said)
        assert changed.status_code == 200, changed.text
        booking = changed.json()
        assert stay_of(booking) == expected
        assert times(booking) == (f"{expected[0]}T15:00", f"{expected[1]}T11:00")
    problem = refused(await change(hotel, booking, departure=on(1)), 400, "INVALID_REQUEST")
    assert problem["errors"][0]["field"] == "departure"


async def test_a_change_checks_only_the_rules_it_touches(open_house: Callable[..., Any]) -> None:
    hotel: House = await open_house(**HOTEL)
    booking = await hotel.booked(hotel.gina, arrival=on(0), nights=2, resource_ids=hotel.ids("r1"))
    await hotel.change_policy(
        arrival_rules=[{"closed_to_arrival": ["WE"], "closed_to_departure": ["FR"], "nights_min": 3}]
    )
    booking = (await change(hotel, booking, hotel.gina, resource_ids=hotel.ids("r2"))).json()
    assert booking["resource_ids"] == hotel.ids("r2")
    booking = (await change(hotel, booking, hotel.gina, nights=3)).json()
    assert stay_of(booking) == (on(0), on(3), 3)
    refused(await change(hotel, booking, hotel.gina, nights=2), 400, "INVALID_REQUEST")
    refused(await change(hotel, booking, hotel.gina, arrival=on(7)), 400, "INVALID_REQUEST")


async def test_a_stay_keeps_its_times_over_a_clock_change(open_house: Callable[..., Any]) -> None:
    tz = ZoneInfo("Europe/Stockholm")
    days = [DAY + timedelta(days=n) for n in range(400)]
    noon = [datetime.combine(day, datetime.min.time(), tz).replace(hour=12) for day in days]
    changes = [
        day for day, at, then in zip(days, noon, noon[1:], strict=False) if at.utcoffset() != then.utcoffset()
    ]
    assert len(changes) >= 2
    hotel: House = await open_house(**HOTEL)
    booking = await hotel.booked(hotel.gina, arrival=on(0), nights=3)
    for night in changes:
        for arrival in (night - timedelta(days=1), night, night + timedelta(days=1)):
            booking = (await change(hotel, booking, arrival=str(arrival))).json()
            assert times(booking) == (f"{arrival}T15:00", f"{arrival + timedelta(days=3)}T11:00")
            assert booking["nights"] == 3
        (one,) = await starts(hotel, (night - DAY).days, nights=1)
        assert times(one) == (f"{night}T15:00", f"{night + timedelta(days=1)}T11:00")


def around_the_clock(minutes_ago: int) -> dict[str, Any]:
    """A hotel whose check-in was so many minutes ago, whatever the time is: nights begin and end then."""
    now = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    clock = f"{now:%H:%M}"
    return HOTEL | {"timezone": "UTC", "stay": {"check_in": clock, "check_out": clock}, "hours": {}}


async def test_tonight_is_sold_until_it_is_over(
    open_house: Callable[..., Any], owner: asyncpg.Connection
) -> None:
    hotel: House = await open_house(**around_the_clock(420))
    before = datetime.now(UTC).replace(second=0, microsecond=0)
    tonight = str((before - timedelta(minutes=420)).date())
    booking = await hotel.booked(hotel.gina, arrival=tonight, nights=1, resource_ids=hotel.ids("r1"))
    start = datetime.fromisoformat(booking["start"])
    assert before <= start <= datetime.now(UTC)  # it has the room from now on
    assert (booking["arrival"], booking["nights"], booking["status"]) == (tonight, 1, "RESERVED")
    assert (await claims(owner, booking))[0][2] == start
    seated = await hotel.client.post(
        "/walk-ins",
        json={"venue_id": hotel.venue_id, "party_size": 2, "nights": 2},
        headers=hotel.bob,
    )
    assert seated.status_code == 201, seated.text
    walk_in = seated.json()
    assert (walk_in["arrival"], walk_in["nights"], walk_in["status"]) == (tonight, 2, "CHECKED_IN")
    assert walk_in["end"][11:16] == booking["end"][11:16]
    refused(await hotel.book(arrival=tonight, nights=1), 409, "ROOM_NOT_AVAILABLE")
    yesterday = str(date.fromisoformat(tonight) - timedelta(days=1))
    refused(await hotel.book(arrival=yesterday, nights=2), 400, "TOO_SOON")


async def test_with_notice_guests_can_not_book_a_night_that_has_begun(open_house: Callable[..., Any]) -> None:
    document = around_the_clock(60) | {"policy": {"min_notice_minutes": 120}}
    hotel: House = await open_house(**document)
    tonight = (datetime.now(UTC) - timedelta(minutes=60)).date()
    refused(await hotel.book(hotel.gina, arrival=str(tonight), nights=1), 400, "TOO_SOON")
    await hotel.booked(hotel.bob, arrival=str(tonight), nights=1)
    await hotel.booked(hotel.gina, arrival=str(tonight + timedelta(days=1)), nights=1)
    shown = await hotel.client.get(
        f"/venues/{hotel.venue_id}/availability/day", params={"date": str(tonight), "party_size": 2}
    )
    assert shown.json()["starts"] == []


async def test_nights_too_far_ahead(open_house: Callable[..., Any]) -> None:
    hotel: House = await open_house(**HOTEL | {"policy": {"max_advance_days": 7}})
    far = datetime.now(UTC).date() + timedelta(days=9)
    problem = refused(await hotel.book(arrival=str(far), nights=1), 400, "TOO_FAR_AHEAD")
    assert problem["max_advance_days"] == 7


async def test_a_walk_in_says_which_nights(open_house: Callable[..., Any]) -> None:
    hotel: House = await open_house(**around_the_clock(180))
    tonight = (datetime.now(UTC) - timedelta(minutes=180)).date()

    async def walk_in(**said: Any) -> httpx.Response:
        body = {"venue_id": hotel.venue_id, "party_size": 2, **said}
        return await hotel.client.post("/walk-ins", json=body, headers=hotel.bob)

    one = (await walk_in()).json()
    assert stay_of(one) == (str(tonight), str(tonight + timedelta(days=1)), 1)
    two = (await walk_in(departure=str(tonight + timedelta(days=3)))).json()
    assert two["nights"] == 3
    far = refused(await walk_in(arrival=str(tonight + timedelta(days=5)), nights=1), 400, "INVALID_REQUEST")
    assert far["errors"][0]["field"] == "arrival"
    refused(await walk_in(start=f"{tonight}T10:00:00Z"), 400, "INVALID_REQUEST")


async def test_waiting_for_nights(hotel: House) -> None:
    for slug in ("r1", "r2"):
        booking = await hotel.booked(arrival=on(0), nights=2, resource_ids=hotel.ids(slug))

    async def wait(**said: Any) -> httpx.Response:
        body = {"venue_id": hotel.venue_id, "party_size": 2, **said}
        return await hotel.client.post("/waitlist", json=body, headers=hotel.gina)

    entry = (await wait(arrival=on(0), nights=2)).json()
    assert (entry["earliest"][:16], entry["latest"][:16]) == (f"{on(0)}T15:00", f"{on(1)}T10:59")
    assert entry["duration_minutes"] == 44 * 60
    for wrong in ({"arrival": on(0)}, {"arrival": on(0), "nights": 1, "departure": on(1)}):
        assert error(await wait(**wrong))[0] == ""
    assert error(await wait(nights=2))[0] == "earliest"
    assert booking["nights"] == 2


async def test_a_series_is_refused_with_a_sentence(hotel: House) -> None:
    body = {
        "venue_id": hotel.venue_id,
        "party_size": 2,
        "arrival": on(0),
        "nights": 2,
        "rrule": "FREQ=WEEKLY;COUNT=2",
    }
    for path in ("/series", "/series/preview"):
        found, problem = error(await hotel.client.post(path, json=body, headers=hotel.bob))
        assert (found, "book each stay on its own" in problem) == ("rrule", True)


async def test_checking_in_and_leaving_early(hotel: House, owner: asyncpg.Connection) -> None:
    booking = await hotel.booked(arrival=on(0), nights=2, resource_ids=hotel.ids("r1"))
    here = (await move(hotel, booking, "CHECKED_IN")).json()
    assert here["nights"] == 2
    gone = await move(hotel, here, "COMPLETED")
    assert gone.status_code == 200
    assert stay_of(gone.json()) == (on(0), on(2), 2)


async def test_a_venue_sells_nights_or_slots(open_house: Callable[..., Any], hotel: House) -> None:
    async def wrong(**changes: Any) -> tuple[str, str]:
        response = await hotel.client.post(
            "/venues/import", json=hotel.document | changes, headers=hotel.alice
        )
        return error(response)

    slot = {"id": "s", "name": "S", "start": "10:00", "minutes": 60}
    assert (await wrong(slots=[slot]))[0] == "slots"
    assert (await wrong(stay={"check_in": "11:00", "check_out": "15:00"}))[0] == "stay.check_out"
    assert (await wrong(stay={"check_in": "25:00", "check_out": "11:00"}))[0] == "stay.check_in"
    assert (await wrong(policy={"nights_min": 3, "nights_max": 2}))[0] == "policy.nights_min"
    rule = {"from": on(2), "to": on(1)}
    assert (await wrong(policy={"arrival_rules": [rule]}))[0] == "policy.arrival_rules.0.from"
    version = {"if-match": f'"{hotel.venue["version"]}"'}
    noon = {"check_in": "12:00", "check_out": "12:00"}
    changed = await hotel.client.patch(
        f"/venues/{hotel.venue_id}", json={"stay": noon}, headers=hotel.alice | version
    )
    assert changed.json()["stay"] == noon
    back = await hotel.client.get(f"/venues/{hotel.venue_id}/document", headers=hotel.alice)
    assert back.json()["stay"] == noon
    again = await hotel.client.post("/venues/import", json=back.json(), headers=hotel.alice)
    assert again.json()["version"] == changed.json()["version"]
