"""The occurrences of a series that can't be booked or changed, and the refusal that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.finding.look import look
from holdfast.booking.finding.search import Outlook, Sets
from holdfast.booking.finding.suggest import suggest_from
from holdfast.booking.states import InvalidTransition
from holdfast.booking.wanted import Wanted
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.span import Span
from holdfast.place.venue import Venue
from holdfast.planning import Read
from holdfast.series.model import Member, OnConflict

SUGGESTED_MAX = 60
"""The number of refused occurrences that get suggestions; the others are listed without."""


@dataclass(frozen=True, slots=True)
class Missed:
    """An occurrence that can't be booked or changed, and why. `booking_id`: the booking that stays as it is."""

    on: date
    span: Span
    error: HoldfastError
    booking_id: UUID | None = None

    def as_json(self, venue: Venue) -> dict[str, Any]:
        """Returns an `OccurrenceShown` that is not free."""
        return occurrence_json(self.on, self.span, venue, error=self.error) | (
            {} if self.booking_id is None else {"booking_id": str(self.booking_id)}
        )


class SeriesRefused(HoldfastError):
    """Some occurrences were refused, so nothing was done.

    Its kind, code and fields are those of the first refused occurrence. Field `occurrences`: all refused
    occurrences, each with its own.
    """

    def __init__(self, missed: Sequence[Missed], *, of: int, venue: Venue) -> None:
        first = missed[0].error
        self.kind, self.code, self.type_code = first.kind, first.code, first.type_code
        self.missed = missed
        many = f"{len(missed)} of {of} occurrences" if len(missed) > 1 else f"1 of {of} occurrences"
        super().__init__(
            f"{many} would be refused, so nothing was done. The first is on {missed[0].on}: {first.detail}",
            **{**first.fields, "occurrences": [each.as_json(venue) for each in missed]},
        )

    @property
    def passes_by_itself(self) -> bool:
        return self.missed[0].error.passes_by_itself

    def suggesting(self, venue: Venue) -> SeriesRefused:
        """Returns itself, with the suggestions that the missed occurrences have got since."""
        first = self.missed[0].error.fields
        self.fields |= {name: first[name] for name in ("suggested_slots",) if name in first}
        self.fields["occurrences"] = [each.as_json(venue) for each in self.missed]
        return self


def check_missed(missed: Sequence[Missed], *, of: int, on_conflict: OnConflict, venue: Venue) -> None:
    """Raises SeriesRefused if any occurrence is missed and `on_conflict` is refuse, or if all are missed."""
    if missed and (on_conflict is OnConflict.REFUSE or len(missed) == of):
        raise SeriesRefused(missed, of=of, venue=venue)


def occurrence_json(
    on: date,
    span: Span,
    venue: Venue,
    *,
    resource_ids: Sequence[UUID] = (),
    error: HoldfastError | None = None,
) -> dict[str, Any]:
    """Returns an `OccurrenceShown`: free on these resources, or not free because of the error."""
    fields = {} if error is None else error.fields
    return {
        "occurrence_on": on.isoformat(),
        "start": span.start.astimezone(venue.tz).isoformat(),
        "end": span.end.astimezone(venue.tz).isoformat(),
        "free": error is None,
        "resource_ids": [str(each) for each in resource_ids],
        "conflicts": fields.get("conflicts", []),
        "suggested_slots": fields.get("suggested_slots", []),
        "problem": None if error is None else {"code": error.code, "detail": error.detail},
    }


async def suggest_all(read: Read, missed: Sequence[Missed], venue: Venue) -> None:
    """Fills in the `suggested_slots` of the first SUGGESTED_MAX occurrences whose place is taken."""
    found = [each.error for each in missed if isinstance(each.error, NotAvailable)]
    for error in found[:SUGGESTED_MAX]:
        if error.wanted is not None:
            looking = partial(_look, read, venue, error.wanted.wanted)
            error.fields["suggested_slots"] = await suggest_from(looking, error.wanted)


async def _look(read: Read, venue: Venue, wanted: Wanted, sets: Sets, around: Span) -> Outlook:
    return await read(look, venue, sets, around, wanted.asker, is_type=wanted.is_of_type)


def unchangeable(member: Member, venue: Venue) -> Missed:
    """Describes a booking that is over, under way, cancelled or expired, and so stays as it is."""
    booking = member.booking
    error = InvalidTransition(
        f"The booking on {member.on} is {booking.status} and starts at "
        f"{booking.start_at.astimezone(venue.tz).isoformat(timespec='minutes')}, so a change of the series skips it."
    )
    return Missed(member.on, booking.span, error, booking.id)
