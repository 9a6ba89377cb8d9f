"""The query of a snapshot: the channel, the claims, arrivals and reasons of blocks, all at the same instant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from holdfast.channel.names import public_epoch
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Probe, columns
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span
from holdfast.pacing.arrived import Arrived
from holdfast.pacing.limits import is_paced
from holdfast.pacing.store import GROUPED, arrived_in, counted_around
from holdfast.place.venue import Venue


@dataclass(frozen=True, slots=True)
class SlotRead:
    """The channel, the version of the rules, the claims and who arrives, all at the same instant.

    `epoch`, `version`: None while the channel is not open. `reasons`: of the blocks among the claims, by block id.
    """

    epoch: str | None
    version: int | None
    rules_version: int
    claims: list[Claim]
    arrived: Arrived
    reasons: Mapping[UUID, str]


# One statement sees one state of the database. The function is STABLE, so it uses the snapshot of its caller.
READ = f"""
    SELECT clock_timestamp() AS now, v.rules_version, c.epoch, c.version,
           coalesce((SELECT epoch FROM event_epoch), '00000000') AS history,
           (SELECT json_agg(arrived) FROM ({arrived_in("$8", "$9")} {GROUPED}) AS arrived) AS arrived,
           found.tenant_id, found.resource_id, found.unit, found.start_at, found.end_at, found.owner_kind,
           found.owner_id, found.expires_at, found.state, found.changed_by,
           (SELECT b.reason FROM block AS b
             WHERE b.tenant_id = found.tenant_id AND b.id = found.owner_id AND found.owner_kind = 'block') AS reason
      FROM venue AS v
      LEFT JOIN channel AS c ON c.tenant_id = v.tenant_id AND c.venue_id = v.id AND c.name = $3
      LEFT JOIN LATERAL claims_overlapping($4::uuid[], $5::uuid[], $6::timestamptz[], $7::timestamptz[])
           AS found ON true
     WHERE v.tenant_id = $1 AND v.id = $2
"""


async def read(
    tx: Tx, venue: Venue, channel: str, probes: Iterable[Probe], begins: Span | None
) -> SlotRead | None:
    """Reads everything for a snapshot; None if the venue no longer exists. Sets `tx.now` unless it is set.
    `begins`: from when until when bookings in the slot begin; None if it does not matter who arrives."""
    near = (None, None) if begins is None or not is_paced(venue) else counted_around(venue, begins)
    rows = await tx.fetch(READ, venue.tenant_id, venue.id, channel, *columns(probes), *near)
    if not rows:
        return None
    first = rows[0]
    tx.now = tx.now or first["now"]
    slices, read_claims = Slices(), list[Claim]()
    for row in rows:
        if row["unit"] is not None:
            read_claims.append(claims.from_row(row))
        await slices.rest()
    return SlotRead(
        epoch=None if first["epoch"] is None else public_epoch(first["epoch"], first["history"]),
        version=first["version"],
        rules_version=first["rules_version"],
        claims=read_claims,
        arrived=Arrived.from_json(first["arrived"]),
        reasons={plain_id(row["owner_id"]): row["reason"] for row in rows if row["reason"] is not None},
    )
