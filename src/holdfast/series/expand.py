"""Expands a repeating booking into single ones. Pure except for new ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from holdfast.booking.deciding.decide import timed
from holdfast.booking.deciding.wanted import Wanted, When
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening import hours
from holdfast.place.opening.recurrence import Recurrence, check_horizon, occurrences
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
    """Returns all occurrences of the series. Each has the wall times of the first one, start and end.

    Raises InvalidRequest, NonexistentLocalTime.
    """
    first = asked.first
    span, slot_id = timed(first.when, venue, party_size=first.party_size)
    local_start = hours.to_wall(span.start, venue.tz)
    local_end = local_start + span.duration if first.when.end is None else hours.to_wall(span.end, venue.tz)
    check_horizon(asked.recurrence, local_start=local_start, tz=venue.tz, horizon_from=now)
    found = occurrences(asked.recurrence, local_start=local_start, local_end=local_end, tz=venue.tz)
    if len(found) > OCCURRENCES_MAX:
        raise InvalidRequest.of(
            "rrule",
            asked.recurrence.text,
            f"makes {len(found)} occurrences: at most {OCCURRENCES_MAX} can be booked at once",
        )
    planned = [Planned(on, each, _at(first, on, each, slot_id)) for on, each in found]
    return Expanded(local_start, math.ceil((local_end - local_start) / timedelta(minutes=1)), planned)


def _at(first: Wanted, on: date, span: Span, slot_id: str | None) -> Wanted:
    """Returns the booking at another time. A slot stays the same slot, with the length it has on that day."""
    when = When(start=span.start, end=span.end) if slot_id is None else When(day=on, slot_id=slot_id)
    return replace(first, id=new_id(), when=when)


def in_parts(wanted: Sequence[T], probes_each: int) -> Iterator[Sequence[T]]:
    """Splits the items so that one part needs about PROBES_MAX ledger probes. `probes_each`: what one item needs."""
    size = max(1, PROBES_MAX // max(1, probes_each))
    for first in range(0, len(wanted), size):
        yield wanted[first : first + size]
