"""Reads the tenants and venues that an actor can access, for changing them. Everything else is NotFound."""

from __future__ import annotations

from uuid import UUID

from holdfast.identity.roles import only_tenant
from holdfast.kernel.actor import can_touch_tenant, require_venue
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import NotFound, VersionConflict
from holdfast.place import store
from holdfast.place.kept import Kept, Tenant


async def own_tenant(tx: Tx, slug: str | None) -> Tenant:
    """Returns the tenant with that slug; without a slug, the only tenant that the actor belongs to.

    Raises `NotFound` if the actor can't access it, `InvalidRequest` if the actor has several and must name one.
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
    """Returns the venue if the actor can access it and it has the expected version; None: any version.

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
    """Raises `VersionConflict` with `current_version` if the two differ."""
    if current != expected:
        raise VersionConflict(current_version=current)
