"""The bounds on how many guests and parties arrive in a part of the day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.opening.clock import day_span, instant_of, midnight_of, to_wall
from holdfast.place.opening.spans import DAY_MINUTES, DAYS, minutes_of
from holdfast.place.policies.pacing import PacingRule
from holdfast.place.venue import Venue

PACING_WINDOW = timedelta(minutes=15)
HALF_A_DAY = timedelta(hours=12)
"""Bookings of one slot on one opening day start less than this apart, even if the slot was moved meanwhile."""
REACH = timedelta(hours=48)
"""No window that counts for a start reaches further from it."""
WALK_IN = "walk_in"


class Window(NamedTuple):
    """What is counted together: bookings that start in the span, of one slot or any, from these sources or any."""

    span: Span
    slot_id: str | None = None
    sources: tuple[str, ...] = ()

    @property
    def sources_text(self) -> str | None:
        """The sources as PostgreSQL writes an array; None for any."""
        return f"{{{','.join(self.sources)}}}" if self.sources else None

    def holds(self, start: datetime, slot_id: str | None, source: str) -> bool:
        return (
            self.span.holds(start)
            and self.slot_id in (None, slot_id)
            and (not self.sources or source in self.sources)
        )


class Arrivals(NamedTuple):
    """How many arrive: guests, and parties."""

    covers: int = 0
    parties: int = 0

    def more(self, party_size: int) -> Arrivals:
        return Arrivals(self.covers + party_size, self.parties + 1)


NONE = Arrivals()


class Limit(NamedTuple):
    """A bound on a window. `rule`: None for the policy's `pacing_covers_max`."""

    window: Window
    covers_max: int | None
    parties_max: int | None
    rule: PacingRule | None


def is_paced(venue: Venue) -> bool:
    return venue.policy.pacing_covers_max is not None or bool(venue.policy.pacing)


def limits(venue: Venue, start: datetime, slot_id: str | None, source: str) -> Sequence[Limit]:
    """Returns the bounds that apply to a booking that starts then. Walk-ins are bound only by rules that name them."""
    policy = venue.policy
    if policy.pacing_covers_max is None and not policy.pacing:
        return ()
    found: list[Limit] = []
    if policy.pacing_covers_max is not None and source != WALK_IN:
        found.append(Limit(Window(quarter_of(start)), policy.pacing_covers_max, None, None))
    for rule in policy.pacing:
        if source in (rule.sources or (() if source == WALK_IN else (source,))):
            span = _span(venue, rule, start, slot_id)
            if span is not None:
                window = Window(span, slot_id if rule.slots else None, rule.sources or ())
                found.append(Limit(window, rule.covers_max, rule.parties_max, rule))
    return found


def quarter_of(start: datetime) -> Span:
    """Returns the clock quarter-hour in which the arrival counts."""
    begin = start - timedelta(minutes=start.minute % 15, seconds=start.second, microseconds=start.microsecond)
    return Span(begin, begin + PACING_WINDOW)


def _span(venue: Venue, rule: PacingRule, start: datetime, slot_id: str | None) -> Span | None:
    """Returns the span whose arrivals count by the rule; None if the start is not in the rule's part of the day."""
    if rule.slots and slot_id not in rule.slots:
        return None
    day = hours.opening_day(venue, None, start)
    if rule.days and DAYS[day.weekday()] not in rule.days:
        return None
    band = None
    if rule.start is not None or rule.end is not None:
        band = _band(venue, rule, start)
        if band is None:
            return None
    if rule.slots:
        return Span(start - HALF_A_DAY, start + HALF_A_DAY)
    if band is not None:
        return band
    opened = hours.open_spans(venue, None, day)
    whole = Span(opened[0].start, max(each.end for each in opened)) if opened else day_span(day, venue.tz)
    return whole if whole.holds(start) else day_span(day, venue.tz)


def _band(venue: Venue, rule: PacingRule, start: datetime) -> Span | None:
    first, last = minutes_of(rule.start or "00:00"), minutes_of(rule.end or "24:00")
    last += DAY_MINUTES if last <= first else 0
    wall = to_wall(start, venue.tz)
    midnight = midnight_of(wall.date())
    at = (wall - midnight) / timedelta(minutes=1)
    if at + DAY_MINUTES < last:  # the end of a band that began the day before
        midnight -= timedelta(days=1)
        at += DAY_MINUTES
    if not first <= at < last:
        return None
    instants = [instant_of(midnight + timedelta(minutes=each), venue.tz) for each in (first, last)]
    return Span(*instants)
