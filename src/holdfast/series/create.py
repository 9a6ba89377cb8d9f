"""Creating a series: all its bookings in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from holdfast.booking.conflicts import lost
from holdfast.booking.create import Booked, create
from holdfast.booking.decide import Refused
from holdfast.booking.errors import NotAvailable
from holdfast.booking.model import Booking
from holdfast.booking.suggest import suggest
from holdfast.booking.wanted import When
from holdfast.event.emit import emit
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place import hours
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.series import model, store
from holdfast.series.model import Member, OnConflict, Series, SeriesDone
from holdfast.series.plan import Asked, Plan, Planned, in_sets, plan
from holdfast.series.refused import Missed, SeriesRefused

ALTERNATIVES_MAX = 60
"""For so many occurrences another time is looked for while the venue's lock is held; the others are skipped."""
TAKEN_ANEW = "The same reference was drawn twice. Try again with the same key."
"""A day has 729 million of them."""


@dataclass(slots=True)
class _Sorted:
    """The occurrences, by what came of them so far."""

    members: list[Member] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    moved: list[tuple[Planned, Booking]] = field(default_factory=list)


async def create_series(
    tx: Tx, asked: Asked, *, on_conflict: OnConflict, venue: Venue, places: Places
) -> SeriesDone:
    """The series with its bookings, those that were skipped, and those at another time.

    1. Book what can be booked, in sets, each occurrence counting for the next.
    2. Where one is refused: none of it (refuse), without it (skip), or at the nearest free time of the
       same day (alternatives) and without those that have none.
    3. Write which bookings are the series.

    Runs under the lock of `venue`. Raises SeriesRefused when nothing is left, or not all of it may be
    missing; and what makes the series as a whole impossible.
    """
    planned = plan(asked, venue, now=tx.now)
    done = await _book(tx, planned.planned, venue=venue, places=places)
    if on_conflict is OnConflict.ALTERNATIVES:
        await _book_instead(tx, done, asked=planned, venue=venue, places=places)
    if done.missed and (on_conflict is OnConflict.REFUSE or not done.members):
        raise SeriesRefused(done.missed, of=len(planned.planned), venue=venue)
    series = _series(tx, asked, planned, venue)
    members = sorted(done.members, key=lambda each: each.on)
    await store.insert(tx, series, members)
    booked = [each.booking for each in members]
    await emit(tx, [model.event(tx, series, "created", booked)])
    return SeriesDone(series, members, booked, _more(done, venue))


async def _book(tx: Tx, planned: Sequence[Planned], *, venue: Venue, places: Places) -> _Sorted:
    done = _Sorted()
    for part in in_sets(planned, venue):
        wanted = [each.wanted for each in part]
        try:
            outcomes = await create(tx, wanted, places=places, further_max=len(part))
        except asyncpg.ExclusionViolationError as error:
            raise lost(next(iter(venue.resources.values())).kind, venue) from error
        except asyncpg.UniqueViolationError as error:
            raise Overloaded(TAKEN_ANEW) from error
        for at, outcome in zip(part, outcomes, strict=True):
            if isinstance(outcome, Booked):
                done.members.append(Member(at.on, outcome.booking))
            elif isinstance(outcome, Refused):
                done.missed.append(Missed(at.on, at.span, outcome.error))
            else:
                raise Overloaded("There is too much to look through. Ask for fewer occurrences.")
    return done


async def _book_instead(tx: Tx, done: _Sorted, *, asked: Plan, venue: Venue, places: Places) -> None:
    """Books what was missed at other times of the same days, as far as there are any."""
    planned = {each.on: each for each in asked.planned}
    taken = [each for each in done.missed if isinstance(each.error, NotAvailable)][:ALTERNATIVES_MAX]
    others = [await _other(tx, planned[each.on], each.error, venue) for each in taken]
    again = await _book(tx, [each for each in others if each is not None], venue=venue, places=places)
    found = {each.on for each in again.members}
    done.members += again.members
    done.moved += [(planned[each.on], each.booking) for each in again.members]
    done.missed = [each for each in done.missed if each.on not in found]


async def _other(tx: Tx, planned: Planned, error: Any, venue: Venue) -> Planned | None:
    """The occurrence at the nearest time of its day, or on the nearest resources, that is free now."""
    if error.wanted is None:
        return None
    error.fields["suggested_slots"] = await suggest(tx, error.wanted)
    for each in error.fields["suggested_slots"]:  # the nearest first
        span = Span(_instant(each["start"]), _instant(each["end"]))
        if hours.to_wall(span.start, venue.tz).date() == planned.on:
            wanted = replace(
                planned.wanted,
                id=new_id(),
                when=When(start=span.start, end=span.end),
                resource_ids=tuple(map(UUID, each["resource_ids"])),
            )
            return Planned(planned.on, span, wanted)
    return None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _series(tx: Tx, asked: Asked, planned: Plan, venue: Venue) -> Series:
    return Series(
        tenant_id=venue.tenant_id,
        id=new_id(),
        venue_id=venue.id,
        version=1,
        rrule=asked.recurrence.text,
        local_start=planned.local_start,
        duration_minutes=planned.duration_minutes,
        timezone=venue.timezone,
        guest_id=asked.first.guest.id,
        created_by=str(tx.actor),
        created_at=tx.now,
        updated_at=tx.now,
    )


def _more(done: _Sorted, venue: Venue) -> dict[str, Any]:
    """The occurrences that are not as they were asked for."""
    return {
        "skipped": [each.as_json(venue) for each in done.missed],
        "alternatives": [
            {
                "occurrence_on": at.on,
                "wanted_start": at.span.start.astimezone(venue.tz),
                "start": booking.start_at.astimezone(venue.tz),
                "end": booking.end_at.astimezone(venue.tz),
                "resource_ids": booking.resource_ids,
            }
            for at, booking in done.moved
        ],
    }
