"""The days on which clocks change: every transition of 30 zones, 2026 to 2030."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.opening import hours
from holdfast.place.opening.hours import NonexistentLocalTime
from holdfast.place.opening.spans import DAYS, Hours
from holdfast.place.venue import Venue

ZONES = """
    Africa/Cairo Africa/Casablanca Africa/El_Aaiun America/Asuncion America/Godthab America/Havana
    America/Los_Angeles America/Miquelon America/New_York America/Santiago America/Scoresbysund
    America/St_Johns America/Tijuana Antarctica/Macquarie Antarctica/Troll Asia/Beirut Asia/Gaza
    Asia/Jerusalem Asia/Nicosia Atlantic/Azores Australia/Adelaide Australia/Lord_Howe Europe/Chisinau
    Europe/Dublin Europe/Lisbon Europe/Stockholm Pacific/Apia Pacific/Auckland Pacific/Chatham
    Pacific/Easter Pacific/Norfolk Europe/London Africa/Ceuta America/Winnipeg Europe/Athens

""".split()  # noqa: SIM905 - thirty lines are harder to read
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
WALL_TIMES = st.datetimes(datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2030-12-31"))
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Transition(NamedTuple):
    """Clocks change at `at`; the offset from UTC is `before`, then `after`."""

    at: datetime
    before: timedelta
    after: timedelta


def offset(instant: datetime, tz: ZoneInfo) -> timedelta:
    found = instant.astimezone(tz).utcoffset()
    assert found is not None
    return found


@cache
def transitions(name: str) -> tuple[Transition, ...]:
    """Found the slow way, day by day, hour by hour and then minute by minute, to share nothing with what is tested."""
    tz = ZoneInfo(name)
    found: list[Transition] = []
    for day in changing(FIRST, LAST, DAY, tz):
        for hour in changing(day, day + DAY, HOUR, tz):
            for minute in changing(hour, hour + HOUR, MINUTE, tz):
                at = minute + MINUTE
                found.append(Transition(at, offset(minute, tz), offset(at, tz)))
    return tuple(found)


def changing(start: datetime, end: datetime, step: timedelta, tz: ZoneInfo) -> list[datetime]:
    """The instants, one step apart, between which and the next the offset is another."""
    instants = [start + step * number for number in range((end - start) // step + 1)]
    offsets = [offset(instant, tz) for instant in instants]
    return [
        instant for instant, (early, late) in zip(instants, pairwise(offsets), strict=False) if early != late
    ]


def wall(instant: datetime, utc_offset: timedelta) -> datetime:
    return instant.replace(tzinfo=None) + utc_offset


def minutes_between(start: datetime, end: datetime) -> list[datetime]:
    return [start + MINUTE * step for step in range((end - start) // MINUTE)]


def venue_in(name: str, *, weekly: list[tuple[str, str]] | None = None, step_minutes: int = 15) -> Venue:
    document: dict[str, Any] = {
        "slug": "v",
        "name": "V",
        "timezone": name,
        "resources": [],
        "policy": {"slot_step_minutes": step_minutes},
        "hours": {"weekly": [{"days": DAYS, "open": opens, "close": end} for opens, end in weekly or []]},
    }
    return snapshot(
        parse_document(document), id=uuid4(), tenant_id=uuid4(), tenant_slug="alice", resource_ids={}
    )


def test_the_zones_have_gaps_and_folds_to_test():
    found = [each for name in ZONES for each in transitions(name)]
    gaps = sum(each.after > each.before for each in found)
    assert sum(bool(transitions(name)) for name in ZONES) >= 30

    assert gaps > 100
    assert len(found) - gaps > 100
    assert {each.after - each.before for each in found} >= {timedelta(minutes=30), HOUR, 2 * HOUR}


@pytest.mark.parametrize("name", ZONES)
def test_every_wall_minute_of_a_gap_is_refused(name: str):
    tz = ZoneInfo(name)
    for at, before, after in transitions(name):
        for missing in minutes_between(wall(at, before), wall(at, after)):
            with pytest.raises(NonexistentLocalTime) as caught:
                hours.to_utc(missing, tz)
            fields = caught.value.fields
            assert datetime.fromisoformat(fields["next_valid"]) == at
            assert (fields["local_time"], fields["timezone"]) == (missing.isoformat(), name)
            assert hours.instant_of(missing, tz) == at


@pytest.mark.parametrize("name", ZONES)
def test_every_wall_minute_of_a_fold_means_the_first(name: str):
    tz = ZoneInfo(name)
    for at, before, after in transitions(name):
        for twice in minutes_between(wall(at, after), wall(at, before)):
            first = twice.replace(tzinfo=UTC) - before
            assert hours.to_utc(twice, tz) == first
            assert hours.to_utc(twice.replace(fold=1), tz) == first
            assert hours.to_wall(first, tz) == twice
            assert hours.to_wall(first + (before - after), tz) == twice
            assert hours.to_wall(first + (before - after), tz).fold == 0


@pytest.mark.parametrize("name", ZONES)
def test_all_else_around_a_transition_goes_there_and_back(name: str):
    tz = ZoneInfo(name)
    for at, before, after in transitions(name):
        repeated = max(before - after, timedelta())
        for instant in [at + 7 * MINUTE * step for step in range(-60, 60)]:
            if at <= instant < at + repeated:
                continue
            shown = hours.to_wall(instant, tz)
            assert shown == wall(instant, before if instant < at else after)
            assert hours.to_utc(shown, tz) == instant


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    WALL_TIMES,
)
def test_a_wall_time_goes_there_and_back_or_is_refused(name: str, asked: datetime):
    tz = ZoneInfo(name)
    try:
        instant = hours.to_utc(asked, tz)
    except NonexistentLocalTime:
        assert any(wall(at, before) <= asked < wall(at, after) for at, before, after in transitions(name))
    else:
        assert hours.to_wall(instant, tz) == asked


def days_around(name: str) -> list[date]:
    """The days next to each change of the clocks, and one summer's day for zones that never change."""
    days = {wall(each.at, each.before).date() for each in transitions(name)} or {date(2026, 6, 1)}
    return sorted({day + timedelta(days=step) for day in days for step in (-1, 0, 1)})


