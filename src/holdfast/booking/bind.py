"""Gives bookings of a type their resources when the venue's policy says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from holdfast.booking import queries, store
from holdfast.booking.model import Booking
from holdfast.booking.store import Step
from holdfast.claim import store as claims
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx, lock_key, lock_some

ACTION = "bind"
REASON = "The venue assigns resources of a type on the day."


async def bind_due(tx: Tx, limit: int) -> int:
    """Binds up to `limit` bookings whose day has come or, if the venue binds at once by now, is near. Returns how many
    it bound.

    Their claims stay where they are, so that nothing is freed or taken. Safe to run twice, and in several workers.
    """
    venues = await queries.venues_to_bind(tx, limit=limit)
    if not venues:
        return 0
    keys = {lock_key(id_): id_ for _, id_ in venues}
    locked = await lock_some(tx, list(keys))
    found = await queries.to_bind(tx, venue_ids=[keys[key] for key in locked], limit=limit)
    await store.save(tx, await _steps(tx, found))
    return len(found)


async def _steps(tx: Tx, bookings: Sequence[Booking]) -> list[Step]:
    by_tenant: dict[UUID, list[UUID]] = {}
    for each in bookings:
        by_tenant.setdefault(each.tenant_id, []).append(each.id)
    bound: dict[UUID, UUID] = {}
    for tenant_id, ids in by_tenant.items():
        bound |= await claims.bind(tx, tenant_id=tenant_id, owner_ids=ids)
    return [
        Step(
            booking=replace(
                each, resource_ids=(bound[each.id],), version=each.version + 1, updated_at=tx.now
            ),
            from_status=each.status,
            action=ACTION,
            actor=str(SYSTEM),
            reason=REASON,
        )
        for each in bookings
        if each.id in bound
    ]


async def tenants_to_bind(tx: Tx, limit: int) -> list[UUID]:
    """Returns the tenants with such bookings."""
    return list(dict.fromkeys(tenant for tenant, _ in await queries.venues_to_bind(tx, limit=limit)))
