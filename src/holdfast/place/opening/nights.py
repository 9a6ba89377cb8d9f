"""Which stays a venue takes: how many nights, and when they arrive and depart. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from holdfast.place.opening.spans import DAYS
from holdfast.place.opening.stay import NIGHTS_LIMIT, Nights
from holdfast.place.venue import Venue

LOOKED_AHEAD_DAYS = 62
"""How far to look for the next date on which stays arrive or depart."""
_DAY = timedelta(days=1)
SHORTEST_REACHES_MAX = (NIGHTS_LIMIT - 1 + LOOKED_AHEAD_DAYS) * _DAY
"""The most that `shortest_reaches` is at any venue."""


def nights_allowed(venue: Venue, arrival: date) -> tuple[int, int]:
    """Returns how many nights a stay that arrives on that date has at least and at most."""
    policy = venue.policy
    rules = [each for each in policy.arrival_rules if each.covers(arrival)]
    least = max([policy.nights_min, *(each.nights_min for each in rules if each.nights_min is not None)])
    most = [longest(venue), *(each.nights_max for each in rules if each.nights_max is not None)]
    return least, min(most)


def longest(venue: Venue) -> int:
    """Returns the most nights of any stay at the venue."""
    policy = venue.policy
    by_minutes = max(policy.duration_minutes_max // (24 * 60), 1)
    return min(policy.nights_max or NIGHTS_LIMIT, by_minutes)


def is_closed(venue: Venue, day: date, *, to: str) -> bool:
    """Returns whether no stay may arrive on, or depart from, that date. `to`: "arrival" or "departure"."""
    weekday = DAYS[day.weekday()]
    return any(
        weekday in (each.closed_to_arrival if to == "arrival" else each.closed_to_departure)
        for each in venue.policy.arrival_rules
        if each.covers(day)
    )


def shortest(venue: Venue, arrival: date) -> Nights | None:
    """Returns the shortest stay that may arrive on that date; None if none may. Of what is closed to departure it looks
    LOOKED_AHEAD_DAYS ahead."""
    if is_closed(venue, arrival, to="arrival"):
        return None
    least, most = nights_allowed(venue, arrival)
    for count in range(least, min(most, least + LOOKED_AHEAD_DAYS) + 1):
        nights = Nights(arrival, count)
        if not is_closed(venue, nights.departure, to="departure"):
            return nights
    return None


def shortest_reaches(venue: Venue) -> timedelta:
    """Returns how much longer than a night the shortest stay of any date can be, at most."""
    policy = venue.policy
    rules = policy.arrival_rules if venue.stay is not None else ()
    least = max([policy.nights_min, *(each.nights_min or 1 for each in rules)])
    ahead = LOOKED_AHEAD_DAYS if any(each.closed_to_departure for each in rules) else 0
    return (least - 1 + ahead) * _DAY if venue.stay is not None else timedelta()
