"""The venue's rules on nights: which are sold, how many, and when stays arrive and depart. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from holdfast.booking.rules.override import Overruled, check_rule
from holdfast.booking.rules.times import Choices, OutsideOpeningHours
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.place.opening import hours, opened
from holdfast.place.opening.nights import LOOKED_AHEAD_DAYS, is_closed, nights_allowed
from holdfast.place.opening.stay import Nights, StayTimes, check_in_on, check_out_on, nights_of
from holdfast.place.venue import Venue

STAY_RULE = "STAY_NOT_ALLOWED"
"""What staff name to overrule these. The refusals are an INVALID_REQUEST like that of any value out of range."""
DAY = timedelta(days=1)


class NightsNotAllowed(InvalidRequest):
    """The venue takes no stays of so many nights then. Fields `errors`, `rule`, `nights_min`, `nights_max`."""


class ClosedToArrival(InvalidRequest):
    """No stay arrives on that date. Fields `errors`, `rule`, `next_arrival` (a date; null: none within 62 days)."""


class ClosedToDeparture(InvalidRequest):
    """No stay departs on that date. Fields `errors`, `rule`, `next_departure` (a date; null: none within 62 days)."""


def stay_at(venue: Venue) -> StayTimes:
    """Returns when guests come and go at a venue that sells nights."""
    assert venue.stay is not None
    return venue.stay


def check_stay(
    venue: Venue,
    choices: Choices,
    span: Span,
    *,
    now: datetime,
    over: Overruled | None,
    notice: Callable[..., None] | None,
    nights: Nights | None = None,
    kept: Nights | None = None,
    is_staff: bool = False,
) -> None:
    """Checks the nights of a stay. `notice`: the rule on notice; None if it does not matter. `nights`, `kept`,
    `is_staff`: as `stay_facts` has them. Raises OutsideOpeningHours, and what `notice` and `check_nights` raise, unless
    `over` overrules them."""
    nights = nights or nights_of(stay_at(venue), span, venue.tz)
    first = first_night(venue, nights)
    # A night is sold until it is over; with notice, guests can't book one that has begun.
    late = first.holds(now) and (is_staff or not venue.policy.min_notice_minutes)
    if notice is not None:
        begins = Span(now if late else first.start, first.end)
        check_rule(over, notice, venue, choices, begins, now=now, late=late)
    check_rule(over, _check_sold, venue, choices, nights)
    check_rule(over, check_nights, venue, nights, was=kept)


def _check_sold(venue: Venue, choices: Choices, nights: Nights) -> None:
    if any(all(hours.sells(venue, own, nights) for own in opened.hours_of(each)) for each in choices):
        return
    resources = [each for resource in choices[0] for each in resource.must_open]
    closed = next((each for each in resources if not hours.sells(venue, each.hours, nights)), None)
    own = None if closed is None else closed.hours
    day = next(day for day in nights.dates() if not hours.sells(venue, own, Nights(day, 1)))
    what = closed.name if closed is not None and own is not None and len(choices) == 1 else venue.name
    raise OutsideOpeningHours(
        f"{what} sells no night on {day}: choose nights before or after it.",
        opening_hours=[],
        closed_on=str(day),
    )


def check_nights(venue: Venue, nights: Nights, *, was: Nights | None = None) -> None:
    """Checks the nights against the venue's rules, as far as they differ from those that it `was` before a change.

    Raises NightsNotAllowed, ClosedToArrival, ClosedToDeparture.
    """
    if was is None or nights.arrival != was.arrival:
        _check_open(venue, nights.arrival, "arrival")
    if was is None or nights.departure != was.departure:
        _check_open(venue, nights.departure, "departure")
    if nights != was:
        least, most = nights_allowed(venue, nights.arrival)
        if not least <= nights.count <= most:
            raise wrong_count(nights, least, most)


def _check_open(venue: Venue, day: date, to: str) -> None:
    if not is_closed(venue, day, to=to):
        return
    after = (day + DAY * number for number in range(1, LOOKED_AHEAD_DAYS + 1))
    following = next((each for each in after if not is_closed(venue, each, to=to)), None)
    problem = f"must not be {day}: no stay {'arrives' if to == 'arrival' else 'departs'} on that date"
    problem += f", the next is {following}" if following is not None else ""
    kind = ClosedToArrival if to == "arrival" else ClosedToDeparture
    errors = [{"field": to, "value": str(day), "problem": problem}]
    raise kind(
        f"{to}: {problem}", errors=errors, rule=STAY_RULE, **{f"next_{to}": following and str(following)}
    )


def wrong_count(nights: Nights, least: int, most: int) -> NightsNotAllowed:
    """Returns the refusal. `least`, `most`: how many nights are allowed."""
    if nights.count < least:
        problem = f"must be at least {least} for an arrival on {nights.arrival}"
    else:
        problem = f"must be at most {most} for an arrival on {nights.arrival}"
    errors = [{"field": "nights", "value": nights.count, "problem": problem}]
    return NightsNotAllowed(
        f"nights: {problem}", errors=errors, rule=STAY_RULE, nights_min=least, nights_max=most
    )


def first_night(venue: Venue, nights: Nights) -> Span:
    """Returns the first night from check-in to check-out."""
    stay = stay_at(venue)
    return Span(
        check_in_on(stay, nights.arrival, venue.tz), check_out_on(stay, nights.arrival + DAY, venue.tz)
    )
