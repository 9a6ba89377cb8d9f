"""The bookings that a change to a venue could affect, with what is needed to tell whether they fit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.booking import states
from holdfast.booking.states import Status
from holdfast.booking.store import items_of
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.span import Span
from holdfast.place.opening.stay import Nights
from holdfast.place.venue import Venue

OPEN = sorted(each for each in Status if each not in states.TERMINAL)


class Standing(NamedTuple):
    """A booking that is not over. `local_start`: the venue's wall time as it was agreed, in `timezone`. `group`: the
    type that was booked; without resources, it has the promise of one. `nights`: of a stay. `items`: of an order, each
    with its own guests and resources. `guest_id`, `groups`, `ip`: what it counts for in rules of fair use."""

    id: UUID
    reference: str
    span: Span
    local_start: datetime
    timezone: str
    slot_id: str | None
    party_size: int
    resource_ids: tuple[UUID, ...]
    source: str
    occupies: bool
    length_asked: bool
    group: str | None = None
    nights: Nights | None = None
    items: tuple[Standing, ...] = ()
    guest_id: str | None = None
    groups: tuple[str, ...] = ()
    ip: str | None = None

    @property
    def places(self) -> tuple[Standing, ...]:
        """What has a place of its own: the booking, or each item of an order."""
        return self.items or (self,)

    @property
    def is_promised(self) -> bool:
        """Whether it has no resource yet, only the promise of one of its type."""
        return self.group is not None and not self.resource_ids

    @property
    def order(self) -> tuple[datetime, UUID]:
        """Its sort key in lists."""
        return self.span.start, self.id


# Served by booking_by_venue.
NOT_OVER = """
    SELECT id, reference, start_at, end_at, local_start, timezone, slot_id, party_size, resource_ids, source, status,
           length_asked, preferences ->> 'group' AS type, nights, arrival_on, items, guest_id,
           booked_groups, host(booked_ip) AS booked_ip
      FROM booking
     WHERE tenant_id = $1 AND venue_id = $2 AND (start_at, id) > ($3, $4) AND end_at > $5
       AND status = ANY ($6::text[]) AND (expires_at IS NULL OR expires_at > $5)
     ORDER BY start_at, id
     LIMIT $7
"""
NIL = UUID(int=0)


async def read_standing(tx: Tx, venue: Venue, after: Standing | None, *, limit: int) -> list[Standing]:
    """Returns up to `limit` bookings that end in the future, after `after` in order of their start; None: the first.
    Leaves out expired holds."""
    longest = timedelta(minutes=venue.policy.duration_minutes_max)
    start, id_ = (tx.now - longest, NIL) if after is None else after.order
    rows = await tx.fetch(NOT_OVER, venue.tenant_id, venue.id, start, id_, tx.now, OPEN, limit)
    return [_standing(row) for row in rows]


def _standing(row: Any) -> Standing:
    booked = Standing(
        plain_id(row["id"]),
        row["reference"],
        Span(row["start_at"], row["end_at"]),
        row["local_start"],
        row["timezone"],
        row["slot_id"],
        row["party_size"],
        tuple(map(plain_id, row["resource_ids"])),
        row["source"],
        Status(row["status"]) in states.OCCUPYING,
        row["length_asked"],
        row["type"],
        None if row["nights"] is None else Nights(row["arrival_on"], row["nights"]),
        guest_id=row["guest_id"],
        groups=tuple(row["booked_groups"]),
        ip=row["booked_ip"],
    )
    if row["items"] == "[]":
        return booked
    return booked._replace(
        items=tuple(
            booked._replace(
                party_size=each.party_size, resource_ids=each.resource_ids, group=each.preferences.group
            )
            for each in items_of(row["items"])
            if not each.is_cancelled
        )
    )
