"""The ledger's statements. Nothing else writes table `claim`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.claim.model import Claim, Probe
from holdfast.kernel.encode import encode_text
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx


def take_from(parameter: str) -> str:
    """The INSERT that takes claims given as one JSON array in the named parameter.

    The constraint claim_never_overlaps has the last word: it raises ExclusionViolationError (23P01).
    """
    return f"""
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at)
    SELECT tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at
      FROM json_to_recordset({parameter}::text::json) AS c (
           tenant_id uuid, resource_id uuid, unit integer, during tstzrange,
           owner_kind text, owner_id uuid, expires_at timestamptz)"""


TAKE = take_from("$1")


async def take(tx: Tx, claims: Sequence[Claim]) -> None:
    """Takes all the claims or, raising ExclusionViolationError, none."""
    if claims:
        await tx.execute(TAKE, encode_text([claim.row() for claim in claims]))


FREE = """
    DELETE FROM claim
     WHERE (tenant_id, owner_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
"""


async def free(tx: Tx, owners: Iterable[tuple[UUID, UUID]]) -> None:
    """Frees all that the owners, given as (tenant, owner), occupy. Safe to run again."""
    pairs = list(owners)
    if pairs:
        await tx.execute(FREE, [tenant for tenant, _ in pairs], [owner for _, owner in pairs])


KEEP_UNTIL = """
    UPDATE claim SET expires_at = $3
     WHERE tenant_id = $1 AND owner_id = $2 AND expires_at IS DISTINCT FROM $3
"""


async def keep_until(tx: Tx, *, tenant_id: UUID, owner_id: UUID, expires_at: datetime | None) -> None:
    """Makes the owner's claims stand until then; None: for good."""
    await tx.execute(KEEP_UNTIL, tenant_id, owner_id, expires_at)


OVERLAPPING = """
    SELECT tenant_id, resource_id, unit, start_at, end_at, owner_kind, owner_id, expires_at
      FROM claims_overlapping($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
"""


async def overlapping(tx: Tx, probes: Iterable[Probe]) -> list[Claim]:
    """The claims that share time with the probes, expired ones too."""
    rows = await tx.fetch(OVERLAPPING, *columns(probes))
    return [from_row(row) for row in rows]


def columns(probes: Iterable[Probe]) -> tuple[list[UUID], list[UUID], list[datetime], list[datetime]]:
    """The probes as the four arrays that the statements take; each probe once."""
    asked = list(dict.fromkeys(probes))
    return (
        [tenant for tenant, _, _ in asked],
        [resource for _, resource, _ in asked],
        [span.start for _, _, span in asked],
        [span.end for _, _, span in asked],
    )


def from_row(row: Any) -> Claim:
    """A claim from a row with the columns of OVERLAPPING."""
    return Claim(
        tenant_id=row["tenant_id"],
        resource_id=row["resource_id"],
        unit=row["unit"],
        span=Span(row["start_at"], row["end_at"]),
        owner_id=row["owner_id"],
        owner_kind=row["owner_kind"],
        expires_at=row["expires_at"],
    )


ARCHIVE = """
    WITH over AS (
        DELETE FROM claim WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM claim
             WHERE owner_kind = 'block' AND upper(during) < $1 LIMIT $2 FOR UPDATE SKIP LOCKED))
        RETURNING tenant_id, resource_id, unit, during, owner_kind, owner_id
    )
    INSERT INTO claim_archive (tenant_id, resource_id, unit, during, owner_kind, owner_id, archived_at)
    SELECT tenant_id, resource_id, unit, during, owner_kind, owner_id, $3 FROM over
"""


async def archive(tx: Tx, *, before: datetime, limit: int) -> int:
    """Moves up to `limit` claims of blocks that ended before then out of the ledger; answers how many.

    Those of a booking go when it ends, so that each one that occupies keeps its own, however late it is.
    """
    return int((await tx.execute(ARCHIVE, before, limit, tx.now)).split()[-1])