NIGHTS = [
    None,
    [("22:00", "04:00")],
    [("00:00", "00:30"), ("00:30", "01:15"), ("01:15", "02:10"), ("02:10", "02:40"), ("02:40", "24:00")],
    [("02:30", "02:15")],
    [("23:30", "00:30"), ("01:30", "03:00")],
]


@pytest.mark.parametrize("name", ZONES)
def test_openings_are_in_order_positive_and_apart(name: str):
    for weekly in NIGHTS:
        venue = venue_in(name, weekly=weekly)
        spans = [each for day in days_around(name) for each in hours.open_spans(venue, None, day)]
        assert spans
        assert all(each.start < each.end for each in spans)
        assert all(early.end <= late.start for early, late in pairwise(spans))


@pytest.mark.parametrize("name", ZONES)
def test_what_is_open_by_the_clock_on_the_wall_is_open(name: str):

    venue = venue_in(name, weekly=[("22:00", "04:00")])
    for at, before, after in transitions(name):
        changes = [wall(at, before), wall(at, after)]
        if any(each.strftime("%H:%M") in {"22:00", "04:00"} for each in changes):
            continue  # the rule itself begins or ends where the clocks change
        for instant in [at + 10 * MINUTE * step for step in range(-80, 80)]:
            shown = hours.to_wall(instant, venue.tz)
            expected = shown.hour >= 22 or shown.hour < 4
            assert hours.is_open(venue, None, instant, instant + MINUTE) is expected, instant


@pytest.mark.parametrize("name", ZONES)
def test_starts_of_a_day_are_all_that_are_open_and_on_the_step(name: str):
    venue = venue_in(name, weekly=[("21:10", "04:10")], step_minutes=20)
    _are_all(venue, days_around(name)[:9])


@pytest.mark.parametrize("name", ["America/Santiago", "Europe/Stockholm", "Antarctica/Troll"])
def test_starts_before_the_opening_on_the_clock_come_after_it_where_clocks_go_back(name: str):
    """It opens at half past; half an hour later the clocks go back to before that."""
    for opens in ("23:30", "01:40", "02:30"):
        venue = venue_in(name, weekly=[(opens, "06:00")], step_minutes=20)
        _are_all(venue, days_around(name)[:9])


def _are_all(venue: Venue, days: list[date]) -> None:
    for day in days:
        starts = hours.starts_of_day(venue, None, day, duration_minutes=60)
        [opened] = hours.open_spans(venue, None, day)
        every = minutes_between(opened.start, opened.end)
        good = [
            each
            for each in every
            if hours.aligned(venue, None, each) and hours.is_open(venue, None, each, each + HOUR)
        ]
        assert starts == good


def test_a_night_is_an_hour_shorter_or_longer_when_the_clocks_change():
    bar = venue_in("Europe/Stockholm", weekly=[("22:00", "04:00")])
    lengths = [
        hours.open_spans(bar, None, date.fromisoformat(day))[0].duration / HOUR
        for day in ("2026-03-28", "2026-03-29", "2026-10-24")
    ]
    assert lengths == [5, 6, 7]


def test_an_opening_in_a_gap_begins_after_it():
    club = venue_in("Europe/Stockholm", weekly=[("02:30", "05:00"), ("02:00", "02:15")], step_minutes=30)
    day = date(2026, 3, 29)
    [opened] = hours.open_spans(club, None, day)
    assert opened.start == datetime(2026, 3, 29, 1, tzinfo=UTC)
    starts = hours.starts_of_day(club, None, day, duration_minutes=60)
    assert [hours.to_wall(each, club.tz).strftime("%H:%M") for each in starts] == ["03:00", "03:30", "04:00"]


def test_a_closing_that_comes_twice_is_the_first():
    pub = venue_in("Europe/Stockholm", weekly=[("18:00", "02:30")])
    assert hours.open_spans(pub, None, date(2026, 10, 24))[0].end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_always_open_days_follow_each_other_without_a_gap():
    for name in ZONES:
        venue = venue_in(name)
        days = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]
        spans = [hours.open_spans(venue, None, day)[0] for day in days]
        assert all(early.end == late.start for early, late in pairwise(spans))
        assert [hours.day_span(day, venue.tz) for day in days] == spans


def test_equal_hours_read_anew_share_what_was_worked_out():
    data = {"weekly": [{"days": DAYS, "open": "09:17", "close": "18:00"}]}
    first, again = Hours.model_validate(data), Hours.model_validate(data)

    tz, day = ZoneInfo("Europe/Stockholm"), date(2026, 5, 5)
    assert first is not again
    assert hours.openings(first, tz, day) is hours.openings(again, tz, day)
