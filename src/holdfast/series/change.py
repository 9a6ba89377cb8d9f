"""Changing bookings of a series: one, this and the following, or all that are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from holdfast.booking.change import Change, change
from holdfast.booking.model import Booking
from holdfast.booking.states import InvalidTransition
from holdfast.booking.wanted import Preferences, When
from holdfast.event.emit import emit
from holdfast.kernel.errors import HoldfastError, Overloaded
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.series import model, store
from holdfast.series.find import concerned, find_version, none_left
from holdfast.series.model import Member, OnConflict, Scope, Series, SeriesDone
from holdfast.series.refused import Missed, SeriesRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesChange:
    """What is to be different in bookings of a series; None leaves it as it is.

    `occurrence_on`: the one, or the first, unless the scope is all. `booking_time`: wall time, on the
    date that each booking has. `details`: columns that nothing is decided by.
    """

    series_id: UUID
    expected_version: int
    scope: Scope
    occurrence_on: date | None = None
    on_conflict: OnConflict = OnConflict.REFUSE
    booking_time: time | None = None
    duration_minutes: int | None = None
    party_size: int | None = None
    resource_ids: tuple[UUID, ...] | None = None
    preferences: Preferences | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def of(self, booking: Booking) -> Change:
        """The same for one of the bookings."""
        wall = None
        if self.booking_time is not None:
            wall = datetime.combine(booking.local_start.date(), self.booking_time)
        timed = wall is not None or self.duration_minutes is not None
        return Change(
            booking_id=booking.id,
            expected_version=booking.version,
            when=When(wall=wall, duration_minutes=self.duration_minutes) if timed else None,
            party_size=self.party_size,
            resource_ids=self.resource_ids,
            preferences=self.preferences,
            details=self.details,
        )


async def change_series(tx: Tx, asked: SeriesChange, *, venue: Venue) -> SeriesDone:
    """The series as it is then, with what was changed, and what was not and why.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict, InvalidRequest when none is still to come,
    and SeriesRefused when some can't be changed and may not be left as they are, or none can.
    """
    series, members = await find_version(tx, venue.tenant_id, asked.series_id, asked.expected_version)
    about = concerned(members, asked.scope, asked.occurrence_on)
    coming = [each for each in about if each.is_open(tx.now)]
    if not coming:
        raise none_left(asked.scope)
    missed = await _change_each(tx, coming, asked, venue)
    if missed and (asked.on_conflict is OnConflict.REFUSE or len(missed) == len(coming)):
        raise SeriesRefused(missed, of=len(coming), venue=venue)
    unchanged = {each.on for each in missed}
    after = _after(series, asked, now=tx.now)
    changed = [each for each in coming if each.on not in unchanged]
    said = [
        *(each.as_json(venue) for each in missed),
        *(not_to_come(each, venue) for each in about if each not in coming),
    ]
    return await saved(tx, after, "updated", changed, unchanged=said)


async def saved(
    tx: Tx, after: Series, what: str, changed: Sequence[Member], *, unchanged: list[dict[str, Any]]
) -> SeriesDone:
    """The series, written, with its event `series.<what>`, and its bookings as they are now."""
    await store.save(tx, after)
    bookings = [each.booking for each in changed]
    await emit(tx, [model.event(tx, after, what, bookings)])
    _, members = await find_version(tx, after.tenant_id, after.id, after.version)
    more = {"changed": [each.on for each in changed], "unchanged": unchanged}
    return SeriesDone(after, members, bookings, more)


async def _change_each(tx: Tx, members: Sequence[Member], asked: SeriesChange, venue: Venue) -> list[Missed]:
    """Those that could not be changed, by date; they are as they were."""
    missed = []
    for each in _in_order(members, asked):
        try:
            async with tx.savepoint():
                await change(tx, asked.of(each.booking), venue=venue)
        except Overloaded:
            raise
        except HoldfastError as error:
            missed.append(Missed(each.on, each.booking.span, error, each.booking.id))
    return sorted(missed, key=lambda each: each.on)


def _in_order(members: Sequence[Member], asked: SeriesChange) -> Sequence[Member]:
    """So that none is in the way of the one before it: the last first, where they move to a later time."""
    first = members[0].booking.local_start.time()
    later = asked.booking_time is None or asked.booking_time >= first
    return list(reversed(members)) if later else members


def _after(series: Series, asked: SeriesChange, *, now: datetime) -> Series:
    after = replace(series, version=series.version + 1, updated_at=now)
    if asked.scope is not Scope.ALL:
        return after
    start = series.local_start
    return replace(
        after,
        local_start=start
        if asked.booking_time is None
        else datetime.combine(start.date(), asked.booking_time),
        duration_minutes=asked.duration_minutes or series.duration_minutes,
    )


def not_to_come(member: Member, venue: Venue) -> dict[str, Any]:
    """An `OccurrenceShown` of a booking that is over, under way, cancelled or expired."""
    booking = member.booking
    error = InvalidTransition(
        f"The booking of {member.on} is {booking.status} and starts at "
        f"{booking.start_at.astimezone(venue.tz).isoformat(timespec='minutes')}: it can't be changed with the series."
    )
    return Missed(member.on, booking.span, error, booking.id).as_json(venue)
