"""Many starts at once: as each alone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.place.opening import hours
from holdfast.place.opening.open_bits import aligned_bits, open_bits
from holdfast.place.opening.spans import DAYS, Hours
from holdfast.place.venue import Venue

from .test_hours import venue_with

# In Berlin the clocks change on 29 March and on 25 October 2026; in Samoa 30 December 2011 was left out.
AROUND = st.sampled_from([date(2026, 3, 28), date(2026, 10, 24), date(2026, 6, 5), date(2011, 12, 29)])
ZONES = st.sampled_from(["Europe/Berlin", "Pacific/Apia", "UTC", "America/St_Johns"])
MINUTES = st.sampled_from([1, 15, 60, 90, 719, 1439, 1440, 1441, 2880, 5000])


@st.composite
def openings(draw: Any) -> Hours:
    """Up to two openings on some days of the week, some past midnight, and dates with others or none."""

    def clock(minute: int) -> str:
        return f"{minute // 60:02}:{minute % 60:02}"

    first, second = draw(st.integers(0, 700)), draw(st.integers(720, 1439))
    spans = [
        {"open": clock(first), "close": clock(draw(st.integers(first + 1, 719)))},
        {
            "open": clock(second),
            "close": draw(st.sampled_from(["24:00", clock(first), clock(min(second + 5, 1439))])),
        },
    ]
    if spans[1]["close"] == spans[1]["open"]:
        spans[1]["close"] = "24:00"
    days = draw(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True))
    day = draw(AROUND)
    exceptions = draw(
        st.sampled_from(
            [
                [],
                [{"date": str(day), "closed": True}],
                [{"date": str(day), "spans": [{"open": "00:00", "close": "24:00"}]}],
            ]
        )
    )
    weekly = [{"days": days, **each} for each in draw(st.sampled_from([spans, spans[:1], spans[1:]]))]
    return Hours.model_validate({"weekly": weekly, "exceptions": exceptions})


def times_from(venue: Venue, day: date, minutes: list[int]) -> list[datetime]:
    midnight = datetime.combine(day, time(), venue.tz).astimezone(UTC)
    return [midnight + timedelta(minutes=each) for each in sorted(minutes)]


MANY = st.lists(st.integers(-1440, 4 * 1440), min_size=1, max_size=60)


@given(ZONES, openings(), AROUND, MANY, MINUTES)
def test_open_is_what_is_open_for_each(
    zone: str, own: Hours, day: date, minutes: list[int], length: int
) -> None:
    venue = venue_with(timezone=zone)
    times, stay = times_from(venue, day, minutes), timedelta(minutes=length)
    found = open_bits(venue, own, times, stay)
    assert [bool(found >> place & 1) for place in range(len(times))] == [
        hours.is_open(venue, own, start, start + stay) for start in times
    ]
    assert found < 1 << len(times)


@given(ZONES, openings(), AROUND, MANY, st.sampled_from([1, 7, 15, 60]))
def test_aligned_is_what_is_aligned_for_each_that_is_open(
    zone: str, own: Hours, day: date, minutes: list[int], step: int
) -> None:
    venue = venue_with(timezone=zone, policy={"slot_step_minutes": step})
    times = times_from(venue, day, minutes)
    found = aligned_bits(venue, own, times)
    moment = timedelta(microseconds=1)
    assert [bool(found >> place & 1) for place in range(len(times))] == [
        hours.is_open(venue, own, start, start + moment) and hours.aligned(venue, own, start)
        for start in times
    ]


@given(ZONES, openings(), AROUND, st.integers(-3, 3), MINUTES)
def test_starts_of_a_day_are_those_from_which_it_is_open(
    zone: str, own: Hours, around: date, days: int, length: int
) -> None:
    venue, day = venue_with(timezone=zone, policy={"slot_step_minutes": 30}), around + timedelta(days=days)
    stay = timedelta(minutes=length)
    assert hours.starts_of_day(venue, own, day, duration_minutes=length) == [
        start
        for start in hours.steps(own, venue.tz, day, 30)
        if hours.is_open(venue, own, start, start + stay)
    ]
