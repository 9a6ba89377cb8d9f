"""What is written of tenants."""

from __future__ import annotations

from uuid import UUID

from holdfast.kernel.tx import Tx
from holdfast.place.store import tenant_of
from holdfast.place.tenant import Tenant

INSERT_TENANT = """
    INSERT INTO tenant (id, slug, name, created_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT ON CONSTRAINT tenant_slug_is_unique DO NOTHING
    RETURNING id, slug, name, version, created_at
"""


async def insert_tenant(tx: Tx, *, id: UUID, slug: str, name: str) -> Tenant | None:
    """The new tenant; None if the slug is taken."""
    row = await tx.fetchrow(INSERT_TENANT, id, slug, name, tx.now)
    return None if row is None else tenant_of(row)
