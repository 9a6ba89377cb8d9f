"""Cancelling bookings of a series: one, this and the following, or all that are still to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.series.change import saved
from holdfast.series.find import concerned, find_version, none_left
from holdfast.series.model import Member, Scope, SeriesDone
from holdfast.series.refused import not_to_come


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCancellation:
    """Which bookings of a series are not wanted any more. `occurrence_on`: the one, or the first, unless the
    scope is all."""

    series_id: UUID
    expected_version: int
    scope: Scope
    occurrence_on: date | None = None
    reason: str | None = None


async def cancel_series(tx: Tx, asked: SeriesCancellation, *, venue: Venue) -> SeriesDone:
    """The series as it is then, with what was cancelled, and what was not and why.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict, and InvalidRequest when none is still to
    come.
    """
    series, members = await find_version(tx, venue.tenant_id, asked.series_id, asked.expected_version)
    about = concerned(members, asked.scope, asked.occurrence_on)
    coming = [each for each in about if each.is_open(tx.now)]
    if not coming:
        raise none_left(asked.scope)
    afters = await move_set(tx, [_move(each, asked.reason) for each in coming], venue=venue)
    after = replace(series, version=series.version + 1, updated_at=tx.now)
    said = [not_to_come(each, venue) for each in about if not each.is_open(tx.now)]
    return await saved(tx, after, "cancelled", members, afters, unchanged=said)


def _move(member: Member, reason: str | None) -> Move:
    return Move(
        booking_id=member.booking.id,
        to=Status.CANCELLED,
        expected_version=member.booking.version,
        reason=reason,
    )
