from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import InvalidRequest
from holdfast.replay.plan import ReplayPlan, plan_replay, stay_span
from holdfast.replay.stay import BadRow, Stay

from .first_fit import first_fit
from .hotel_data import needs_data
from .rows import stay

JULY_1, JULY_11, JULY_14 = date(2015, 7, 1), date(2015, 7, 11), date(2015, 7, 14)


def plan(*stays: Stay) -> ReplayPlan:
    return plan_replay(stays)


def happenings(one: Stay) -> list[tuple[str, str]]:
    """The actions of a stay as (kind, instant UTC); Lisbon is one hour ahead in July."""
    return [(action.kind, f"{action.at:%m-%d %H:%M}") for action in plan(one).actions]


def test_a_completed_stay_is_made_checked_in_and_out_in_venue_time() -> None:
    assert happenings(stay()) == [
        ("create", "07-01 11:00"),
        ("check_in", "07-11 14:00"),
        ("check_out", "07-14 10:00"),
    ]
    assert stay_span(stay()) == (
        datetime(2015, 7, 11, 14, tzinfo=UTC),
        datetime(2015, 7, 14, 10, tzinfo=UTC),
    )


def test_a_winter_stay_is_in_winter_time() -> None:
    winter = stay(
        booked_on=JULY_1,
        arrival_on=date(2015, 12, 1),
        departure_on=date(2015, 12, 2),
        ended_on=date(2015, 12, 2),
    )
    assert happenings(winter)[1:] == [("check_in", "12-01 15:00"), ("check_out", "12-02 11:00")]


@pytest.mark.parametrize(
    ("outcome", "ended_on", "last"),
    [
        ("completed", date(2015, 7, 12), ("check_out", "07-12 10:00")),
        ("completed", JULY_11, ("check_out", "07-11 17:00")),
        ("completed", date(2015, 7, 20), ("check_out", "07-14 10:00")),
        ("cancelled", JULY_1, ("cancel", "07-01 13:00")),
        ("cancelled", JULY_11, ("cancel", "07-11 13:00")),
        ("cancelled", date(2015, 7, 12), ("cancel", "07-12 13:00")),
        ("cancelled", JULY_14, ("cancel", "07-14 10:00")),
        ("no_show", JULY_11, ("no_show", "07-11 22:00")),
        ("no_show", date(2015, 7, 2), ("no_show", "07-11 22:00")),
        ("no_show", date(2015, 8, 1), ("no_show", "07-14 10:00")),
    ],
)
def test_a_stay_ends_when_the_file_says_within_what_can_be(
    outcome: str, ended_on: date, last: tuple[str, str]
) -> None:
    assert happenings(stay(outcome=outcome, ended_on=ended_on))[-1] == last


def test_on_one_day_check_outs_come_first_and_cancellations_after_bookings() -> None:
    leaving = stay(2)
    booking = stay(3, booked_on=JULY_14, arrival_on=JULY_14, departure_on=date(2015, 7, 15))
    cancelling = replace(booking, line=4, outcome="cancelled")
    staying_away = stay(5, arrival_on=JULY_14, departure_on=date(2015, 7, 16), outcome="no_show")
    day = [
        (action.kind, action.stay.line)
        for action in plan(staying_away, cancelling, booking, leaving).actions
        if action.at.date() == JULY_14
    ]
    # Line 3 leaves on the day it came (its status date is 14 July too).
    assert day == [
        ("check_out", 2),
        ("create", 3),
        ("create", 4),
        ("cancel", 4),
        ("check_in", 3),
        ("check_out", 3),
        ("no_show", 5),
    ]


def test_rooms_are_the_peak_of_booked_nights_of_those_who_stayed() -> None:
    after = {"arrival_on": JULY_14, "departure_on": date(2015, 7, 15), "ended_on": date(2015, 7, 15)}
    hotels = plan(
        stay(2),
        stay(3, ended_on=date(2015, 7, 12)),  # left early, yet was promised all nights
        stay(4, **after),  # arrives as they leave: no third room
        stay(5, outcome="cancelled", ended_on=JULY_1),
        stay(6, outcome="no_show"),
        stay(7, room_type="B", outcome="no_show"),
        stay(8, hotel="Resort Hotel", room_type="C"),
    ).hotels
    assert {name: hotel.room_types for name, hotel in hotels.items()} == {
        "City Hotel": {"A": 2, "B": 0},
        "Resort Hotel": {"C": 1},
    }
    assert (hotels["City Hotel"].slug, hotels["City Hotel"].rooms) == ("city-hotel", 2)


