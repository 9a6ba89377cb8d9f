"""SQL on table `channel`. `event/emit.py` counts versions in its rows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span

AROUND_DAYS = 7
"""A slot that touches a span belongs to an opening day at most this far away, in any time zone: a slot ends up to three
days after its opening day began, and the buffers of both can add up to two days. Bounds on arrivals reach two days
further than the slot, without buffers. Where nights are sold, the shortest stay reaches further: see `days_of`."""

Change = tuple[UUID, UUID, date, date]
"""A change to availability: tenant, venue, and `days_of` it."""


def days_of(span: Span, reach: timedelta) -> tuple[date, date]:
    """Returns the dates, in UTC, between which a change begins and ends. `span`: without buffers. `reach`: how much
    longer than a night the shortest stay there is: who arrives that long before needs the changed night too."""
    return (span.start - reach).date(), span.end.date()


def is_around(name: str, first_on: str, last_on: str) -> str:
    """Returns the condition that a channel's name is that of a slot which a change could touch, including buffers and
    time zones. The arguments are SQL; `first_on` and `last_on`: the dates, in UTC, on which the change begins and ends.
    """
    # Names of availability channels begin with the day, and `bookings` sorts after all of them. The semicolon is the
    # character after the colon.
    first = f"to_char(({first_on} - {AROUND_DAYS})::timestamp, 'YYYY-MM-DD')"
    last = f"to_char(({last_on} + {AROUND_DAYS})::timestamp, 'YYYY-MM-DD')"
    return f"{name} BETWEEN {first} AND {last} || ';'"


def maybe_open_from(changes: str) -> str:
    """Returns the SELECT of the venues that have an open channel around these changes: there, changes may have to be
    announced. `changes`: four arrays, separated by commas, with tenants, venues, and the dates as for `is_around`."""
    return f"""
    SELECT DISTINCT r.venue_id
      FROM unnest({changes}) AS r (tenant_id, venue_id, first_on, last_on),
           LATERAL (SELECT FROM channel
                     WHERE channel.tenant_id = r.tenant_id AND channel.venue_id = r.venue_id
                       AND {is_around("channel.name", "r.first_on", "r.last_on")} LIMIT 1) AS c"""


MAYBE_OPEN = maybe_open_from("$1::uuid[], $2::uuid[], $3::date[], $4::date[]")


async def maybe_open(tx: Tx, changes: Iterable[Change]) -> set[UUID]:
    """Returns the venues that have an open availability channel around: changes there may have to be announced."""
    asked = {*changes}
    rows = await tx.fetch(MAYBE_OPEN, *([each[column] for each in asked] for column in range(4)))
    return {plain_id(row["venue_id"]) for row in rows}


VERSION = "SELECT version FROM channel WHERE tenant_id = $1 AND venue_id = $2 AND name = $3"


async def version(tx: Tx, *, tenant_id: UUID, venue_id: UUID, name: str) -> int:
    """Returns the version of the last event on the channel; 0 if there is none."""
    return await tx.fetchval(VERSION, tenant_id, venue_id, name) or 0


OPEN = """
    INSERT INTO channel (tenant_id, venue_id, name, version) VALUES ($1, $2, $3, 0)
    ON CONFLICT ON CONSTRAINT channel_pkey DO NOTHING
"""


async def open_channel(tx: Tx, *, tenant_id: UUID, venue_id: UUID, name: str) -> None:
    """Opens the channel: from now on every change to what it shows is announced on it.

    Runs under the venue's lock, so no concurrent change can miss that it is open.
    """
    await tx.execute(OPEN, tenant_id, venue_id, name)


FORGET = """
    DELETE FROM channel
     WHERE (tenant_id, venue_id, name) IN (
           SELECT tenant_id, venue_id, name FROM channel
            WHERE name < $1 AND opened_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)
"""


async def forget(tx: Tx, *, before: date, opened_before: datetime, limit: int) -> int:
    """Closes up to `limit` channels of earlier days. Returns the number closed. A reopened channel gets a new epoch."""
    return int((await tx.execute(FORGET, before.isoformat(), opened_before, limit)).split()[-1])
