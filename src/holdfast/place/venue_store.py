"""What is written of venues."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from holdfast.kernel.tx import Tx
from holdfast.place.document import VenueDocument

INSERT_VENUE = """
    INSERT INTO venue (tenant_id, id, slug, name, kind, timezone, currency, policy, hours, slots,
                       created_at, updated_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
    ON CONFLICT ON CONSTRAINT venue_slug_is_unique DO NOTHING
    RETURNING id
"""


async def insert_venue(tx: Tx, document: VenueDocument, *, tenant_id: UUID, id: UUID) -> bool:
    """Writes a new venue without its resources; False, and nothing, if the tenant has one of that slug."""
    return await tx.fetchval(INSERT_VENUE, tenant_id, id, *_columns(document), tx.now) is not None


UPDATE_VENUE = """
    UPDATE venue
       SET slug = $3, name = $4, kind = $5, timezone = $6, currency = $7,
           policy = $8, hours = $9, slots = $10,
           version = version + 1, rules_version = rules_version + 1, updated_at = $11
     WHERE tenant_id = $1 AND id = $2
"""


async def update_venue(tx: Tx, document: VenueDocument, *, tenant_id: UUID, id: UUID) -> None:
    """Writes the venue's own fields and rules."""
    await tx.execute(UPDATE_VENUE, tenant_id, id, *_columns(document), tx.now)


TOUCH_VENUE = """
    UPDATE venue SET rules_version = rules_version + 1, updated_at = $3 WHERE tenant_id = $1 AND id = $2
"""


async def touch_venue(tx: Tx, *, tenant_id: UUID, id: UUID) -> None:
    """Says that resources of the venue changed: snapshots taken before can't decide any more."""
    await tx.execute(TOUCH_VENUE, tenant_id, id, tx.now)


def _columns(document: VenueDocument) -> tuple[Any, ...]:
    data = document.model_dump(mode="json", exclude={"resources"})
    own = (data[name] for name in ("slug", "name", "kind", "timezone", "currency"))
    rules = (orjson.dumps(data[name]).decode() for name in ("policy", "hours", "slots"))
    return (*own, *rules)
