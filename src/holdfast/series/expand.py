"""Expands a repeating booking into single ones. Pure except for new ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from holdfast.booking.deciding.prepare import asks_length, timed
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.opening.recurrence import Recurrence, check_horizon, occurrences
from holdfast.place.opening.slot import slot_span
from holdfast.place.venue import Venue

T = TypeVar("T")

OCCURRENCES_MAX = 366
PROBES_MAX = 2_000
"""The number of ledger probes in one statement, approximately."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesWanted:
    """A requested series. `first`: its first booking as requested; the recurrence starts at its time."""

    first: Wanted
    recurrence: Recurrence


@dataclass(frozen=True, slots=True)
class Planned:
    """One occurrence: its date on the venue's calendar, its span, and the booking wanted for it."""

    on: date
    span: Span
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Expanded:
    """All occurrences in order, and the wall time and duration that repeat."""

    local_start: datetime
    duration_minutes: int
    planned: list[Planned]


def expand(asked: SeriesWanted, venue: Venue, *, now: datetime) -> Expanded:
    """Returns all occurrences of the series. Each has the wall times of the first one, start and end; one whose start
    is skipped by the clock starts at the first instant after that. The dates of a slot are its opening days.

    Raises InvalidRequest, NonexistentLocalTime.
    """
    first = asked.first
    if venue.stay is not None:
        problem = "is not for venues that sell nights: book each stay on its own"
        raise InvalidRequest.of("rrule", asked.recurrence.text, problem)
    span, slot_id = timed(first.when, venue, party_size=first.party_size)
    local_start = hours.to_wall(span.start, venue.tz)
    local_end = local_start + span.duration if first.when.end is None else hours.to_wall(span.end, venue.tz)
    begins, length = local_start, local_end - local_start
    if slot_id is not None and first.when.day is not None:
        begins = datetime.combine(first.when.day, local_start.time())
        minutes = (each.minutes for each in venue.slots if each.id == slot_id)
        length = timedelta(minutes=next(minutes, 0)) or length
    check_horizon(asked.recurrence, local_start=begins, tz=venue.tz, horizon_from=now)
    found = occurrences(
        asked.recurrence, local_start=begins, local_end=begins + length, tz=venue.tz, whole=True
    )
    if len(found) > OCCURRENCES_MAX:
        raise InvalidRequest.of(
            "rrule",
            asked.recurrence.text,
            f"makes {len(found)} occurrences: at most {OCCURRENCES_MAX} can be booked at once",
        )
    planned = [_planned(first, on, each, slot_id, venue) for on, each in found]
    return Expanded(local_start, math.ceil(length / timedelta(minutes=1)), planned)


def _planned(first: Wanted, on: date, span: Span, slot_id: str | None, venue: Venue) -> Planned:
    """Returns the booking at another time. A slot stays the same slot, as it is on that day."""
    when = When(start=span.start, end=span.end)
    if slot_id is not None:
        when = When(day=on, slot_id=slot_id)
        with suppress(InvalidRequest):  # it does not run on that day: the occurrence is refused
            span = slot_span(venue, on, slot_id)
    return Planned(on, span, replace(first, id=new_id(), when=when, length_asked=asks_length(first)))


def in_parts(wanted: Sequence[T], probes_each: int) -> Iterator[Sequence[T]]:
    """Splits the items so that one part needs about PROBES_MAX ledger probes. `probes_each`: what one item needs."""
    size = max(1, PROBES_MAX // max(1, probes_each))
    for first in range(0, len(wanted), size):
        yield wanted[first : first + size]
