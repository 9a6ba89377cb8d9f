"""Creating a series: all its bookings in one transaction, as planned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from holdfast.booking.conflicts import lost
from holdfast.booking.create import Booked, create
from holdfast.booking.decide import Refused
from holdfast.booking.model import Booking
from holdfast.engine import StalePlan
from holdfast.event.emit import emit
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.series import model, store
from holdfast.series.expand import Planned
from holdfast.series.model import Member, Series, SeriesDone
from holdfast.series.plan import Plan
from holdfast.series.refused import Missed

TAKEN_ANEW = "The same reference was drawn twice. Try again with the same key."
"""A day has 729 million of them."""


@dataclass(slots=True)
class _Sorted:
    """The occurrences, by what came of them."""

    members: list[Member] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    moved: list[tuple[Planned, Booking]] = field(default_factory=list)


async def create_series(tx: Tx, plan: Plan, *, plans_left: int, venue: Venue) -> SeriesDone:
    """The series with its bookings, those that were skipped, and those at another time.

    1. Book what is planned, in one set, by the rules and the ledger as they are now.
    2. What was taken since is planned anew; without `plans_left` it is missed, and on_conflict says what of that.
    3. Write which bookings are the series.

    Runs under the lock of `venue`. Raises StalePlan, and SeriesRefused when nothing is left, or not all of it may
    be missing.
    """
    if plan.rules_version != venue.rules_version:
        raise StalePlan
    done = await _book(tx, plan, venue)
    if done.missed and plans_left:
        raise StalePlan
    done.missed = sorted([*done.missed, *plan.missed], key=lambda each: each.on)
    plan.check(done.missed, venue)
    series = _series(tx, plan, venue)
    members = sorted(done.members, key=lambda each: each.on)
    await store.insert(tx, series, members)
    booked = [each.booking for each in members]
    await emit(tx, [model.event(tx, series, "created", booked)])
    return SeriesDone(series, members, booked, _more(done, venue))


async def _book(tx: Tx, plan: Plan, venue: Venue) -> _Sorted:
    done, wanted = _Sorted(), [each.wanted for each in plan.seats]
    try:
        outcomes = await create(tx, wanted, places=plan.places, further_max=len(wanted))
    except asyncpg.ExclusionViolationError as error:
        raise lost(next(iter(venue.resources.values())).kind, venue) from error
    except asyncpg.UniqueViolationError as error:
        raise Overloaded(TAKEN_ANEW) from error
    for seat, outcome in zip(plan.seats, outcomes, strict=True):
        at = seat.at
        if isinstance(outcome, Booked):
            done.members.append(Member(at.on, outcome.booking))
            if seat.missed is not None:
                done.moved.append((at, outcome.booking))
        elif isinstance(outcome, Refused):
            done.missed.append(seat.missed or Missed(at.on, at.span, outcome.error))
        else:
            raise Overloaded("There is too much to look through. Ask for fewer occurrences.")
    return done


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
