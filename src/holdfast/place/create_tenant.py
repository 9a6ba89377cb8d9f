"""Creates a tenant."""

from __future__ import annotations

from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.place.kept import Tenant
from holdfast.place.storable import refuse_unstorable
from holdfast.place.write_store import emit_about, insert_tenant


async def create_tenant(tx: Tx, slug: str, name: str) -> Tenant:
    """Creates a tenant. Raises `InvalidRequest` for `slug` if another tenant has it."""
    refuse_unstorable({"slug": slug, "name": name})
    tenant = await insert_tenant(tx, id=new_id(), slug=slug, name=name)
    if tenant is None:
        raise InvalidRequest.of("slug", slug, "is taken: choose one that no other tenant has")
    payload = {"tenant_id": tenant.id, "slug": tenant.slug}
    await emit_about(tx, "tenant.created", payload, tenant_id=tenant.id)
    return tenant
