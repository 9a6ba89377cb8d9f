"""SQL on the ledger. Nothing else writes table `claim`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from holdfast.claim.model import BEGINNING, Claim, ClaimState, Occupancy, Probe, Shift, columns
from holdfast.kernel.db.tx import Tx, encode_text, plain_id
from holdfast.kernel.ids import first_id_at
from holdfast.kernel.span import Span


def take_from(parameter: str) -> str:
    """Returns the INSERT that takes claims, passed as one JSON array in the named parameter.

    The constraint claim_never_overlaps has the last word: it raises ExclusionViolationError (23P01).
    """
    return f"""
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at, state, changed_by)
    SELECT tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at, state, changed_by
      FROM json_to_recordset({parameter}::text::json) AS c (
           tenant_id uuid, resource_id uuid, unit integer, during tstzrange, owner_kind text, owner_id uuid,
           expires_at timestamptz, state text, changed_by text)"""


TAKE = take_from("$1")


async def take(tx: Tx, claims: Sequence[Claim]) -> None:
    """Takes all the claims, or raises ExclusionViolationError and takes none."""
    if claims:
        await tx.execute(TAKE, encode_text([claim.row() for claim in claims]))


# All are deleted before the first is inserted, since two may swap units: the count forces that. A claim archived at
# this moment is not inserted again. ANY as in FREE.
MOVE = """
    WITH asked AS MATERIALIZED (
        SELECT tenant_id, owner_id, resource_id, unit, during, to_unit, to_resource_id
          FROM json_to_recordset($3::text::json) AS c (
               tenant_id uuid, owner_id uuid, resource_id uuid, unit integer, during tstzrange,
               to_unit integer, to_resource_id uuid)
    ), gone AS (
        DELETE FROM claim USING asked
         WHERE claim.tenant_id = ANY ($1::uuid[]) AND claim.owner_id = ANY ($2::uuid[])
           AND (claim.tenant_id, claim.owner_id, claim.resource_id, claim.unit, claim.during)
             = (asked.tenant_id, asked.owner_id, asked.resource_id, asked.unit, asked.during)
        RETURNING claim.tenant_id, asked.to_resource_id, asked.to_unit, claim.during, claim.owner_kind, claim.owner_id,
                  claim.expires_at, claim.state, claim.changed_by
    )
    INSERT INTO claim (tenant_id, resource_id, unit, during, owner_kind, owner_id, expires_at, state, changed_by)
    SELECT tenant_id, to_resource_id, to_unit, during, owner_kind, owner_id, expires_at, state, changed_by
      FROM gone WHERE (SELECT count(*) FROM gone) > 0
"""


async def move(tx: Tx, moved: Mapping[Claim, Claim]) -> Shift:
    """Moves claims to other units, or to other resources of their type: current -> moved. Nothing else about them
    changes.

    Returns the moves to other resources, for the caller to announce; nobody can tell units apart. Raises
    ExclusionViolationError.
    """
    shift = Shift()
    if moved:
        tenant_ids, owner_ids = {each.tenant_id for each in moved}, {each.owner_id for each in moved}
        rows = [
            {**old.row(), "to_unit": new.unit, "to_resource_id": new.resource_id}
            for old, new in moved.items()
        ]
        await tx.execute(MOVE, tenant_ids, owner_ids, encode_text(rows))
    for old, new in moved.items():
        if old.resource_id != new.resource_id:
            shift.freed.append(old)
            shift.taken.append(new)
    return shift


COLUMNS = """tenant_id, resource_id, unit, lower(during) AS start_at, upper(during) AS end_at, owner_kind, owner_id,
             expires_at, state, changed_by"""

# ANY, because the index of claim_never_overlaps can't be searched with it: otherwise a plan made for a small table
# might use that index and read all claims of the tenant.
FREE = f"""
    DELETE FROM claim
     WHERE tenant_id = ANY ($1::uuid[]) AND owner_id = ANY ($2::uuid[])
 RETURNING {COLUMNS}
"""


async def free(tx: Tx, owners: Iterable[tuple[UUID, UUID]]) -> list[Claim]:
    """Deletes all claims of the owners, given as (tenant, owner), and returns them. Safe to run again."""
    pairs = set(owners)
    if not pairs:
        return []
    tenant_ids, owner_ids = map(set, zip(*pairs, strict=True))
    rows = await tx.fetch(FREE, tenant_ids, owner_ids)
    return [from_row(row) for row in rows]


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
    """Deletes the owner's claims that start at `starts_from` or later and end after `ends_after`, and returns them."""
    rows = await tx.fetch(DROP, tenant_id, owner_id, starts_from, ends_after)
    return [from_row(row) for row in rows]


STILL_OF = f"SELECT {COLUMNS} FROM claim WHERE tenant_id = $1 AND owner_id = $2 AND upper(during) > $3"


async def still_of(tx: Tx, *, tenant_id: UUID, owner_id: UUID, ends_after: datetime) -> list[Claim]:
    """Returns the owner's claims that end after `ends_after`."""
    return [from_row(row) for row in await tx.fetch(STILL_OF, tenant_id, owner_id, ends_after)]


