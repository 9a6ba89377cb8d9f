"""What of tenants and venues an actor gets hold of, to change it. All else is not found."""

from __future__ import annotations

from uuid import UUID

from holdfast.identity.roles import only_tenant
from holdfast.kernel.actor import can_touch_tenant, require_venue
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.place import store
from holdfast.place.kept import Kept
from holdfast.place.tenant import Tenant


async def own_tenant(tx: Tx, slug: str | None) -> Tenant:
    """The tenant named, or the only one the actor belongs to.

    Raises `NotFound` when the actor does not reach it, `InvalidRequest` when one of several must be named.
    """
    if slug is not None:
        tenant = await store.find_tenant(tx, slug)
    else:
        only = only_tenant(tx.actor)
        tenant = None if only is None else await store.get_tenant(tx, only)
    if tenant is None or not can_touch_tenant(tx.actor, tenant.id):
        raise NotFound("There is no such tenant, or it is not yours.")
    return tenant


async def own_venue(tx: Tx, venue_id: UUID, *, expected_version: int | None = None) -> Kept:
    """The venue, if the actor reaches it and it is at the version expected; None expects none.

    Raises `NotFound` and `VersionConflict`.
    """
    kept = await store.read_venue(tx, venue_id)
    if kept is None:
        raise NotFound(f"There is no venue {venue_id}.")
    require_venue(tx.actor, kept.tenant_id, venue_id)
    if expected_version is not None:
        check_version(kept.version, expected_version)
    return kept


def check_version(current: int, expected: int) -> None:
    """Nothing, if they are the same. Raises `VersionConflict` with `current_version`."""
    if current != expected:
        raise VersionConflict(current_version=current)
