"""Lists of bookings: by guest and by venue."""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, Field

from holdfast.booking.model import Booking
from holdfast.booking.states import Status
from holdfast.booking.store import READ_COLUMNS, from_row
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.paging import Keyset
from holdfast.place.venue import Venue

LONGEST_ONCE = timedelta(days=60)
NIL = UUID(int=0)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


class StartKey(NamedTuple):
    """A position in a list ordered by start, then id."""

    start_at: Annotated[AwareDatetime, Field(ge=FIRST, le=LAST)] = FIRST
    id: UUID = NIL


BY_START = Keyset[StartKey](StartKey)


def place_of(booking: Booking) -> StartKey:
    """The booking's position in such a list."""
    return StartKey(booking.start_at, booking.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """The filters of a list; None: no filter. `start`, `end`: only bookings that overlap this span. `resource_ids`:
    only bookings of one of these."""

    start: datetime | None = None
    end: datetime | None = None
    status: Status | None = None
    resource_ids: tuple[UUID, ...] | None = None


# $3 to $6 are the fields of Filter, $7 and $8 those of StartKey.
_NARROWED = """
       AND ($3::timestamptz IS NULL OR end_at > $3)
       AND ($4::timestamptz IS NULL OR start_at < $4)
       AND ($5::text IS NULL OR status = $5)
       AND ($6::uuid[] IS NULL OR resource_ids && $6)
       AND (start_at, id) > ($7, $8)
     ORDER BY start_at, id
     LIMIT $9
"""
OF_VENUE = f"SELECT {READ_COLUMNS} FROM booking WHERE tenant_id = $1 AND venue_id = $2::uuid {_NARROWED}"
OF_GUEST = f"""
    SELECT {READ_COLUMNS} FROM booking
     WHERE tenant_id = $1 AND guest_id = $2::text
       AND ($10::uuid[] IS NULL OR venue_id = ANY ($10)) {_NARROWED}"""


async def of_venue(
    tx: Tx, venue: Venue, *, narrow: Filter, after: StartKey | None, limit: int
) -> list[Booking]:
    """Returns up to `limit` bookings of the venue after the position `after`, ordered by start. A filter by resources
    also finds bookings of their parts, and of wholes that they are parts of."""
    place = after or StartKey()
    if narrow.resource_ids is not None:
        every = {id_ for each in narrow.resource_ids for id_ in venue.sharing(each)}
        narrow = replace(narrow, resource_ids=tuple(every))
    if narrow.start is not None:
        # A booking that starts earlier than this has ended by `narrow.start`, so the index scan skips years of
        # history. LONGEST_ONCE, because an earlier policy may have allowed longer stays.
        longest = max(timedelta(minutes=venue.policy.duration_minutes_max), LONGEST_ONCE)
        place = max(place, StartKey(narrow.start - longest))
    rows = await tx.fetch(OF_VENUE, venue.tenant_id, venue.id, *astuple(narrow), *place, limit)
    return [from_row(row) for row in rows]


async def of_guest(
    tx: Tx, tenant_id: UUID, guest_id: str, *, narrow: Filter, after: StartKey | None, limit: int
) -> list[Booking]:
    """Returns up to `limit` bookings of the guest after the position `after`, ordered by start, at the tenant's
    venues that the actor can access."""
    actor = tx.actor
    venues = None if actor.venue_ids is None or actor.kind == "guest" else list(actor.venue_ids)
    place = after or StartKey()
    rows = await tx.fetch(OF_GUEST, tenant_id, guest_id, *astuple(narrow), *place, limit, venues)
    return [from_row(row) for row in rows]
