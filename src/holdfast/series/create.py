"""Creates a series: all its bookings in one transaction, as planned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from holdfast.booking.deciding.conflicts import lost
from holdfast.booking.deciding.known import Refused
from holdfast.booking.making.create import Booked, create
from holdfast.booking.model import Booking
from holdfast.event.emit import emit
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.planning import StalePlan
from holdfast.series import model, store
from holdfast.series.expand import Planned
from holdfast.series.model import Member, Series, SeriesDone
from holdfast.series.plan import Plan
from holdfast.series.refused import Missed, check_missed

REFERENCE_TAKEN = "A generated booking reference was already in use. Try again with the same key."
"""Rare: a day has 729 million references."""


async def create_series(tx: Tx, plan: Plan, *, plans_left: int, venue: Venue) -> SeriesDone:
    """Writes the planned series. Returns it with its bookings, those that were skipped, and those at another time.

    1. Book what is planned, as one set, by the current rules and ledger.
    2. If others have taken a place since it was planned, raise StalePlan. With no `plans_left`, those occurrences
       are missed, and `on_conflict` decides what happens.
    3. Write the series, and which bookings belong to it.

    Runs under the lock of `venue`. Raises StalePlan, and SeriesRefused if all occurrences are missed, or if some are
    and `on_conflict` is refuse.
    """
    if plan.rules_version != venue.rules_version:
        raise StalePlan
    outcomes = list(zip(plan.seats, await _book(tx, plan, venue), strict=True))
    booked = [(seat, each.booking) for seat, each in outcomes if isinstance(each, Booked)]
    late = [
        seat.missed or Missed(seat.at.on, seat.at.span, each.error)
        for seat, each in outcomes
        if isinstance(each, Refused)
    ]
    if late and plans_left:
        raise StalePlan
    missed = sorted([*late, *plan.missed], key=lambda each: each.on)
    check_missed(missed, of=len(plan.expanded.planned), on_conflict=plan.on_conflict, venue=venue)
    series = _series(tx, plan, venue)
    members = sorted((Member(seat.at.on, booking) for seat, booking in booked), key=lambda each: each.on)
    await store.insert(tx, series, members)
    bookings = [each.booking for each in members]
    await emit(tx, [model.event(tx, series, "created", bookings)])
    more = {
        "skipped": [each.as_json(venue) for each in missed],
        "alternatives": [
            _alternative(seat.at, booking, venue) for seat, booking in booked if seat.missed is not None
        ],
    }
    return SeriesDone(series, members, bookings, more)


async def _book(tx: Tx, plan: Plan, venue: Venue) -> Sequence[Booked | Refused]:
    wanted = [each.wanted for each in plan.seats]
    try:
        outcomes = await create(tx, wanted, places=plan.places, further_max=len(wanted))
    except asyncpg.ExclusionViolationError as error:
        raise lost(venue) from error
    except asyncpg.UniqueViolationError as error:
        raise Overloaded(REFERENCE_TAKEN) from error
    settled = [each for each in outcomes if isinstance(each, Booked | Refused)]
    if len(settled) < len(wanted):
        raise Overloaded("This series takes too long to check. Ask for fewer occurrences.")
    return settled


def _series(tx: Tx, plan: Plan, venue: Venue) -> Series:
    asked, expanded = plan.asked, plan.expanded
    return Series(
        tenant_id=venue.tenant_id,
        id=new_id(),
        venue_id=venue.id,
        version=1,
        rrule=asked.recurrence.text,
        local_start=expanded.local_start,
        duration_minutes=expanded.duration_minutes,
        timezone=venue.timezone,
        guest_id=asked.first.guest.id,
        created_by=str(tx.actor),
        created_at=tx.now,
        updated_at=tx.now,
    )


def _alternative(at: Planned, booking: Booking, venue: Venue) -> dict[str, Any]:
    return {
        "occurrence_on": at.on,
        "wanted_start": at.span.start.astimezone(venue.tz),
        "start": booking.start_at.astimezone(venue.tz),
        "end": booking.end_at.astimezone(venue.tz),
        "resource_ids": booking.resource_ids,
    }
