"""Opening hours and slots on ordinary days; the days on which clocks change are in test_hours_dst."""

from __future__ import annotations

import pickle
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.opening import hours, slot
from holdfast.place.opening.spans import Hours
from holdfast.place.venue import Venue

# Midsummer in Tallinn: three hours ahead of UTC. 2026-06-05 is a Friday.
FRIDAY, SATURDAY, SUNDAY = date(2026, 6, 5), date(2026, 6, 6), date(2026, 6, 7)


def venue_with(**changes: Any) -> Venue:
    document = {"slug": "v", "name": "V", "timezone": "Europe/Tallinn", "resources": [], **changes}
    return snapshot(
        parse_document(document), id=uuid4(), tenant_id=uuid4(), tenant_slug="alice", resource_ids={}
    )


def rules(*weekly: tuple[str, str, str], **exceptions: list[tuple[str, str]]) -> dict[str, Any]:
    """Weekly ("FR SA", "10:00", "23:00"); exceptions d2026_06_05=[("10:00", "12:00")], [] is closed."""
    return {
        "weekly": [{"days": days.split(), "open": opens, "close": end} for days, opens, end in weekly],
        "exceptions": [
            {
                "date": day[1:].replace("_", "-"),
                "closed": not spans,
                "spans": [{"open": opens, "close": end} for opens, end in spans],
            }
            for day, spans in exceptions.items()
        ],
    }


def at(text: str) -> datetime:
    """`5 21:30` is 21:30 on the wall in Tallinn on 5 June 2026."""
    day, wall = text.split()
    return datetime.fromisoformat(f"2026-06-{int(day):02}T{wall}+03:00").astimezone(UTC)


def span(start: str, end: str) -> Span:
    return Span(at(start), at(end))


def open_between(venue: Venue, start: str, end: str, resource_hours: Hours | None = None) -> bool:
    return hours.is_open(venue, resource_hours, at(start), at(end))


BAR = rules(("FR SA", "22:00", "04:00"), ("FR", "12:00", "15:00"))


def test_wall_time_and_instants_convert_both_ways():
    tz = venue_with().tz
    wall = datetime.fromisoformat("2026-06-05T21:30")
    assert hours.to_utc(wall, tz) == datetime(2026, 6, 5, 18, 30, tzinfo=UTC)
    assert hours.to_utc(wall, tz).tzinfo is UTC
    assert hours.to_wall(datetime(2026, 6, 5, 18, 30, tzinfo=UTC), tz) == wall


def test_a_day_has_its_openings_in_order_and_owns_what_crosses_midnight():
    venue = venue_with(hours=BAR)
    assert hours.open_spans(venue, None, FRIDAY) == (span("5 12:00", "5 15:00"), span("5 22:00", "6 04:00"))
    assert hours.open_spans(venue, None, SATURDAY) == (span("6 22:00", "7 04:00"),)
    assert hours.open_spans(venue, None, SUNDAY) == ()


def test_a_date_exception_replaces_the_weekly_rule():
    friday = [("20:00", "02:00"), ("08:00", "09:00")]
    venue = venue_with(hours=rules(("FR SA", "10:00", "22:00"), d2026_06_05=friday, d2026_06_06=[]))
    assert hours.open_spans(venue, None, FRIDAY) == (span("5 08:00", "5 09:00"), span("5 20:00", "6 02:00"))
    assert hours.open_spans(venue, None, SATURDAY) == ()


def test_hours_of_a_resource_replace_all_of_the_venues():
    venue = venue_with(hours=rules(("FR", "10:00", "22:00"), d2026_06_06=[]))
    own = Hours.model_validate(rules(("FR SA", "06:00", "08:00")))
    assert hours.open_spans(venue, own, FRIDAY) == (span("5 06:00", "5 08:00"),)
    assert hours.open_spans(venue, own, SATURDAY) == (span("6 06:00", "6 08:00"),)
    assert hours.open_spans(venue, Hours(), SATURDAY) == (span("6 00:00", "7 00:00"),)


def test_effective_hours_are_wall_time():
    weekly = Hours.model_validate(BAR)
    night = hours.openings(weekly, ZoneInfo("UTC"), SATURDAY)[0].wall
    assert [each.isoformat() for each in night] == ["2026-06-06T22:00:00", "2026-06-07T04:00:00"]
    assert hours.openings(Hours(), ZoneInfo("UTC"), SUNDAY)[0].wall.start.isoformat() == "2026-06-07T00:00:00"


def test_without_weekly_rules_it_is_always_open_but_for_exceptions():
    assert open_between(venue_with(), "5 03:00", "6 02:00")
    closed_friday = venue_with(hours=rules(d2026_06_05=[]))
    assert open_between(closed_friday, "4 23:00", "5 00:00")
    assert not open_between(closed_friday, "4 23:00", "5 00:01")
    assert open_between(closed_friday, "6 00:00", "7 00:00")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("5 12:00", "5 15:00", True),
        ("5 11:59", "5 15:00", False),
        ("5 12:00", "5 15:01", False),
        ("5 14:00", "5 23:00", False),
        ("5 22:00", "6 04:00", True),
        ("6 01:00", "6 03:00", True),
        ("6 03:00", "6 04:01", False),
        ("6 04:00", "6 04:15", False),
        ("7 03:45", "7 04:00", True),
        ("7 22:00", "7 23:00", False),
    ],
)
def test_a_booking_lies_wholly_inside_one_opening(start: str, end: str, expected: bool):
    assert open_between(venue_with(hours=BAR), start, end) is expected


