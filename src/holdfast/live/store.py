"""What live channels read of the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Probe
from holdfast.event.model import COLUMNS, Committed
from holdfast.event.read import committed_of, purged
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx
from holdfast.live.frames import Key, public_epoch
from holdfast.place.store import plain_id
from holdfast.place.venue import Venue

if TYPE_CHECKING:
    from holdfast.snapshot.take import Wanted

EVENTS_MAX = 10_000


async def position_before(tx: Tx, head: int, count: int) -> int:
    """The position behind which the last `count` events up to `head` are; when fewer are kept, the one up to which they
    were purged."""
    return max(await purged(tx), head - count)


# Events behind the position count whether they have one yet or not: what the row of the channel says counts them too.
AS_OF = """
    SELECT c.epoch, coalesce(
               (SELECT min(e.version)
                  FROM (SELECT event_id FROM event_log WHERE tenant_id = $1 AND position > $4
                         UNION ALL SELECT event_id FROM event_new WHERE tenant_id = $1) AS behind,
                       LATERAL (SELECT version FROM event
                                 WHERE event.tenant_id = $1 AND event.id = behind.event_id
                                   AND event.venue_id = c.venue_id AND event.channel = c.name
                                   AND event.epoch = c.epoch OFFSET 0) AS e) - 1,
               c.version) AS version
      FROM channel AS c
     WHERE c.tenant_id = $1 AND c.venue_id = $2 AND c.name = $3
"""


async def as_of(tx: Tx, key: Key, position: int) -> tuple[int, int] | None:
    """Epoch and version that the channel had at that position; None when it is not open."""
    row = await tx.fetchrow(AS_OF, *key, position)
    return None if row is None else (row["epoch"], row["version"])


@dataclass(frozen=True, slots=True)
class Read:
    """The channel, the rules' version and the claims, as they were at one moment.

    `epoch`, `version`: None while the channel is not open. `reasons`: of blocks among the claims.
    """

    epoch: str | None
    version: int | None
    rules_version: int
    claims: list[Claim]
    reasons: Mapping[UUID, str]


# One statement sees one state of the database: the function is STABLE, and so sees what its caller does.
READ = """
    SELECT clock_timestamp() AS now, v.rules_version, c.epoch, c.version,
           coalesce((SELECT epoch FROM event_epoch), '00000000') AS history,
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


async def read(tx: Tx, venue: Venue, channel: str, probes: Iterable[Probe]) -> Read | None:
    """It all; None if there is no such venue any more. Sets `tx.now` unless it is set."""
    rows = await tx.fetch(READ, venue.tenant_id, venue.id, channel, *claims.columns(probes))
    if not rows:
        return None
    first = rows[0]
    tx.now = tx.now or first["now"]
    slices, found = Slices(), list[Claim]()
    for row in rows:
        if row["unit"] is not None:
            found.append(claims.from_row(row))
        await slices.rest()
    return Read(
        epoch=None if first["epoch"] is None else public_epoch(first["epoch"], first["history"]),
        version=first["version"],
        rules_version=first["rules_version"],
        claims=found,
        reasons={plain_id(row["owner_id"]): row["reason"] for row in rows if row["reason"] is not None},
    )


EVENTS = f"""
    SELECT log.position, event.*
      FROM (SELECT position, event_id FROM event_log WHERE tenant_id = $1 AND position > $4) AS log,
           LATERAL (SELECT {COLUMNS}, event.epoch, event.version, event.written_at
                      FROM event
                     WHERE event.tenant_id = $1 AND event.id = log.event_id AND event.venue_id = $2
                       AND event.channel = $3
                    OFFSET 0) AS event
     ORDER BY log.position
     LIMIT $5
"""


async def events(tx: Tx, wanted: Wanted, *, after: int) -> list[Committed]:
    """The events of the channel behind the position, in commit order; the first EVENTS_MAX."""
    rows = await tx.fetch(EVENTS, wanted.tenant_id, wanted.venue_id, wanted.channel, after, EVENTS_MAX)
    return [committed_of(row) for row in rows]
