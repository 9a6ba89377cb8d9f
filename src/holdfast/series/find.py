"""Reads a series and its bookings, to show or to change them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from holdfast.kernel.actor import is_visible, require_visible
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest, VersionConflict
from holdfast.place.venue import Venue
from holdfast.series import store
from holdfast.series.model import Member, Scope, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTarget:
    """Which bookings of a series to change. `occurrence_on`: the one, or the first of several; None if the scope is
    all."""

    series_id: UUID
    expected_version: int
    scope: Scope
    occurrence_on: date | None = None

    def selected(self, members: Sequence[Member]) -> list[Member]:
        """Returns the selected bookings. Raises InvalidRequest if the one it names is not in the series."""
        if self.scope is Scope.ALL or self.occurrence_on is None:
            return list(members)
        if self.scope is Scope.THIS_AND_FOLLOWING:
            return [each for each in members if each.on >= self.occurrence_on]
        found = [each for each in members if each.on == self.occurrence_on]
        if not found:
            raise InvalidRequest.of(
                "occurrence_on",
                str(self.occurrence_on),
                "must be the occurrence_on of a booking in the series",
            )
        return found


@dataclass(frozen=True, slots=True)
class SeriesSelection:
    """A series with its bookings. The selected ones are split into those still to come and those that are over."""

    series: Series
    members: Sequence[Member]
    coming: Sequence[Member]
    over: Sequence[Member]


async def find(tx: Tx, series_id: UUID) -> tuple[Series, list[Member]]:
    """Returns the series and those of its bookings that the actor may see. Raises NotFound, also if the series is
    somebody else's."""
    return await _with_members(tx, await store.find(tx, series_id))


async def find_bookings(tx: Tx, target: SeriesTarget, venue: Venue) -> SeriesSelection:
    """Returns the selected bookings of a series of the venue's tenant, if it is at the expected version.

    Raises NotFound, VersionConflict, and InvalidRequest if no selected booking is still to come.
    """
    series, members = await _with_members(tx, await store.get(tx, venue.tenant_id, target.series_id))
    if series.version != target.expected_version:
        raise VersionConflict(
            f"The series is at version {series.version}, not {target.expected_version}: "
            "read it again and repeat the change with its current version.",
            current_version=series.version,
        )
    selected = target.selected(members)
    coming = [each for each in selected if each.is_open(tx.now)]
    if not coming:
        raise InvalidRequest.of(
            "scope", target.scope, "selects no booking that is still to come, so there is nothing to change"
        )
    return SeriesSelection(series, members, coming, [each for each in selected if not each.is_open(tx.now)])


async def _with_members(tx: Tx, series: Series) -> tuple[Series, list[Member]]:
    require_visible(series, tx.actor, noun="series")
    return series, [each for each in await store.members(tx, series) if is_visible(each.booking, tx.actor)]
