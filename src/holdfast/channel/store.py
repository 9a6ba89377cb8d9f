"""The statements on table `channel`. The rows of events on it are counted in `kernel.events`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.kernel.db.tx import Tx
from holdfast.kernel.span import Span
from holdfast.place.store import plain_id

AROUND = timedelta(days=4)
"""A slot that a span touches is of an opening day no further away, in whatever zone: it ends up to two days after
its opening day began, and the buffers of both may be two days together."""


Change = tuple[UUID, UUID, Span]
"""Where and when something changes: tenant, venue, and the span (without buffers)."""

# Names of channels of availability begin with the day; `bookings` sorts behind them all.
MAYBE_OPEN = """
    SELECT DISTINCT r.venue_id
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS r (tenant_id, venue_id, first, last),
           LATERAL (SELECT FROM channel
                     WHERE channel.tenant_id = r.tenant_id AND channel.venue_id = r.venue_id
                       AND channel.name BETWEEN r.first AND r.last LIMIT 1) AS c
"""


def columns(changes: Iterable[Change]) -> list[list[Any]]:
    """Tenants, venues, and between which names the channels are that the changes could touch, buffers and zones
    included: as the arrays that statements take, each once."""
    reaches = dict.fromkeys(
        # The semicolon is the character behind the colon.
        (tenant_id, venue_id, f"{(span.start - AROUND).date()}", f"{(span.end + AROUND).date()};")
        for tenant_id, venue_id, span in changes
    )
    return [[each[column] for each in reaches] for column in range(4)]


async def maybe_open(tx: Tx, changes: Iterable[Change]) -> set[UUID]:
    """The venues with an open channel of availability in reach: those whose changes may have to be told."""
    return {plain_id(row["venue_id"]) for row in await tx.fetch(MAYBE_OPEN, *columns(changes))}


WHICH_OPEN = """
    SELECT name FROM channel WHERE tenant_id = $1 AND venue_id = $2 AND name = ANY ($3::text[])
"""


async def which_open(tx: Tx, *, tenant_id: UUID, venue_id: UUID, names: Collection[str]) -> set[str]:
    """Those of the venue's channels that are open."""
    rows = await tx.fetch(WHICH_OPEN, tenant_id, venue_id, list(names))
    return {row["name"] for row in rows}


VERSION = "SELECT version FROM channel WHERE tenant_id = $1 AND venue_id = $2 AND name = $3"


async def version(tx: Tx, *, tenant_id: UUID, venue_id: UUID, name: str) -> int:
    """The version of the last event on the channel; 0 where there was none."""
    return await tx.fetchval(VERSION, tenant_id, venue_id, name) or 0


OPEN = """
    INSERT INTO channel (tenant_id, venue_id, name, version) VALUES ($1, $2, $3, 0)
    ON CONFLICT ON CONSTRAINT channel_pkey DO NOTHING
"""


async def open_channel(tx: Tx, *, tenant_id: UUID, venue_id: UUID, name: str) -> None:
    """From now on every change of what the channel shows is told on it.

    Runs under the venue's lock: no change can be under way that did not see it open.
    """
    await tx.execute(OPEN, tenant_id, venue_id, name)


FORGET = """
    DELETE FROM channel
     WHERE (tenant_id, venue_id, name) IN (
           SELECT tenant_id, venue_id, name FROM channel
            WHERE name < $1 AND opened_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)
"""


async def forget(tx: Tx, *, before: date, opened_before: datetime, limit: int) -> int:
    """Closes up to `limit` channels of days before then; answers how many. Opened again, one has another epoch."""
    return int((await tx.execute(FORGET, before.isoformat(), opened_before, limit)).split()[-1])
