"""Stays in wall time, over every transition of 30 zones."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.span import Span
from holdfast.place.opening.clock import to_wall
from holdfast.place.opening.stay import (
    ArrivalRule,
    Nights,
    StayTimes,
    arrival_of,
    count_of,
    minutes_of_nights,
    nights_of,
    span_of,
)

from .test_hours_dst import Transition
from .test_wall_times import CHANGES, first_shown, on_clock

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CLOCKS = st.integers(0, 1439).map(lambda minutes: f"{minutes // 60:02}:{minutes % 60:02}")
STAYS = st.tuples(CLOCKS, CLOCKS).map(lambda pair: StayTimes(check_in=max(pair), check_out=min(pair)))
NIGHTS = st.integers(1, 9)


@given(st.sampled_from(CHANGES), STAYS, st.integers(-4, 2), NIGHTS)
def test_a_stay_keeps_its_wall_times(
    one: tuple[str, Transition], stay: StayTimes, offset: int, count: int
) -> None:
    zone, change = one
    nights = Nights(on_clock(change.at, change).date() + offset * DAY, count)
    span = span_of(stay, nights, ZoneInfo(zone))
    assert span == (
        first_shown(datetime.combine(nights.arrival, time.fromisoformat(stay.check_in)), change),
        first_shown(datetime.combine(nights.departure, time.fromisoformat(stay.check_out)), change),
    )
    assert list(nights.dates()) == [nights.arrival + DAY * n for n in range(count)]
    assert count_of(stay, (span.end - span.start) // MINUTE) == count or stay.gap > DAY - timedelta(hours=3)
    assert count_of(stay, minutes_of_nights(stay, count)) == count
    assert nights_of(stay, span, ZoneInfo(zone)) == nights


@given(
    STAYS, st.dates(date(2026, 1, 1), date(2027, 1, 1)), NIGHTS, st.integers(0, 1439), st.integers(0, 1439)
)
def test_the_nights_of_a_span_are_those_it_touches(
    stay: StayTimes, arrival: date, count: int, late: int, early: int
) -> None:
    tz = ZoneInfo("UTC")
    nights = Nights(arrival, count)
    whole = span_of(stay, nights, tz)
    assert nights_of(stay, whole, tz) == nights
    # Who comes later on the first night and leaves earlier on the last one has had the same nights.
    span = Span(whole.start + late * MINUTE, whole.end - early * MINUTE)
    first, last = span_of(stay, Nights(arrival, 1), tz), span_of(stay, Nights(nights.departure - DAY, 1), tz)
    if first.holds(span.start) and last.start < span.end and span.start < span.end:
        assert nights_of(stay, span, tz) == nights


@given(STAYS, st.dates(date(2026, 1, 2), date(2026, 12, 1)), st.times())
def test_whoever_comes_has_the_night_under_way_or_the_next_one(stay: StayTimes, day: date, at: time) -> None:
    tz = ZoneInfo("Europe/Stockholm")
    instant = datetime.combine(day, at, tz).astimezone(ZoneInfo("UTC"))
    night = span_of(stay, Nights(arrival_of(stay, instant, tz), 1), tz)
    assert instant < night.end
    before = span_of(stay, Nights(arrival_of(stay, instant, tz) - DAY, 1), tz)
    assert before.end <= instant
    assert to_wall(night.start, tz).date() >= to_wall(instant, tz).date() - DAY


def test_dates_of_rules_are_both_included() -> None:
    rule = ArrivalRule.model_validate({"from": date(2027, 1, 2), "to": date(2027, 1, 3)})
    covered = [day for day in range(1, 6) if rule.covers(date(2027, 1, day))]
    assert covered == [2, 3]
    assert ArrivalRule().covers(date.min)
    assert ArrivalRule.model_validate({"to": date(2027, 1, 3)}).covers(date(2026, 1, 1))
