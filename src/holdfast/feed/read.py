"""The feed: a tenant's events for clients that poll, in commit order, none skipped, paged by cursor."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import Field

from holdfast.event.model import Event
from holdfast.event.months import EVENTS_KEPT_DAYS
from holdfast.event.number import Numbered
from holdfast.event.read import READ_MAX, purged, read_of_tenant
from holdfast.feed.shown import envelope
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.paging import Keyset
from holdfast.place.reach import own_tenant

SCANS_MAX = 5
"""A page scans at most READ_MAX * SCANS_MAX events, even if its filter skips most of them."""
START_OVER = "leave `after` out to start with the oldest event"


class FeedPosition(NamedTuple):
    """How far a client has read: a position and the epoch it belongs to."""

    epoch: Annotated[str, Field(pattern="^[0-9a-f]{8}$")]
    position: Annotated[int, Field(ge=0, le=2**63 - 1)]


CURSORS = Keyset[FeedPosition](
    FeedPosition, field="after", advice=f"give the `next` of a response, or {START_OVER}"
)


async def read_feed(
    tx: Tx,
    slug: str | None,
    *,
    numbered: Numbered,
    after: FeedPosition | None,
    event_type: str | None,
    limit: int,
) -> dict[str, Any]:
    """Returns the events after `after` that the actor may see, of the named tenant or the actor's own, ready to
    encode as JSON. `next` is always present: the cursor for the next poll.

    `event_type`: only events of this type, or with a dot at the end all types with this prefix (`booking.`). A page
    with fewer than `limit` events need not be the last. `numbered`: the result of numbering the events just now.
    Raises InvalidRequest for a cursor from another epoch or from before purged events, and the same as `own_tenant`.
    """
    tenant = await own_tenant(tx, slug)
    now, head = numbered.epoch, numbered.head
    if after is not None and (after.epoch != now or after.position > head):
        raise _refused(after, "is from before the database was restored or moved")
    at, events = after.position if after else 0, list[Event]()
    narrowed = event_type is not None or tx.actor.venue_ids is not None
    wanted = READ_MAX if narrowed else limit
    for _ in range(SCANS_MAX):
        found = await read_of_tenant(tx, tenant.id, after=at, limit=wanted)
        for committed in found:
            if len(events) == limit:
                break
            at = committed.position
            if _is_wanted(tx, committed.event, event_type):
                events.append(committed.event)
        else:
            if len(found) == wanted and len(events) < limit:
                continue
            at = at if len(found) == wanted else max(at, head)
        break
    # Checked after reading, so that a purge before or during the read is noticed.
    if after is not None and after.position < await purged(tx):
        raise _refused(
            after, f"is older than the {EVENTS_KEPT_DAYS} days that events are kept, so some are gone"
        )
    return {
        "items": [envelope(event, tenant) for event in events],
        "next": CURSORS.cursor(FeedPosition(now, at)),
    }


def _is_wanted(tx: Tx, event: Event, event_type: str | None) -> bool:
    if tx.actor.venue_ids is not None and event.venue_id not in tx.actor.venue_ids:
        return False
    if event_type is None:
        return True
    return event.event_type == event_type or (
        event_type.endswith(".") and event.event_type.startswith(event_type)
    )


def _refused(after: FeedPosition, problem: str) -> InvalidRequest:
    return InvalidRequest.of(
        "after", CURSORS.cursor(after), f"{problem}: reload the data you need, then {START_OVER}"
    )
