"""How many guests and parties may arrive in a part of the day. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from holdfast.booking.rules.suggestible import Suggestible
from holdfast.kernel.errors import Kind
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


class PacingExceeded(Suggestible):
    """Too many would arrive in that part of the day.

    Fields `covers_booked`, and of the quarter of an hour `pacing_covers_max`; of a rule `rule_exceeded` (the rule),
    `covers_max`, `parties_max`, `parties_booked`.
    """

    kind = Kind.INVALID
    code = "PACING_EXCEEDED"


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


def check_limit(venue: Venue, limit: Limit, *, party_size: int, arrivals: Arrivals) -> None:
    """Raises PacingExceeded if the party would exceed the bound. `arrivals`: those already booked."""
    covers, parties = arrivals.more(party_size)
    too_many = limit.covers_max is not None and covers > limit.covers_max
    if not too_many and (limit.parties_max is None or parties <= limit.parties_max):
        return
    begin, end = (each.astimezone(venue.tz).isoformat(timespec="minutes") for each in limit.window.span)
    if limit.rule is None:
        raise PacingExceeded(
            f"{arrivals.covers} guests already arrive in the quarter of an hour from "
            f"{begin}; with {party_size} more it would be over {limit.covers_max}.",
            pacing_covers_max=limit.covers_max,
            covers_booked=arrivals.covers,
        )
    when = f"in the slot {limit.window.slot_id}" if limit.rule.slots else f"from {begin} to {end}"
    by = f" booked by {' or '.join(limit.window.sources)}" if limit.window.sources else ""
    if too_many:
        said = f"{arrivals.covers} guests{by} already arrive {when}; with {party_size} more it would be over "
        said += f"{limit.covers_max}."
    else:
        said = f"{arrivals.parties} parties{by} already arrive {when}, which is all that may: {limit.parties_max}."
    raise PacingExceeded(
        said,
        rule_exceeded=limit.rule.model_dump(mode="json", exclude_none=True),
        covers_max=limit.covers_max,
        parties_max=limit.parties_max,
        covers_booked=arrivals.covers,
        parties_booked=arrivals.parties,
    )


class ArrivalRow(NamedTuple):
    """Bookings that start at the same time, of the same slot and source."""

    start: datetime
    slot_id: str | None
    source: str
    covers: int
    parties: int


@dataclass(slots=True)
class Arrived:
    """The arrivals around some time, for counting many windows."""

    rows: list[ArrivalRow] = field(default_factory=list[ArrivalRow])
    _counted: dict[Window, Arrivals] = field(default_factory=dict[Window, Arrivals])
    _sorted: bool = False

    @classmethod
    def of(cls, rows: Iterable[Any]) -> Arrived:
        names = ArrivalRow._fields
        return cls([ArrivalRow(*(row[name] for name in names)) for row in rows])

    def count(self, window: Window) -> Arrivals:
        """Returns how many arrive in the window."""
        found = self._counted.get(window)
        if found is None:
            if not self._sorted:
                self.rows.sort(key=lambda each: each.start)
                self._sorted = True
            first = bisect_left(self.rows, window.span.start, key=lambda each: each.start)
            last = bisect_left(self.rows, window.span.end, key=lambda each: each.start)
            counted = [
                each for each in self.rows[first:last] if window.holds(each.start, each.slot_id, each.source)
            ]
            found = Arrivals(sum(each.covers for each in counted), sum(each.parties for each in counted))
            self._counted[window] = found
        return found

    def add(self, start: datetime, slot_id: str | None, source: str, party_size: int) -> None:
        """Counts a booking that is about to be made."""
        self.rows.append(ArrivalRow(start, slot_id, source, party_size, 1))
        self._sorted = False
        self._counted.clear()

    def parties_left(
        self, venue: Venue, start: datetime, *, slot_id: str | None, source: str, party_size: int
    ) -> int | None:
        """Returns how many more parties of that size may arrive then; None if any number may."""
        left = list[int]()
        for limit in limits(venue, start, slot_id, source):
            covers, parties = self.count(limit.window)
            if limit.covers_max is not None:
                left.append((limit.covers_max - covers) // party_size)
            if limit.parties_max is not None:
                left.append(limit.parties_max - parties)
        return min(left, default=None)

    def check(
        self, venue: Venue, start: datetime, *, slot_id: str | None, source: str, party_size: int
    ) -> None:
        """Raises PacingExceeded if the party would exceed a bound that applies to it."""
        for limit in limits(venue, start, slot_id, source):
            check_limit(venue, limit, party_size=party_size, arrivals=self.count(limit.window))
