"""Cancelling bookings of a series: one, this and the following, or all that are still to come."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.kernel.tx import Tx
from holdfast.place.venue import Venue
from holdfast.series.change import saved
from holdfast.series.find import About, find_bookings
from holdfast.series.model import SeriesDone


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCancellation(About):
    """The bookings of a series that are not wanted any more."""

    reason: str | None = None


async def cancel_series(tx: Tx, asked: SeriesCancellation, *, venue: Venue) -> SeriesDone:
    """The series as it is then, with what was cancelled, and what was not and why.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict, and InvalidRequest when none is still to
    come.
    """
    found = await find_bookings(tx, asked, venue)
    moves = [
        Move(
            booking_id=each.booking.id,
            to=Status.CANCELLED,
            expected_version=each.booking.version,
            reason=asked.reason,
        )
        for each in found.coming
    ]
    afters = await move_set(tx, moves, venue=venue)
    return await saved(tx, found, found.series, "cancelled", afters, venue=venue)
