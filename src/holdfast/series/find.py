"""Getting hold of a series, to see or to change it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from holdfast.booking import access
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import InvalidRequest, NotFound, VersionConflict
from holdfast.kernel.tx import Tx
from holdfast.series import store
from holdfast.series.model import Member, Scope, Series, chosen


async def find(tx: Tx, series_id: UUID) -> tuple[Series, list[Member]]:
    """The series and those of its bookings that the actor may see. Raises NotFound: what is not yours
    does not exist for you."""
    return await _with_members(tx, await store.find(tx, series_id))


async def _with_members(tx: Tx, series: Series) -> tuple[Series, list[Member]]:
    if not _is_visible(series, tx.actor):
        raise NotFound(f"There is no series {series.id}.")
    return series, [
        each for each in await store.members(tx, series) if access.is_visible(each.booking, tx.actor)
    ]


async def find_version(
    tx: Tx, tenant_id: UUID, series_id: UUID, expected_version: int
) -> tuple[Series, list[Member]]:
    """The same of the tenant's series, at the version that they saw. Raises NotFound, VersionConflict."""
    series, members = await _with_members(tx, await store.get(tx, tenant_id, series_id))
    if series.version != expected_version:
        raise VersionConflict(
            f"The series is at version {series.version}, not {expected_version}: "
            "read it again and repeat the change with its current version.",
            current_version=series.version,
        )
    return series, members


def concerned(members: Sequence[Member], scope: Scope, on: date | None) -> list[Member]:
    """The bookings that a change is about, at least one. Raises InvalidRequest."""
    found = chosen(members, scope, on)
    if scope is Scope.ONE and not found:
        raise InvalidRequest.of(
            "occurrence_on", str(on), "must be the occurrence_on of a booking of the series"
        )
    return found


def none_left(scope: Scope) -> InvalidRequest:
    """The refusal when none of them is still to come."""
    return InvalidRequest.of("scope", scope, "no booking of these is still to come: nothing can be changed")


def _is_visible(series: Series, actor: Actor) -> bool:
    if access.works_at(actor, series.tenant_id, series.venue_id):
        return True
    return (
        not actor.is_staff
        and actor.kind != "anonymous"
        and series.guest_id == actor.id
        and actor.tenant_ids is not None
        and series.tenant_id in actor.tenant_ids
    )
