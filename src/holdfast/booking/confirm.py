"""Confirms a hold: the next step of the venue's lifecycle, whichever that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from holdfast.booking import queries, store
from holdfast.booking.model import Booking, initial_status
from holdfast.booking.move import Move, check_version, take
from holdfast.booking.states import InvalidTransition, Status
from holdfast.kernel.actor import require_visible
from holdfast.kernel.db.tx import Tx
from holdfast.place.venue import Venue

_OVER = {
    Status.CANCELLED: "was cancelled",
    Status.EXPIRED: "expired before it was confirmed",
    Status.NO_SHOW: "ended when nobody came",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A hold to confirm. `expected_version`: the version that the caller saw; None: any. `answers`: to questions of the
    venue, beside those that it has."""

    booking_id: UUID
    expected_version: int | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)


async def confirm(tx: Tx, asked: Confirmation, *, venue: Venue) -> Booking:
    """Confirms the hold and returns the booking: RESERVED, PENDING or PENDING_APPROVAL, by the venue's lifecycle.

    A booking that is no hold, or no longer one, is returned as it is: nothing is left to confirm. Runs under the lock
    of `venue`, the booking's venue. Raises NotFound, VersionConflict, InvalidRequest if answers are wrong or missing,
    and InvalidTransition if the booking is over.
    """
    booking = await store.get(tx, venue.tenant_id, asked.booking_id, for_update=True)
    require_visible(booking, tx.actor)
    version = booking.version if asked.expected_version is None else asked.expected_version
    onward = initial_status(venue.policy, hold=False)
    if booking.status is Status.HELD:
        step = Move(booking_id=booking.id, to=onward, expected_version=version, answers=asked.answers)
        return await take(tx, booking, step, venue=venue)
    if booking.status in _OVER:
        raise InvalidTransition(
            f"This booking {_OVER[booking.status]}, so it can't be confirmed: make a new one.",
            **{"from": booking.status, "to": onward, "allowed": []},
        )
    if not await _was_held(tx, booking, version):
        check_version(tx, booking, version)
    return booking


async def _was_held(tx: Tx, booking: Booking, version: int) -> bool:
    """Whether the booking stopped being a hold at that version."""
    step = await queries.step_after(tx, booking, version)
    return step is not None and step[0] is Status.HELD