# `changed_by` stays with the actor who set the state.
RESTATE = """
    WITH old AS (
        SELECT resource_id, unit, during, expires_at, state, changed_by FROM claim
         WHERE tenant_id = $1 AND owner_id = $2 AND (state, expires_at) IS DISTINCT FROM ($3, $4)
           FOR UPDATE
    )
    UPDATE claim
       SET state = $3, expires_at = $4,
           changed_by = CASE WHEN old.state = $3 THEN old.changed_by ELSE $5 END
      FROM old
     WHERE claim.tenant_id = $1 AND claim.owner_id = $2
       AND (claim.resource_id, claim.unit, claim.during) = (old.resource_id, old.unit, old.during)
 RETURNING claim.tenant_id, claim.resource_id, claim.unit, lower(claim.during) AS start_at,
           upper(claim.during) AS end_at, claim.owner_kind, claim.owner_id, claim.expires_at, claim.state,
           claim.changed_by, old.expires_at AS old_expires_at, old.state AS old_state,
           old.changed_by AS old_changed_by
"""


async def restate(
    tx: Tx,
    *,
    tenant_id: UUID,
    owner_id: UUID,
    state: ClaimState,
    expires_at: datetime | None,
    changed_by: str,
) -> Shift:
    """Sets state and expiry of the owner's claims; `expires_at` None: they never expire."""
    rows = await tx.fetch(RESTATE, tenant_id, owner_id, state, expires_at, changed_by)
    taken = [from_row(row) for row in rows]
    freed = [
        replace(
            claim, expires_at=row["old_expires_at"], state=row["old_state"], changed_by=row["old_changed_by"]
        )
        for claim, row in zip(taken, rows, strict=True)
    ]
    return Shift(freed, taken)


BIND = """
    UPDATE claim SET owner_kind = 'booking'
     WHERE tenant_id = $1 AND owner_id = ANY ($2::uuid[]) AND owner_kind = 'unbound'
 RETURNING owner_id, resource_id
"""


async def bind(tx: Tx, *, tenant_id: UUID, owner_ids: Iterable[UUID]) -> dict[UUID, UUID]:
    """Makes the claims of bookings that were promised a type stay where they are. Returns the resource of each."""
    rows = await tx.fetch(BIND, tenant_id, list(owner_ids))
    return {plain_id(row["owner_id"]): plain_id(row["resource_id"]) for row in rows}


OVERLAPPING = """
    SELECT tenant_id, resource_id, unit, start_at, end_at, owner_kind, owner_id, expires_at, state, changed_by
      FROM claims_overlapping($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
"""


async def overlapping(tx: Tx, probes: Iterable[Probe]) -> list[Claim]:
    """Returns the claims that overlap the probes, including expired ones."""
    rows = await tx.fetch(OVERLAPPING, *columns(probes))
    return [from_row(row) for row in rows]


async def learn(tx: Tx, occupancy: Occupancy, probes: Iterable[Probe]) -> None:
    """Adds the claims that overlap the probes to the occupancy."""
    asked = list(probes)
    occupancy.learn(await overlapping(tx, asked), asked)


def from_row(row: Any) -> Claim:
    """Builds a claim from a row with the columns of OVERLAPPING. Fast: a month at a large venue has many thousands."""
    return Claim(
        _id_seen_often(row["tenant_id"]),
        _id_seen_often(row["resource_id"]),
        row["unit"],
        Span(row["start_at"], row["end_at"]),
        plain_id(row["owner_id"]),
        row["owner_kind"],
        row["expires_at"],
        row["state"],
        row["changed_by"],
    )


_id_seen_often = lru_cache(maxsize=10_000)(plain_id)


# Reads the claims that end first, and no further: `upper` is not leakproof, so under row-level security the index can't
# be searched by time. A claim that is already in the archive was taken again by a later change.
ARCHIVE = """
    WITH first AS MATERIALIZED (
        SELECT ctid AS id, upper(during) AS end_at FROM claim WHERE owner_id < $4 ORDER BY upper(during) LIMIT $2
    ), over AS (
        DELETE FROM claim WHERE ctid = ANY (ARRAY(
            SELECT claim.ctid FROM claim
             WHERE claim.ctid = ANY (ARRAY(SELECT id FROM first WHERE end_at < $1))
               FOR UPDATE SKIP LOCKED))
        RETURNING tenant_id, resource_id, unit, during, owner_kind, owner_id
    ), archived AS (
        INSERT INTO claim_archive (tenant_id, resource_id, unit, during, owner_kind, owner_id, archived_at)
        SELECT tenant_id, resource_id, unit, during, owner_kind, owner_id, $3 FROM over
            ON CONFLICT ON CONSTRAINT claim_archive_pkey DO NOTHING
    )
    SELECT count(*) FROM over
"""


async def archive(tx: Tx, *, before: datetime, limit: int) -> int:
    """Moves up to `limit` claims that ended before `before` from the ledger to the archive. Returns the number moved.

    Skips claims of owners created since then: a replay books in the past and needs its claims until it is done.
    A booking whose status still occupies loses nothing: its time is over, and a change takes new claims.
    """
    return await tx.fetchval(ARCHIVE, before, limit, tx.now, first_id_at(before))
