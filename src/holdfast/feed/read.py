"""The events of a tenant for those who poll: in commit order, none left out, each page from a cursor."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Any

from holdfast.event.model import Event
from holdfast.event.months import EVENTS_KEPT_DAYS
from holdfast.event.number import Numbered
from holdfast.event.read import READ_MAX, purged, read_of_tenant
from holdfast.feed.shown import envelope
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.errors import InvalidRequest
from holdfast.place.reach import own_tenant

SCANS_MAX = 5
"""A page that leaves most events out looks through no more than READ_MAX * SCANS_MAX."""
BIGINT_MAX = 2**63 - 1
_CURSOR = re.compile(r"([0-9a-f]{8})\.([0-9]{1,19})")
START_OVER = "leave `after` out to begin with the oldest event there is"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a client has read: a position, and the epoch that it belongs to."""

    epoch: str
    position: int


def cursor_of(place: Place) -> str:
    """The place as clients carry it: opaque to them."""
    return base64.urlsafe_b64encode(f"{place.epoch}.{place.position}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str | None) -> Place | None:
    """The place that a cursor names; None without one. Raises InvalidRequest."""
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", True).decode()
    except ValueError:
        text = ""
    match = _CURSOR.fullmatch(text)
    if match is None or int(match[2]) > BIGINT_MAX:
        raise InvalidRequest.of("after", cursor[:40], f"give the `next` of an answer, or {START_OVER}")
    return Place(match[1], int(match[2]))


async def read_feed(
    tx: Tx, slug: str | None, *, numbered: Numbered, after: Place | None, event_type: str | None, limit: int
) -> dict[str, Any]:
    """The events behind `after`, of the tenant named or the actor's own, that the actor may see; and as `next` the
    cursor to poll on from, which is there always. Ready to be written as JSON.

    `event_type`: only these; with a dot at the end all that begin so (`booking.`). Fewer than `limit` do
    not mean that there are no more. `numbered`: what numbering the events has just told.
    Raises InvalidRequest for a place of another epoch or one behind which events were purged, and what `own_tenant`
    raises.
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
    # Afterwards: what was purged before the events were read shows now.
    if after is not None and after.position < await purged(tx):
        raise _refused(
            after, f"is older than the {EVENTS_KEPT_DAYS} days that events are kept, so that some are gone"
        )
    return {"items": [envelope(event, tenant) for event in events], "next": cursor_of(Place(now, at))}


def _is_wanted(tx: Tx, event: Event, event_type: str | None) -> bool:
    if tx.actor.venue_ids is not None and event.venue_id not in tx.actor.venue_ids:
        return False
    if event_type is None:
        return True
    return event.event_type == event_type or (
        event_type.endswith(".") and event.event_type.startswith(event_type)
    )


def _refused(after: Place, problem: str) -> InvalidRequest:
    return InvalidRequest.of(
        "after", cursor_of(after), f"{problem}: read what you need to know anew, then {START_OVER}"
    )