def test_openings_that_touch_are_one():
    touching = rules(("FR", "10:00", "14:00"), ("FR", "14:00", "24:00"), ("SA", "00:00", "02:00"))
    venue = venue_with(hours=touching)
    assert open_between(venue, "5 13:00", "6 01:00")
    assert open_between(venue, "5 10:00", "6 02:00")
    assert not open_between(venue, "5 10:00", "6 02:01")


def test_a_stay_longer_than_a_day_needs_its_two_ends_inside():
    desk = venue_with(hours=rules(("MO TU WE TH FR SA SU", "08:00", "20:00")))
    assert open_between(desk, "5 15:00", "7 10:00")
    assert open_between(desk, "5 15:00", "7 20:00")
    assert open_between(desk, "5 08:00", "7 08:00")
    assert not open_between(desk, "5 20:00", "7 10:00")
    assert not open_between(desk, "5 15:00", "7 20:01")
    assert not open_between(desk, "5 15:00", "7 07:59")
    assert not open_between(desk, "5 15:00", "6 15:00"), "a stay of just 24 hours is no longer than a day"


def test_steps_count_from_the_opening_that_the_start_lies_in():
    odd = rules(("FR", "10:10", "12:00"), ("FR", "17:25", "02:00"))
    venue = venue_with(hours=odd, policy={"slot_step_minutes": 30})
    starts = ["5 10:10", "5 10:40", "5 10:30", "5 17:25", "5 17:55", "6 00:25", "6 00:30"]
    expected = [True, True, False, True, True, True, False]
    assert [hours.aligned(venue, None, at(each)) for each in starts] == expected
    assert not hours.aligned(venue, None, at("5 10:10") + timedelta(seconds=1))


def test_steps_count_from_midnight_when_always_open():
    venue = venue_with(policy={"slot_step_minutes": 45})
    assert [hours.aligned(venue, None, at(each)) for each in ("5 00:45", "5 01:00", "6 00:00")] == [
        True,
        False,
        True,
    ]


def test_starts_of_a_day_leave_room_for_the_whole_booking():
    venue = venue_with(hours=BAR, policy={"slot_step_minutes": 60})
    starts = hours.starts_of_day(venue, None, FRIDAY, duration_minutes=120)
    expected = ["5 12:00", "5 13:00", "5 22:00", "5 23:00", "6 00:00", "6 01:00", "6 02:00"]
    assert starts == [at(each) for each in expected]
    assert hours.starts_of_day(venue, None, SUNDAY, duration_minutes=120) == []


def test_starts_of_long_stays_are_those_of_the_day_that_end_in_open_time():
    desk = venue_with(hours=rules(("FR SA SU", "08:00", "10:00")), policy={"slot_step_minutes": 60})
    assert hours.starts_of_day(desk, None, FRIDAY, duration_minutes=48 * 60) == [at("5 08:00"), at("5 09:00")]
    assert hours.starts_of_day(desk, None, SATURDAY, duration_minutes=48 * 60) == []


def test_the_opening_day_of_a_late_hour_is_the_day_before():
    venue = venue_with(hours=BAR)
    assert hours.opening_day(venue, None, at("7 01:00")) == SATURDAY
    assert hours.opening_day(venue, None, at("7 04:00")) == SUNDAY
    assert hours.opening_day(venue, None, at("5 12:00")) == FRIDAY


def test_a_venue_without_slots_has_one_from_first_opening_to_last_closing():
    venue = venue_with(hours=BAR)
    assert slot.slots_on(venue, FRIDAY) == (("day", "Day", span("5 12:00", "6 04:00")),)
    assert slot.slots_on(venue, SUNDAY) == ()
    assert slot.slot_span(venue, SUNDAY, "day") == span("7 00:00", "8 00:00")
    assert slot.slot_span(venue_with(), SUNDAY, "day") == span("7 00:00", "8 00:00")


def test_named_slots_run_on_their_days_when_it_opens():
    late = {"id": "late", "name": "Late", "days": ["FR", "SU"], "start": "22:30", "minutes": 120}
    early = {"id": "early", "name": "Early", "start": "12:00", "minutes": 60}
    venue = venue_with(hours=BAR, slots=[late, early])
    assert slot.slots_on(venue, FRIDAY) == (
        ("early", "Early", span("5 12:00", "5 13:00")),
        ("late", "Late", span("5 22:30", "6 00:30")),
    )
    assert [each.id for each in slot.slots_on(venue, SATURDAY)] == ["early"]
    assert slot.slots_on(venue, SUNDAY) == (), "it is closed"
    with pytest.raises(InvalidRequest, match="early"):
        slot.slot_span(venue, SATURDAY, "late")
    with pytest.raises(InvalidRequest, match="late, early"):
        slot.slot_span(venue, FRIDAY, "day")


def test_hours_that_caches_know_can_be_copied_and_pickled() -> None:
    known = Hours.model_validate({"weekly": [{"days": ["MO"], "open": "10:00", "close": "12:00"}]})
    assert known.text.hours is known
    for again in (deepcopy(known), known.model_copy(deep=True), pickle.loads(pickle.dumps(known))):
        assert (again, hash(again), again.text, again.spans_on(date(2026, 3, 2))) == (
            (known, hash(known), known.text, known.spans_on(date(2026, 3, 2)))
        )
