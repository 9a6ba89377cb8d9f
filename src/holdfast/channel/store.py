"""The statements on table `channel`. The rows of events on it are counted in `kernel.events`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx
from holdfast.place.store import plain_id

AROUND = timedelta(days=4)
"""A slot that a span touches is of an opening day no further away, in whatever zone: it ends up to two days after
its opening day began, and the buffers of both may be two days together."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Days of a venue whose channels a change could touch."""

    tenant_id: UUID
    venue_id: UUID
    first: date
    last: date


def reach(tenant_id: UUID, venue_id: UUID, span: Span) -> Reach:
    """The days that a span of time could touch, buffers and zones included."""
    return Reach(tenant_id, venue_id, (span.start - AROUND).date(), (span.end + AROUND).date())


# Names of channels of availability begin with the day; `bookings` sorts behind them all.
MAYBE_OPEN = """
    SELECT DISTINCT r.venue_id
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS r (tenant_id, venue_id, first, last),
           LATERAL (SELECT FROM channel
                     WHERE channel.tenant_id = r.tenant_id AND channel.venue_id = r.venue_id
                       AND channel.name BETWEEN r.first AND r.last LIMIT 1) AS c
"""


def columns(reaches: Iterable[Reach]) -> tuple[list[UUID], list[UUID], list[str], list[str]]:
    """Them as the arrays that statements take, each once."""
    asked = list(dict.fromkeys(reaches))
    return (
        [each.tenant_id for each in asked],
        [each.venue_id for each in asked],
        [each.first.isoformat() for each in asked],
        [each.last.isoformat() + ";" for each in asked],  # the character behind the colon
    )


async def maybe_open(tx: Tx, reaches: Iterable[Reach]) -> set[UUID]:
    """The venues with an open channel of availability in reach: those whose changes may have to be told."""
    return {plain_id(row["venue_id"]) for row in await tx.fetch(MAYBE_OPEN, *columns(reaches))}


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
