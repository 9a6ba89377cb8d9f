"""Lists of bookings: of a guest, of a venue."""

from __future__ import annotations

import base64
import binascii
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.states import Status
from holdfast.booking.store import READ_COLUMNS, from_row
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.place.venue import Venue

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_ONCE = timedelta(days=60)
NIL = UUID(int=0)
FIRST = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a list that is ordered by start, then id."""

    start_at: datetime = FIRST
    id: UUID = NIL

    def cursor(self) -> str:
        """The place as clients carry it: opaque to them."""
        micros = (self.start_at - EPOCH) // timedelta(microseconds=1)
        return base64.urlsafe_b64encode(f"{micros}.{self.id.hex}".encode()).decode().rstrip("=")

    @classmethod
    def of(cls, cursor: str | None) -> Place:
        """The place a cursor names; the beginning without one. Raises InvalidRequest."""
        if cursor is None:
            return cls()
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            micros, id_ = base64.urlsafe_b64decode(padded).decode("ascii").split(".")
            return cls(EPOCH + timedelta(microseconds=int(micros)), UUID(hex=id_))
        except (ValueError, OverflowError, binascii.Error) as error:
            raise InvalidRequest.of("cursor", cursor[:40], "give the `next` of the page before") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list is narrowed to; None is no limit. `start`, `end`: bookings that share time with the span."""

    start: datetime | None = None
    end: datetime | None = None
    status: Status | None = None
    resource_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; `next`: the place to go on from, None at the end."""

    items: list[Booking]
    next: Place | None


# $3 to $6 are the fields of Filter, $7 and $8 those of Place.
_NARROWED = """
       AND ($3::timestamptz IS NULL OR end_at > $3)
       AND ($4::timestamptz IS NULL OR start_at < $4)
       AND ($5::text IS NULL OR status = $5)
       AND ($6::uuid IS NULL OR resource_ids @> ARRAY[$6::uuid])
       AND (start_at, id) > ($7, $8)
     ORDER BY start_at, id
     LIMIT $9
"""
OF_VENUE = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = $1 AND venue_id = $2::uuid {_NARROWED}"
OF_GUEST = f"""
    SELECT {READ_COLUMNS} FROM booking
     WHERE tenant_id = $1 AND guest_id = $2::text
       AND ($10::uuid[] IS NULL OR venue_id = ANY ($10)) {_NARROWED}"""


async def of_venue(tx: Tx, venue: Venue, *, narrow: Filter, after: Place, limit: int) -> Page:
    """The venue's bookings in order of their start."""
    if narrow.start is not None:
        # Nothing that starts earlier still goes on then: years of history are not even looked at. The
        # policy may have allowed longer stays before.
        longest = max(timedelta(minutes=venue.policy.duration_minutes_max), LONGEST_ONCE)
        after = max(after, Place(narrow.start - longest))
    found = await tx.fetch(OF_VENUE, venue.tenant_id, venue.id, *astuple(narrow), *astuple(after), limit + 1)
    return _page(found, limit)


async def of_guest(
    tx: Tx, tenant_id: UUID, guest_id: str, *, narrow: Filter, after: Place, limit: int
) -> Page:
    """The guest's bookings in order of their start, at those of the tenant's venues that the actor reaches."""
    actor = tx.actor
    venues = None if actor.venue_ids is None or actor.kind == "guest" else list(actor.venue_ids)
    found = await tx.fetch(
        OF_GUEST, tenant_id, guest_id, *astuple(narrow), *astuple(after), limit + 1, venues
    )
    return _page(found, limit)


def _page(rows: list[Any], limit: int) -> Page:
    items = [from_row(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(items, Place(items[-1].start_at, items[-1].id) if more else None)
