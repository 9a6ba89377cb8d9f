"""What of tenants and venues an actor gets hold of, to change it. All else is not found."""

from __future__ import annotations

from uuid import UUID

from holdfast.identity.roles import can_touch_venue
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest, NotFound, VersionConflict
from holdfast.place import store
from holdfast.place.kept import Kept
from holdfast.place.tenant import Tenant


async def own_tenant(tx: Tx, slug: str | None) -> Tenant:
    """The tenant named, or the only one the actor belongs to.

    Raises `NotFound` when the actor does not reach it, `InvalidRequest` when one of several must be named.
    """
    mine = tx.actor.tenant_ids
    if slug is not None:
        tenant = await store.find_tenant(tx, slug)
    elif mine is None or len(mine) > 1:
        raise InvalidRequest.of("tenant", None, "is required: the slug of the tenant that this is for")
    else:
        tenant = await store.get_tenant(tx, mine[0]) if mine else None
    if tenant is None or (mine is not None and tenant.id not in mine):
        raise NotFound("There is no such tenant, or it is not yours.")
    return tenant


async def own_venue(tx: Tx, venue_id: UUID, *, expected_version: int | None = None) -> Kept:
    """The venue, if the actor reaches it and it is at the version expected; None expects none.

    Raises `NotFound` and `VersionConflict`.
    """
    kept = await store.read_venue(tx, venue_id)
    if kept is None or not can_touch_venue(tx.actor, kept.tenant_id, kept.id):
        raise NotFound(f"There is no venue {venue_id}, or it is not yours.")
    if expected_version is not None:
        check_version(kept.version, expected_version)
    return kept


def check_version(current: int, expected: int) -> None:
    """Nothing, if they are the same. Raises `VersionConflict` with `current_version`."""
    if current != expected:
        raise VersionConflict(current_version=current)
