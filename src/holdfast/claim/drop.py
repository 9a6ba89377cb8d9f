"""A part of what an owner occupies: of a block, the occurrences that are still to come."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from holdfast.claim.model import Claim
from holdfast.claim.store import COLUMNS, from_row
from holdfast.kernel.tx import Tx

BEGINNING = datetime.min.replace(tzinfo=UTC)

# By claim_pkey, whose first column comes with the policy: named here as well, it would make the index of
# claim_never_overlaps look as good to a plan made for a small table, which reads all claims of the tenant by it.
DROP = f"""
    DELETE FROM claim
     WHERE owner_id = $1 AND lower(during) >= $2 AND upper(during) > $3
 RETURNING {COLUMNS}
"""


async def drop(
    tx: Tx,
    *,
    owner_id: UUID,
    starts_from: datetime = BEGINNING,
    ends_after: datetime = BEGINNING,
) -> list[Claim]:
    """Frees the owner's claims that start then or later and end after that; answers what they were."""
    rows = await tx.fetch(DROP, owner_id, starts_from, ends_after)
    return [from_row(row) for row in rows]


STILL_OF = f"SELECT {COLUMNS} FROM claim WHERE owner_id = $1 AND upper(during) > $2"


async def still_of(tx: Tx, *, owner_id: UUID, ends_after: datetime) -> list[Claim]:
    """The owner's claims that end after that."""
    return [from_row(row) for row in await tx.fetch(STILL_OF, owner_id, ends_after)]
