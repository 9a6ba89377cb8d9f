"""Queries on bookings and their history, for ticks, rules and routes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from holdfast.booking.model import Booking
from holdfast.booking.states import OCCUPYING, Status
from holdfast.booking.store import READ_COLUMNS, from_row, one_found, read_columns
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.pacing.limits import Window
from holdfast.place.venue import Venue

# ANY keeps the planner on the unique index: on a small table, reading all bookings of a tenant would seem as cheap.
FIND_REFERENCE = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = ANY ($1::uuid[]) AND reference = $2"


async def find_reference(tx: Tx, tenant_id: UUID, reference: str) -> Booking:
    """Returns the tenant's booking with that reference. Raises NotFound."""
    return one_found(await tx.fetchrow(FIND_REFERENCE, [tenant_id], reference), reference)


HISTORY = """
    SELECT from_status, to_status, actor, action, reason, metadata, created_at, version
      FROM booking_history
     WHERE tenant_id = $1 AND booking_id = $2 AND version > $3
     ORDER BY version
     LIMIT $4
"""


async def history(tx: Tx, booking: Booking, *, after: int, limit: int) -> list[asyncpg.Record]:
    """Returns up to `limit` entries of the booking's history, oldest first, from those with a version above `after`."""
    return await tx.fetch(HISTORY, booking.tenant_id, booking.id, after, limit)


STEP_AT = """
    SELECT from_status, to_status FROM booking_history WHERE tenant_id = $1 AND booking_id = $2 AND version = $3
"""


async def step_after(tx: Tx, booking: Booking, version: int) -> tuple[Status, Status] | None:
    """Returns the step that the booking took at that version, as (from, to); None if it has taken none yet, or changed
    without one."""
    if version >= booking.version:
        return None
    row = await tx.fetchrow(STEP_AT, booking.tenant_id, booking.id, version + 1)
    if row is None or row["from_status"] is None or row["from_status"] == row["to_status"]:
        return None
    return Status(row["from_status"]), Status(row["to_status"])


DUE_VENUES = """
    SELECT tenant_id, venue_id FROM (
        SELECT tenant_id, venue_id, due_at FROM booking
         WHERE due_at <= $1 AND status = ANY ($2::text[])
         ORDER BY due_at
         LIMIT $3) AS due
     GROUP BY tenant_id, venue_id
     ORDER BY min(due_at)
"""


async def due_venues(tx: Tx, statuses: Sequence[Status], *, limit: int) -> list[tuple[UUID, UUID]]:
    """Returns the venues, as (tenant, venue), of the `limit` longest overdue bookings, the longest overdue first."""
    rows = await tx.fetch(DUE_VENUES, tx.now, list(statuses), limit)
    return [(plain_id(row["tenant_id"]), plain_id(row["venue_id"])) for row in rows]


DUE = f"""
    SELECT {READ_COLUMNS} FROM booking
     WHERE due_at <= $1 AND status = ANY ($2::text[]) AND venue_id = ANY ($4::uuid[])
     ORDER BY due_at
     LIMIT $3
       FOR UPDATE SKIP LOCKED
"""


async def due(tx: Tx, statuses: Sequence[Status], *, venue_ids: Sequence[UUID], limit: int) -> list[Booking]:
    """Returns up to `limit` due bookings of these venues, with their rows locked, the longest overdue first. Skips
    those that another transaction has locked."""
    rows = await tx.fetch(DUE, tx.now, list(statuses), limit, list(venue_ids))
    return [from_row(row) for row in rows]


# Sorted like the index booking_by_venue, so that the planner uses it even for a small table.
ARRIVING = """
    SELECT w.number, b.id, b.party_size
      FROM unnest($3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[])
           WITH ORDINALITY AS w (start_at, end_at, slot_id, sources, number),
           LATERAL (SELECT id, party_size FROM booking
                     WHERE tenant_id = $1 AND venue_id = $2
                       AND booking.start_at >= w.start_at AND booking.start_at < w.end_at
                       AND (w.slot_id IS NULL OR booking.slot_id = w.slot_id)
                       AND (w.sources IS NULL OR booking.source = ANY (w.sources::text[]))
                       AND status = ANY ($7::text[]) AND (expires_at IS NULL OR expires_at > $8)
                     ORDER BY booking.start_at OFFSET 0) AS b
"""


async def arriving(
    tx: Tx, venue: Venue, windows: Collection[Window], statuses: Sequence[Status]
) -> dict[Window, dict[UUID, int]]:
    """Returns the bookings that arrive in each of these windows: booking id -> party size."""
    asked = [*windows]
    found: dict[Window, dict[UUID, int]] = {window: {} for window in asked}
    rows = await tx.fetch(
        ARRIVING,
        venue.tenant_id,
        venue.id,
        [each.span.start for each in asked],
        [each.span.end for each in asked],
        [each.slot_id for each in asked],
        [each.sources_text for each in asked],
        list(statuses),
        tx.now,
    )
    for row in rows:
        found[asked[row["number"] - 1]][plain_id(row["id"])] = row["party_size"]
    return found


# Few bookings of the near future have no resource; the index booking_unbound has only those.
_TO_BIND = """
      FROM booking JOIN venue ON venue.tenant_id = booking.tenant_id AND venue.id = booking.venue_id
     WHERE booking.resource_ids = '{}' AND booking.status = ANY ($2::text[])
       AND booking.start_at < $1::timestamptz + interval '2 days'
       AND (expires_at IS NULL OR expires_at > $1)
       AND (coalesce(venue.policy ->> 'bind_group', 'at_once') = 'at_once'
            OR venue.policy ->> 'bind_group' = 'on_the_day'
               AND booking.local_start::date <= ($1 AT TIME ZONE booking.timezone)::date)"""
VENUES_TO_BIND = f"""
    SELECT DISTINCT booking.tenant_id, booking.venue_id FROM (
        SELECT booking.tenant_id, booking.venue_id {_TO_BIND} ORDER BY booking.start_at LIMIT $3) AS booking
"""
TO_BIND = f"""
    SELECT {read_columns("booking.")} {_TO_BIND}
       AND booking.venue_id = ANY ($4::uuid[])
     ORDER BY booking.start_at
     LIMIT $3
       FOR UPDATE OF booking SKIP LOCKED
"""


async def venues_to_bind(tx: Tx, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Returns the venues, as (tenant, venue), of up to `limit` bookings of a type that have to get their resources now:
    their day has come or, if the venue binds at once by now, is near."""
    rows = await tx.fetch(VENUES_TO_BIND, tx.now, sorted(OCCUPYING), limit)
    return [(plain_id(row["tenant_id"]), plain_id(row["venue_id"])) for row in rows]


async def to_bind(tx: Tx, *, venue_ids: Sequence[UUID], limit: int) -> list[Booking]:
    """Returns up to `limit` such bookings of these venues, with their rows locked."""
    rows = await tx.fetch(TO_BIND, tx.now, sorted(OCCUPYING), limit, list(venue_ids))
    return [from_row(row) for row in rows]