def test_slugs_are_plain_and_differ() -> None:
    names = ["Café Ótimo", "Cafe Otimo!", "Café-Otimo", "東京", "x" * 90]
    hotels = plan(*(stay(line, hotel=name) for line, name in enumerate(names, 2))).hotels
    slugs = [hotels[name].slug for name in names]
    assert sorted(slugs) == ["cafe-otimo", "cafe-otimo-2", "cafe-otimo-3", "hotel", "x" * 40]


def test_the_plan_says_what_the_venues_must_allow() -> None:
    oddity = "a party of 0, taken as one guest"
    found = plan(stay(2, oddities=(oddity,)), stay(3, party_size=55, oddities=(oddity,)))
    assert (found.lead_days_max, found.nights_max, found.party_max) == (10, 3, 55)
    assert found.oddities == {oddity: 2}
    assert plan() == ReplayPlan({}, (), (), 0, 0, 0, {})


def test_too_many_hotels_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="more than 100 hotels"):
        plan(*(stay(line, hotel=f"Hotel {line}") for line in range(2, 103)))


@st.composite
def stays(draw: st.DrawFn) -> Stay:
    booked, lead, nights = draw(st.integers(0, 400)), draw(st.integers(0, 30)), draw(st.integers(1, 9))
    outcome = draw(st.sampled_from(["completed", "cancelled", "no_show"]))
    earliest = booked + lead if outcome == "completed" else booked
    day = date(2015, 1, 1).toordinal()
    return stay(
        draw(st.integers(2, 10**6)),
        booked_on=date.fromordinal(day + booked),
        arrival_on=date.fromordinal(day + booked + lead),
        departure_on=date.fromordinal(day + booked + lead + nights),
        outcome=outcome,
        ended_on=date.fromordinal(day + draw(st.integers(earliest, booked + lead + nights + 5))),
    )


@given(st.lists(stays(), max_size=12, unique_by=lambda one: one.line))
def test_time_never_runs_back_and_each_stay_has_a_legal_life(drawn: list[Stay]) -> None:
    actions = plan(*drawn).actions
    assert all(a.at <= b.at for a, b in pairwise(actions))
    lives = {"completed": ["create", "check_in", "check_out"], "cancelled": ["create", "cancel"]}
    for one in drawn:
        mine = [action for action in actions if action.stay == one]
        start, end = stay_span(one)
        assert [action.kind for action in mine] == lives.get(one.outcome, ["create", "no_show"])
        assert mine[0].at < min(start, mine[-1].at)
        assert mine[-1].at <= end
        assert one.outcome == "cancelled" or mine[-1].at > start


@given(st.lists(stays(), max_size=12, unique_by=lambda one: one.line))
def test_actions_of_one_instant_and_kind_stand_together(drawn: list[Stay]) -> None:
    sets = [key for key, _ in groupby(plan(*drawn).actions, key=lambda action: (action.at, action.kind))]
    assert len(sets) == len(set(sets))


@given(st.lists(stays(), max_size=12, unique_by=lambda one: one.line))
def test_whoever_stayed_fits_when_nobody_else_books(drawn: list[Stay]) -> None:
    """What the number of rooms promises: by arrival (not by lead time) first fit places all of them."""
    came = sorted((one for one in drawn if one.outcome == "completed"), key=lambda one: one.arrival_on)
    everything = plan(*drawn)
    creations = [action for action in everything.actions if action.kind == "create"]
    by_arrival = [next(action for action in creations if action.stay == one) for one in came]
    assert first_fit(everything.hotels, by_arrival).refused == []


@needs_data
def test_first_fit_accepts_98_2_percent_of_the_real_file(real_file: list[Stay | BadRow]) -> None:
    """What docs/replay.md says of all of it. That the engine does the same with it, `make soak` sees."""
    bad = Counter(row.problem for row in real_file if isinstance(row, BadRow))
    found = plan(*(row for row in real_file if isinstance(row, Stay)))
    fitted = first_fit(found.hotels, found.actions)
    assert bad == {"a stay of 0 nights": 90}
    assert {hotel.slug: hotel.rooms for hotel in found.hotels.values()} == {
        "city-hotel": 250,
        "resort-hotel": 185,
    }
    assert (len(fitted.room_of), len(fitted.refused), len(fitted.refused_but_stayed)) == (14_583, 265, 77)
    kinds = Counter(action.kind for action in found.actions if action.stay.line in fitted.room_of)
    assert kinds == {
        "create": 14_583,
        "cancel": 7_607,
        "check_in": 6_773,
        "check_out": 6_773,
        "no_show": 203,
    }
