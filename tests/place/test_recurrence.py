"""What repeats: a subset of RFC 5545, expanded in wall time."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given
from hypothesis import strategies as st

from holdfast.kernel.errors import InvalidRequest
from holdfast.place.opening.hours import instant_of, to_wall
from holdfast.place.opening.recurrence import (
    OCCURRENCES_MAX,
    Occurrence,
    check_horizon,
    occurrences,
    parse,
)

wall = datetime.fromisoformat
STOCKHOLM = ZoneInfo("Europe/Stockholm")
MONDAY = wall("2027-03-01T09:00")
HOUR = timedelta(hours=1)


def expand(
    text: str, start: datetime = MONDAY, length: timedelta = HOUR, tz: ZoneInfo = STOCKHOLM
) -> list[Occurrence]:
    return occurrences(parse(text), local_start=start, local_end=start + length, tz=tz)


def days(text: str, start: datetime = MONDAY) -> list[str]:
    return [each.on.isoformat() for each in expand(text, start)]


def refusal(text: str) -> dict[str, object]:
    with pytest.raises(InvalidRequest) as refused:
        parse(text)
    [error] = refused.value.fields["errors"]
    return error


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=3"),
        ("RRULE:freq=weekly;byday=we,mo,we;count=2;interval=1", "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=2"),
        ("UNTIL=20271231;FREQ=MONTHLY;INTERVAL=2", "FREQ=MONTHLY;INTERVAL=2;UNTIL=20271231"),
        ("FREQ=DAILY;UNTIL=20270301T170000z", "FREQ=DAILY;UNTIL=20270301T170000Z"),
        ("FREQ=DAILY;COUNT=007", "FREQ=DAILY;COUNT=7"),
    ],
)
def test_a_rule_has_one_canonical_form(text: str, canonical: str) -> None:
    assert parse(text).text == canonical
    assert parse(canonical) == parse(text)


@pytest.mark.parametrize(
    ("text", "value", "problem"),
    [
        ("FREQ=YEARLY;COUNT=2", "FREQ=YEARLY", "DAILY, WEEKLY or MONTHLY"),
        ("COUNT=2", "COUNT=2", "FREQ is missing"),
        ("FREQ=DAILY", "FREQ=DAILY", "UNTIL or COUNT"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270301", "FREQ=DAILY;COUNT=2;UNTIL=20270301", "not both"),
        ("FREQ=DAILY;COUNT=0", "COUNT=0", "from 1 to"),
        ("FREQ=DAILY;COUNT=-1", "COUNT=-1", "from 1 to"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT=1000000000", "from 1 to 733"),
        ("FREQ=DAILY;COUNT=" + "9" * 150, "COUNT=" + "9" * 150, "from 1 to 733"),
        ("FREQ=DAILY;COUNT=٣", "COUNT=٣", "from 1 to 733"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=2", "INTERVAL=0", "from 1 to"),
        ("FREQ=DAILY;BYDAY=MO;COUNT=2", "BYDAY=MO", "only with FREQ=WEEKLY"),
        ("FREQ=MONTHLY;BYDAY=1MO;COUNT=2", "BYDAY=1MO", "only with FREQ=WEEKLY"),
        ("FREQ=WEEKLY;BYDAY=1MO;COUNT=2", "BYDAY=1MO", "MO, TU, WE"),
        ("FREQ=WEEKLY;BYDAY=MO,;COUNT=2", "BYDAY=MO,", "MO, TU, WE"),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2", "BYMONTHDAY=31", "not supported"),
        ("FREQ=DAILY;WKST=SU;COUNT=2", "WKST=SU", "not supported"),
        ("FREQ=DAILY;COUNT=2;COUNT=3", "COUNT=3", "twice"),
        ("FREQ=DAILY;UNTIL=2027-12-31", "UNTIL=2027-12-31", "20271231"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL=20270230", "20271231"),
        ("FREQ=DAILY;UNTIL=00000101", "UNTIL=00000101", "20271231"),
        ("FREQ=DAILY;COUNT=2;", "", "NAME=value"),
        ("every day", "EVERY DAY", "NAME=value"),
        ("", "", "NAME=value"),
    ],
)
def test_what_is_outside_the_subset_is_refused_by_name(text: str, value: str, problem: str) -> None:
    error = refusal(text)
    assert error["field"] == "rrule"
    assert error["value"] == value
    assert problem in str(error["problem"])


def test_a_text_without_end_is_refused() -> None:
    assert "longer than 200" in str(refusal("FREQ=DAILY;" * 1000)["problem"])


def test_without_a_recurrence_it_happens_once() -> None:
    [once] = occurrences(None, local_start=MONDAY, local_end=MONDAY + HOUR, tz=STOCKHOLM)
    assert once.on == date(2027, 3, 1)
    assert once.span == (datetime(2027, 3, 1, 8, tzinfo=UTC), datetime(2027, 3, 1, 9, tzinfo=UTC))


def test_months_that_lack_the_day_are_skipped() -> None:
    assert days("FREQ=MONTHLY;COUNT=4", wall("2027-01-31T09:00")) == [
        "2027-01-31", "2027-03-31", "2027-05-31", "2027-07-31",
    ]  # fmt: skip
    assert days("FREQ=MONTHLY;INTERVAL=12;COUNT=2", wall("2028-02-29T09:00")) == ["2028-02-29", "2032-02-29"]


def test_a_start_that_byday_leaves_out_is_no_occurrence_and_does_not_count() -> None:
    assert days("FREQ=WEEKLY;BYDAY=WE,FR;COUNT=3") == ["2027-03-03", "2027-03-05", "2027-03-10"]


def test_weeks_start_on_monday() -> None:
    sunday = wall("2027-03-07T09:00")
    assert days("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;COUNT=3", sunday) == [
        "2027-03-07", "2027-03-15", "2027-03-21",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270303", "2027-03-03"),  # through the end of that local day
        ("20270303T090000", "2027-03-03"),  # exactly then is still in time
        ("20270303T085959", "2027-03-02"),
        ("20270303T080000Z", "2027-03-03"),  # 09:00 in Stockholm
        ("20270303T075959Z", "2027-03-02"),
    ],
)
def test_until_is_a_day_a_local_time_or_an_instant(until: str, last: str) -> None:
    assert days(f"FREQ=DAILY;UNTIL={until}")[-1] == last


def test_until_as_an_instant_is_meant_in_every_zone() -> None:
    auckland = ZoneInfo("Pacific/Auckland")  # 13 hours ahead: the instant is the day before in UTC
    found = expand("FREQ=DAILY;UNTIL=20270302T200000Z", tz=auckland)
    assert [each.on.day for each in found] == [1, 2, 3]


def test_an_end_before_the_start_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"UNTIL=20270228 leaves no occurrence"):
        expand("FREQ=DAILY;UNTIL=20270228")


def test_occurrences_that_overlap_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"overlap.*2027-03-02T15:00:00.*2027-03-02T09:00:00"):
        expand("FREQ=DAILY;COUNT=2", length=timedelta(hours=30))
    assert len(expand("FREQ=DAILY;COUNT=40", length=timedelta(hours=24))) == 40


@pytest.mark.parametrize(
    ("zone", "start", "before", "after"),
    [
        ("Europe/Stockholm", wall("2027-03-27T09:00"), 8, 7),
        ("Europe/Stockholm", wall("2027-10-30T09:00"), 7, 8),
        ("America/New_York", wall("2027-03-13T09:00"), 14, 13),
        ("Australia/Lord_Howe", wall("2027-04-03T12:00"), 1, 1.5),  # half an hour of daylight saving
    ],
)
def test_the_wall_time_is_kept_when_clocks_change(
    zone: str, start: datetime, before: float, after: float
) -> None:
    tz = ZoneInfo(zone)
    one, _, other = expand("FREQ=DAILY;COUNT=3", start, tz=tz)
    assert one.span.start.hour + one.span.start.minute / 60 == before
    assert other.span.start.hour + other.span.start.minute / 60 == after
    assert to_wall(other.span.end, tz).time() == (start + HOUR).time()


def test_a_time_that_clocks_skip_or_repeat() -> None:
    skipped = expand("FREQ=DAILY;COUNT=3", wall("2027-03-27T02:30"), timedelta(minutes=45))
    assert [each.span.duration for each in skipped] == [timedelta(minutes=n) for n in (45, 15, 45)]
    wholly = expand("FREQ=DAILY;COUNT=3", wall("2027-03-27T02:10"), timedelta(minutes=30))
    assert [each.on.day for each in wholly] == [27, 29]
    repeated = expand("FREQ=DAILY;COUNT=3", wall("2027-10-30T02:30"), HOUR)
    assert [each.span.duration for each in repeated] == [HOUR, 2 * HOUR, HOUR]
    assert repeated[1].span.start == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)  # the first of the two


NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("FREQ=DAILY;UNTIL=20290302", "UNTIL=20290302"),
        ("FREQ=DAILY;UNTIL=99991231", "UNTIL=99991231"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "UNTIL=99991231T235959Z"),
        ("FREQ=WEEKLY;COUNT=106", "COUNT=106"),
        ("FREQ=MONTHLY;INTERVAL=733;COUNT=733", "COUNT=733"),
        ("FREQ=DAILY;INTERVAL=733;COUNT=2", "COUNT=2"),
    ],
)
def test_nothing_goes_beyond_two_years(text: str, named: str) -> None:
    began = time.process_time()
    with pytest.raises(InvalidRequest) as refused:
        check_horizon(parse(text), local_start=MONDAY, tz=STOCKHOLM, horizon_from=NOW)
    assert time.process_time() - began < 0.5
    assert refused.value.fields["errors"][0]["value"] == named
    assert "2029-03-01" in refused.value.detail


def test_two_years_to_the_day_are_allowed() -> None:
    rule, start = parse("FREQ=DAILY;UNTIL=20290301"), wall("2027-03-01T23:00")
    check_horizon(rule, local_start=start, tz=STOCKHOLM, horizon_from=NOW)
    assert len(expand(rule.text, start)) == 732


def test_a_start_beyond_two_years_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_horizon(None, local_start=wall("2029-03-02T00:00"), tz=STOCKHOLM, horizon_from=NOW)
    assert refused.value.fields["errors"][0]["field"] == "start"


def test_a_rule_that_began_long_ago_makes_no_endless_list() -> None:
    start = wall("2001-01-01T09:00")
    check_horizon(parse("FREQ=DAILY;UNTIL=20270301"), local_start=start, tz=STOCKHOLM, horizon_from=NOW)
    with pytest.raises(InvalidRequest, match=f"more than {OCCURRENCES_MAX} occurrences"):
        expand("FREQ=DAILY;UNTIL=20270301", start)


ZONES = st.sampled_from(
    [
        "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
        "America/Sao_Paulo", "Africa/Casablanca", "Asia/Tehran", "UTC",
    ]
)  # fmt: skip
STARTS = st.datetimes(wall("2025-01-01T00:00"), wall("2028-12-31T00:00")).map(
    lambda d: d.replace(microsecond=0)
)
WEEKDAYS = st.sets(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1)


@st.composite
def rules(draw: st.DrawFn, start: datetime) -> str:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY"]))
    parts = [f"FREQ={freq}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if freq == "WEEKLY" and draw(st.booleans()):
        parts.append(f"BYDAY={','.join(draw(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"COUNT={draw(st.integers(1, 60))}")
    else:
        last = start + timedelta(days=draw(st.integers(0, 500)))
        form = draw(st.sampled_from(["%Y%m%d", "%Y%m%dT%H%M%S"]))
        parts.append(f"UNTIL={last.strftime(form)}")
    return ";".join(parts)


@given(st.data(), STARTS, ZONES, st.integers(1, 24 * 60))
def test_it_is_what_dateutil_says_in_wall_time(
    data: st.DataObject, start: datetime, zone: str, minutes: int
) -> None:
    text, tz = data.draw(rules(start)), ZoneInfo(zone)
    # A date as UNTIL means the whole day here, its first instant to dateutil.
    told = ";".join(
        f"{part}T235959" if part.startswith("UNTIL=") and "T" not in part[6:] else part
        for part in text.split(";")
    )
    walls = list(rrulestr(told, dtstart=start))
    assume(walls)
    found = occurrences(parse(text), local_start=start, local_end=start + timedelta(minutes=minutes), tz=tz)
    expected = [(each, instant_of(each + timedelta(minutes=minutes), tz)) for each in walls]
    kept = [(each.date(), instant_of(each, tz), end) for each, end in expected if instant_of(each, tz) < end]
    assert [(each.on, *each.span) for each in found] == kept
    assert all(one.span.end <= other.span.start for one, other in pairwise(found))
