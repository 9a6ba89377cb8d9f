"""What makes a queue move: places that become free, and a regular sweep for what was missed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from holdfast.booking.states import OCCUPYING, Status
from holdfast.engine import Engine
from holdfast.event.model import Event
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx, plain_id
from holdfast.kernel.errors import Overloaded
from holdfast.kernel.span import Span
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import Entry, EntryStatus
from holdfast.waitlist.offer import SOURCE
from holdfast.waitlist.promote import Promotion

log = structlog.get_logger(__name__)

SWEEP_S = 30
VENUES_SWEPT_MAX = 20
VENUES_MAX = 10_000
"""The most venues with a waitlist that sweeps cover."""
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
    """Returns the events that free something at a venue with open entries."""
    freeing = [(event, event.venue_id) for event in events if event.venue_id is not None and _frees(event)]
    found = await _awaiting(tx, ((event.tenant_id, venue_id) for event, venue_id in freeing))
    return [event for event, venue_id in freeing if venue_id in found]


AWAITED = """
    SELECT v.id FROM unnest($1::uuid[], $2::uuid[]) AS v (tenant_id, id),
           LATERAL (SELECT FROM waitlist_entry AS e
                     WHERE e.tenant_id = v.tenant_id AND e.venue_id = v.id AND e.status IN ('WAITING', 'OFFERED')
                     ORDER BY e.seq
                     LIMIT 1) AS first
"""


async def _awaiting(tx: Tx, venues: Iterable[tuple[UUID, UUID]]) -> set[UUID]:
    """Returns which of these venues, given as (tenant, venue), have open entries."""
    asked = sorted(set(venues))
    if not asked:
        return set()
    rows = await tx.fetch(AWAITED, [tenant for tenant, _ in asked], [venue for _, venue in asked])
    return {plain_id(row["id"]) for row in rows}


async def promote_freed(engine: Engine, event: Event, finish: Callable[[Tx], Awaitable[None]]) -> None:
    """Offers what the event has freed to the entries that wait for it.

    For events about bookings, blocks and the waitlist itself: somebody who joins may find something free too. It takes
    several transactions, and is safe to run again after any of them. `finish`: runs in the last one.
    """
    call = engine.db.call(SYSTEM, tenants=[event.tenant_id], lane="changes")
    found = await call.run(_concerned, event)
    if found and event.venue_id is not None:
        promotion = Promotion(engine, event.tenant_id, event.venue_id, event.traceparent)
        if found is True or await promotion.has_place(found):
            await promotion.run(_span(event))
    await call.run(finish)


async def _concerned(tx: Tx, event: Event) -> Entry | bool:
    """Returns whether a queue may move because of it; if somebody has joined, the entry."""
    if event.venue_id is None or not _frees(event):
        return False
    if not await _awaiting(tx, [(event.tenant_id, event.venue_id)]):
        return False
    if event.event_type == "waitlist.joined":
        entry = await store.get(tx, event.tenant_id, event.subject_id)
        return entry if entry.status is EntryStatus.WAITING else False
    return event.event_type != "booking.updated" or await _moved(tx, event)


def _frees(event: Event) -> bool:
    noun, _, what = event.event_type.partition(".")
    if event.event_type not in FREEING:
        return False
    return noun != "booking" or what == "updated" or _left(event.payload)


def _left(payload: dict[str, Any]) -> bool:
    """Whether the booking no longer occupies its resources, or was an offer that is no longer open."""
    before, after = payload.get("from_status"), payload.get("status")
    gave_up = before in OCCUPYING and after not in OCCUPYING
    return gave_up or (before == Status.HELD and payload.get("source") == SOURCE)


async def _moved(tx: Tx, event: Event) -> bool:
    """Whether the change freed any time, place or arrival. Most changes are about the guest."""
    changed = await store.changed_fields(tx, event.tenant_id, event.subject_id, event.payload["version"])
    return changed is None or not OCCUPANCY_FIELDS.isdisjoint(changed)


def _span(event: Event) -> Span | None:
    """Returns the span that was freed; None if the event doesn't say, such as for a block, where it has the new time
    only."""
    payload = event.payload
    if event.event_type == "waitlist.joined":
        end = datetime.fromisoformat(payload["latest"]) + timedelta(minutes=payload["duration_minutes"])
        return Span(datetime.fromisoformat(payload["earliest"]), end)
    if event.event_type == "block.updated" or not (payload.get("start") and payload.get("end")):
        return None
    if event.event_type == "booking.updated" and "previous_start" not in payload:
        return None  # an old event, without the time that the booking was moved from
    start = datetime.fromisoformat(payload.get("previous_start") or payload["start"])
    end = datetime.fromisoformat(payload.get("previous_end") or payload["end"])
    return Span(start, end) if start < end else None


async def sweep(engine: Engine, limit: int = VENUES_SWEPT_MAX) -> int:
    """Makes all possible offers at up to `limit` venues with open entries, whatever happened there, and returns their
    number. Meant to run every SWEEP_S seconds, to find places that no event reported.

    It takes one venue at a time. Each run starts with other venues, so that all get their turn. A venue whose lock it
    can't get in time has to wait for a later run.
    """
    venues, now = await engine.read(SYSTEM, _open_venues)
    first = int(now.timestamp()) // SWEEP_S * limit % max(len(venues), 1)
    offers = 0
    for tenant_id, venue_id in (venues[first:] + venues[:first])[:limit]:
        try:
            offers += await sweep_venue(engine, tenant_id, venue_id)
        except Overloaded as error:
            log.warning("venue_not_swept", venue_id=str(venue_id), error=error.detail)
    return offers


async def sweep_venue(engine: Engine, tenant_id: UUID, venue_id: UUID) -> int:
    """Offers whatever is free at the venue to the entries that wait there. Returns the number of offers made."""
    return await Promotion(engine, tenant_id, venue_id).run()


async def _open_venues(tx: Tx) -> tuple[list[tuple[UUID, UUID]], datetime]:
    return await queue_store.open_venues(tx, limit=VENUES_MAX), tx.now
