"""A new tenant."""

from __future__ import annotations

from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.kernel.tx import Tx
from holdfast.place.storable import refuse_unstorable
from holdfast.place.tenant import Tenant
from holdfast.place.write_store import insert_tenant


async def create_tenant(tx: Tx, slug: str, name: str) -> Tenant:
    """The new tenant. Raises `InvalidRequest` on `slug` if another one has it."""
    refuse_unstorable({"slug": slug, "name": name})
    tenant = await insert_tenant(tx, id=new_id(), slug=slug, name=name)
    if tenant is None:
        raise InvalidRequest.of("slug", slug, "is taken: choose one that no other tenant has")
    await emit(tx, [_event(tx, tenant)])
    return tenant


def _event(tx: Tx, tenant: Tenant) -> Event:
    return Event(
        id=new_id(),
        tenant_id=tenant.id,
        event_type="tenant.created",
        venue_id=None,
        subject_id=tenant.id,
        payload={"tenant_id": tenant.id, "slug": tenant.slug},
        actor=str(tx.actor),
        created_at=tx.now,
    )
