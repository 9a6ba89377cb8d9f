"""What sets the queue in motion: places that come free, and, for what was missed, time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.booking.states import OCCUPYING, Status
from holdfast.event.model import Event
from holdfast.kernel.span import Span
from holdfast.kernel.tx import Tx, lock_key, lock_some
from holdfast.place.places import Places
from holdfast.place.venue import Venue
from holdfast.port.pricing import Pricing
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import EntryStatus
from holdfast.waitlist.promote import SOURCE, has_place, promote

SWEEP_S = 30
VENUES_MAX = 10_000
"""Venues with a waitlist that a sweep gets round to."""
OCCUPANCY_FIELDS = frozenset({"start_at", "end_at", "resource_ids", "party_size"})
FREEING = (
    "booking.cancelled",
    "booking.expired",
    "booking.no_show",
    "booking.completed",
    "booking.updated",
    "booking.confirmed",
    "booking.status_changed",
    "block.cancelled",
    "block.updated",
    "waitlist.joined",
)
"""The types of events that can move a queue."""


async def awaited(tx: Tx, events: Sequence[Event]) -> list[Event]:
    """Those of the events that free something at a venue where anybody waits or has an offer."""
    freeing = [event for event in events if event.venue_id is not None and _frees(event)]
    venues = dict.fromkeys((event.tenant_id, event.venue_id) for event in freeing)
    open_at = {at for at in venues if at[1] is not None and await queue_store.any_open(tx, at[0], at[1])}
    return [event for event in freeing if (event.tenant_id, event.venue_id) in open_at]


async def promote_freed(tx: Tx, event: Event, *, places: Places, pricing: Pricing) -> None:
    """Offers what the event says was freed to those who wait for it.

    For events about bookings, blocks and the waitlist itself: who joins may find something free too. One
    that frees nothing, or comes from a venue where nobody waits, costs a probe of an index at most.
    Safe to run again. It takes the venue's lock before it writes: nothing else may have written in the
    transaction without it.
    """
    if event.venue_id is None or not _frees(event):
        return
    if not await queue_store.any_open(tx, event.tenant_id, event.venue_id):
        return
    if event.event_type == "booking.updated" and not await _moved(tx, event):
        return
    # In a statement of its own: the snapshot of one that waits is older than what it waited for.
    await tx.execute("SELECT pg_advisory_xact_lock($1::bigint)", lock_key(event.venue_id))
    for venue in await _venues(tx, [event.venue_id], places):
        if event.event_type == "waitlist.joined" and not await _finds_something(tx, event, venue, places):
            return
        await promote(tx, venue, places=places, pricing=pricing, around=_span(event))


async def _finds_something(tx: Tx, joined: Event, venue: Venue, places: Places) -> bool:
    entry = await store.get(tx, joined.tenant_id, joined.subject_id)
    waits = entry.status is EntryStatus.WAITING
    return waits and await has_place(tx, await places.current(tx, venue), entry)


async def _venues(tx: Tx, ids: Sequence[UUID], places: Places) -> list[Venue]:
    """The venues as they were lately: promoting looks whether that still holds."""
    missing = [id_ for id_ in ids if places.at_hand(id_) is None]
    if missing:
        await places.reload(tx, missing)
    return [venue for id_ in ids if (venue := places.at_hand(id_)) is not None]


def _frees(event: Event) -> bool:
    noun, _, what = event.event_type.partition(".")
    if event.event_type not in FREEING:
        return False
    return noun != "booking" or what == "updated" or _left(event.payload)


def _left(payload: dict[str, Any]) -> bool:
    """Whether the booking occupies no more, or was an offer that is none any more."""
    before, after = payload.get("from_status"), payload.get("status")
    gave_up = before in OCCUPYING and after not in OCCUPYING
    return gave_up or (before == Status.HELD and payload.get("source") == SOURCE)


async def _moved(tx: Tx, event: Event) -> bool:
    """Whether the change left any time, place or arrival free. Much of what is changed is about the guest."""
    changed = await store.changed_fields(tx, event.tenant_id, event.subject_id, event.payload["version"])
    return changed is None or not OCCUPANCY_FIELDS.isdisjoint(changed)


def _span(event: Event) -> Span | None:
    """The time that was freed; None where the event doesn't say: of a block that moved, it tells the new time
    alone."""
    payload = event.payload
    if event.event_type == "waitlist.joined":
        end = datetime.fromisoformat(payload["latest"]) + timedelta(minutes=payload["duration_minutes"])
        return Span(datetime.fromisoformat(payload["earliest"]), end)
    if event.event_type == "block.updated" or not (payload.get("start") and payload.get("end")):
        return None
    if event.event_type == "booking.updated" and "previous_start" not in payload:
        return None  # from before events told the time that a booking was moved from
    start = datetime.fromisoformat(payload.get("previous_start") or payload["start"])
    end = datetime.fromisoformat(payload.get("previous_end") or payload["end"])
    return Span(start, end) if start < end else None


async def sweep(tx: Tx, limit: int, *, places: Places, pricing: Pricing) -> int:
    """Sees to up to `limit` venues at which anybody waits, whatever happened there; answers how many offers
    it made. For every SWEEP_S seconds: so a place that no event told of is found all the same.

    1. Ask, without writing, which venues have open entries. Each run begins with others, so that all get
       their turn.
    2. Take the locks of these that are free at once; where none is, wait for the first.
    3. Promote at each.
    """
    venue_ids = await queue_store.open_venues(tx, limit=VENUES_MAX)
    if not venue_ids:
        return 0
    first = int(tx.now.timestamp()) // SWEEP_S * limit % len(venue_ids)
    turn = (venue_ids[first:] + venue_ids[:first])[:limit]
    keys = {lock_key(id_): id_ for id_ in turn}
    locked = {keys[key] for key in await lock_some(tx, list(keys))}
    found = await _venues(tx, sorted(locked), places)
    return sum([await promote(tx, venue, places=places, pricing=pricing) for venue in found])
