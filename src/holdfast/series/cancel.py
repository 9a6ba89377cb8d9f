"""Cancelling bookings of a series: one, this and the following, or all that are still to come."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.move import Move, move_set
from holdfast.booking.states import Status
from holdfast.event.emit import emit
from holdfast.kernel.encode import encode_text
from holdfast.kernel.idempotency import Keyed, once
from holdfast.kernel.tx import Tx
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.series import model, store
from holdfast.series.change import not_to_come
from holdfast.series.find import concerned, find_version, none_left
from holdfast.series.model import Done, Member, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesCancellation:
    """Which bookings of a series are not wanted any more. `occurrence_on`: the one, or the first, unless the
    scope is all."""

    series_id: UUID
    expected_version: int
    scope: Scope
    occurrence_on: date | None = None
    reason: str | None = None


async def cancel_series(
    tx: Tx, asked: SeriesCancellation, *, venue: Venue, places: Places, keyed: Keyed | None = None
) -> Done:
    """The JSON of the series as it is then, with what was cancelled, and what was not and why.

    Runs under the lock of `venue`. Raises NotFound, VersionConflict, and InvalidRequest when none is still to
    come.
    """
    cancelled: list[Booking] = []

    async def apply() -> str:
        current = await places.current(tx, venue)
        series, members = await find_version(tx, venue.tenant_id, asked.series_id, asked.expected_version)
        about = concerned(members, asked.scope, asked.occurrence_on)
        coming = [each for each in about if each.is_open(tx.now)]
        if not coming:
            raise none_left(asked.scope)
        cancelled.extend(await move_set(tx, [_move(each, asked.reason) for each in coming], venue=current))
        after = replace(series, version=series.version + 1, updated_at=tx.now)
        await store.save(tx, after)
        await emit(tx, [model.event(tx, after, "cancelled", cancelled)])
        return encode_text(
            model.as_json(
                after,
                (await find_version(tx, series.tenant_id, series.id, after.version))[1],
                changed=[each.on for each in coming],
                unchanged=[not_to_come(each, current) for each in about if each not in coming],
            )
        )

    return Done(await once(tx, keyed, apply), cancelled)


def _move(member: Member, reason: str | None) -> Move:
    return Move(
        booking_id=member.booking.id,
        to=Status.CANCELLED,
        expected_version=member.booking.version,
        reason=reason,
    )
