"""Wall times are what people mean: slots, series and lengths on the clock, over every transition of 30 zones."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.opening import hours
from holdfast.place.opening.parse_rrule import parse
from holdfast.place.opening.recurrence import occurrences
from holdfast.place.opening.slot import running_on, slot_span, slots_on
from holdfast.place.opening.spans import DAYS
from holdfast.place.venue import Venue

from .test_hours_dst import ZONES, Transition, transitions, wall

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CHANGES = [(zone, change) for zone in ZONES for change in transitions(zone)]
SLOTS = {
    "evening": ("22:00", 300),
    "late": ("23:30", 60),
    "after": ("00:30", 120),
    "gap": ("02:00", 90),
    "long": ("03:00", 60),
}


def first_shown(local: datetime, change: Transition) -> datetime:
    """The first instant around the transition at which the clock shows that time or, where it skips it, a later one."""
    utc = [local.replace(tzinfo=change.at.tzinfo) - offset for offset in (change.before, change.after)]
    found = [
        each
        for each, offset in zip(utc, (change.before, change.after), strict=True)
        if offset == (change.before if each < change.at else change.after)
    ]
    return min(found, default=change.at)


def on_clock(instant: datetime, change: Transition) -> datetime:
    return wall(instant, change.before if instant < change.at else change.after)


def venue_in(zone: str, **more: Any) -> Venue:
    document: dict[str, Any] = {
        "slug": "club",
        "name": "Club",
        "timezone": zone,
        "hours": {"weekly": [{"days": list(DAYS), "open": "20:00", "close": "06:00"}]},
        "slots": [
            {"id": id_, "name": id_, "start": start, "minutes": minutes}
            for id_, (start, minutes) in SLOTS.items()
        ],
        "resources": [{"slug": "t1"}],
    } | more
    return snapshot(
        parse_document(document),
        id=uuid4(),
        tenant_id=uuid4(),
        tenant_slug="nord",
        resource_ids={"t1": uuid4()},
    )


def night_of(change: Transition) -> date:
    """The opening day on whose night clocks change, of a venue that opens at 20:00."""
    return (wall(change.at, min(change.before, change.after)) - timedelta(hours=8)).date()


@pytest.mark.parametrize("zone", ZONES)
def test_slots_are_windows_of_the_clock(zone: str) -> None:
    venue = venue_in(zone)
    for change in transitions(zone):
        for day in (night_of(change) + DAY * n for n in (-1, 0, 1)):
            running = {each.id for each in running_on(venue, day)}
            for id_, (start, minutes) in SLOTS.items():
                begins = datetime.combine(day, time.fromisoformat(start))
                begins += timedelta() if begins.hour >= 20 else DAY
                span = first_shown(begins, change), first_shown(begins + minutes * MINUTE, change)
                assert (id_ in running) == (span[0] < span[1])
                if id_ in running:
                    assert slot_span(venue, day, id_) == span
            for each in slots_on(venue, day):  # none reaches past closing because clocks change
                assert hours.is_open(venue, None, *each.span), (change, day, each)


@given(st.sampled_from(CHANGES), st.integers(-2000, 2000), st.integers(1, 1440))
def test_later_on_the_clock(one: tuple[str, Transition], offset: int, minutes: int) -> None:
    zone, change = one
    start = change.at + offset * MINUTE
    end = hours.later(start, minutes, ZoneInfo(zone))
    shown = on_clock(start, change) + minutes * MINUTE
    assert end > start
    if end == change.at and change.after > change.before:
        assert on_clock(end - MINUTE, change) < shown <= on_clock(end, change)
    else:
        assert on_clock(end, change) == shown
        again = end - abs(change.after - change.before)
        assert (
            again <= start or on_clock(again, change) != shown
        )  # it is the first time that the clock shows it


@given(st.sampled_from(CHANGES), st.integers(0, 1439), st.integers(1, 1380))
def test_a_daily_series_has_each_of_its_days_at_full_length(
    one: tuple[str, Transition], at: int, minutes: int
) -> None:
    zone, change = one
    first = on_clock(change.at, change).date() - 3 * DAY
    begins = datetime.combine(first, time()) + at * MINUTE
    found = occurrences(
        parse("FREQ=DAILY;COUNT=7"),
        local_start=begins,
        local_end=begins + minutes * MINUTE,
        tz=ZoneInfo(zone),
        whole=True,
    )
    assert [each.on for each in found] == [first + DAY * n for n in range(7)]
    for number, each in enumerate(found):
        start = first_shown(begins + DAY * number, change)
        assert each.span.start == start
        assert each.span.end == first_shown(on_clock(start, change) + minutes * MINUTE, change)


@pytest.mark.parametrize(
    ("opens", "closes", "start", "days_later"),
    [
        ("22:00", "04:00", "22:00", 0),
        ("22:00", "04:00", "23:59", 0),
        ("22:00", "04:00", "00:00", 1),
        ("22:00", "04:00", "03:59", 1),
        ("22:00", "04:00", "04:00", 0),  # no opening has it: as written
        ("22:00", "04:00", "12:00", 0),
        ("10:00", "23:00", "00:30", 0),
        ("00:00", "24:00", "00:30", 0),
        ("20:00", "20:00", "19:30", 1),
    ],
)
def test_a_slot_starts_in_the_opening_of_its_day(
    opens: str, closes: str, start: str, days_later: int
) -> None:
    friday = date(2027, 1, 15)
    venue = venue_in(
        "Europe/Stockholm",
        hours={"weekly": [{"days": ["FR"], "open": opens, "close": closes}]},
        slots=[{"id": "one", "name": "One", "days": ["FR"], "start": start, "minutes": 30}],
    )
    begins = hours.to_wall(slot_span(venue, friday, "one").start, venue.tz)
    assert begins == datetime.combine(friday + DAY * days_later, time.fromisoformat(start))


def test_on_a_day_with_other_hours_it_stays_on_its_night() -> None:
    closed, short, moved = date(2027, 1, 1), date(2027, 1, 8), date(2027, 1, 15)
    exceptions = [
        {"date": str(closed), "closed": True},
        {"date": str(short), "spans": [{"open": "18:00", "close": "23:00"}]},
        {"date": str(moved), "spans": [{"open": "00:00", "close": "02:00"}]},
    ]
    venue = venue_in(
        "Europe/Stockholm",
        hours={"weekly": [{"days": ["FR"], "open": "22:00", "close": "04:00"}], "exceptions": exceptions},
        slots=[{"id": "one", "name": "One", "days": ["FR"], "start": "00:30", "minutes": 30}],
    )
    starts = [
        hours.to_wall(slot_span(venue, each, "one").start, venue.tz).date() for each in (closed, short, moved)
    ]
    assert starts == [closed + DAY, short + DAY, moved]
