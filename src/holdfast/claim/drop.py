"""A part of what an owner occupies: of a block, the occurrences that are still to come."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from holdfast.claim.model import Claim
from holdfast.claim.store import COLUMNS, from_row
from holdfast.kernel.tx import Tx

BEGINNING = datetime.min.replace(tzinfo=UTC)

DROP = f"""
    DELETE FROM claim
     WHERE tenant_id = $1 AND owner_id = $2 AND lower(during) >= $3 AND upper(during) > $4
 RETURNING {COLUMNS}
"""


async def drop(
    tx: Tx,
    *,
    tenant_id: UUID,
    owner_id: UUID,
    starts_from: datetime = BEGINNING,
    ends_after: datetime = BEGINNING,
) -> list[Claim]:
    """Frees the owner's claims that start then or later and end after that; answers what they were."""
    rows = await tx.fetch(DROP, tenant_id, owner_id, starts_from, ends_after)
    return [from_row(row) for row in rows]


STILL_OF = f"SELECT {COLUMNS} FROM claim WHERE tenant_id = $1 AND owner_id = $2 AND upper(during) > $3"


async def still_of(tx: Tx, *, tenant_id: UUID, owner_id: UUID, ends_after: datetime) -> list[Claim]:
    """The owner's claims that end after that."""
    return [from_row(row) for row in await tx.fetch(STILL_OF, tenant_id, owner_id, ends_after)]
