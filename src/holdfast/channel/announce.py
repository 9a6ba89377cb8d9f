"""Announces changes of the ledger on the availability channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from uuid import UUID

from holdfast.channel import names
from holdfast.channel.closed import closed_in, is_held_back, is_time, times_for_guests
from holdfast.channel.state import slot_state
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Shift, claimed_span
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening.slot import DAY_SLOT_ID, running_on, slot_span
from holdfast.place.venue import Resource, Venue

AVAILABILITY_UPDATED = "availability.updated"
DAYS_KEPT_MAX = 8192
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DatedSlot:
    """A slot of one opening day: its channel and its span."""

    channel: str
    day: date
    id: str
    span: Span


@dataclass(frozen=True, slots=True)
class _Rules:
    """A cache key: a venue at one version of its rules."""

    venue_id: UUID
    version: int
    venue: Venue = field(compare=False)


def slots_of_day(venue: Venue, day: date) -> tuple[DatedSlot, ...]:
    """Returns the slots of an opening day, also when the venue is closed that day: bookings made before the day was
    closed still have to be shown."""
    return _slots_of_day(_Rules(venue.id, venue.rules_version, venue), day)


@lru_cache(maxsize=DAYS_KEPT_MAX)
def _slots_of_day(rules: _Rules, day: date) -> tuple[DatedSlot, ...]:
    venue = rules.venue
    ids = [each.id for each in running_on(venue, day)] if venue.slots else [DAY_SLOT_ID]
    return tuple(DatedSlot(names.availability(day, id_), day, id_, slot_span(venue, day, id_)) for id_ in ids)


async def announce(tx: Tx, venue: Venue, shift: Shift, *, reason: str) -> None:
    """Emits an event for each resource whose state in a slot differs because of the shift.

    1. Find the slots that the shift touches and which of their channels are open. Nobody has seen the state of a slot
       whose channel is not open, so there is nothing to correct.
    2. Read the current claims on these slots; the previous ones follow from the shift.
    3. Where the two states differ, emit an event on the slot's channel.
    Runs under the venue's lock, in the transaction of the change, once for all its changes. `venue`: as the
    transaction sees it. `reason`: what happened, for staff.
    """
    slots = touched(venue, (*shift.freed, *shift.taken))
    if not slots:
        return
    open_names = await which_open(
        tx, tenant_id=venue.tenant_id, venue_id=venue.id, names={slot.channel for slot in slots}
    )
    shown = {slot: resources for slot, resources in slots.items() if slot.channel in open_names}
    if shown:
        now = await claims.overlapping(tx, _probes(venue, shown))
        await emit(tx, list(_events(tx, venue, shown, shift, now, reason)))


WHICH_OPEN = """
    SELECT name FROM channel WHERE tenant_id = $1 AND venue_id = $2 AND name = ANY ($3::text[])
"""


async def which_open(tx: Tx, *, tenant_id: UUID, venue_id: UUID, names: Collection[str]) -> set[str]:
    """Returns which of the venue's channels are open."""
    rows = await tx.fetch(WHICH_OPEN, tenant_id, venue_id, list(names))
    return {row["name"] for row in rows}


def _probes(venue: Venue, shown: dict[DatedSlot, dict[UUID, Resource]]) -> Iterator[tuple[UUID, UUID, Span]]:
    for slot, resources in shown.items():
        for resource in resources.values():
            for leaf in resource.claimed:
                yield venue.tenant_id, leaf.id, claimed_span(leaf, slot.span)


def _events(
    tx: Tx,
    venue: Venue,
    shown: dict[DatedSlot, dict[UUID, Resource]],
    shift: Shift,
    now: list[Claim],
    reason: str,
) -> Iterator[Event]:
    taken = set(map(_key, shift.taken))
    after, freed, new = (
        Occupancy.of(each, now=tx.now).by_resource for each in (now, shift.freed, shift.taken)
    )
    for slot in sorted(shown, key=lambda each: each.channel):
        for resource in sorted(shown[slot].values(), key=lambda each: each.order):
            here = _on(resource, after)
            was = [claim for claim in here if _key(claim) not in taken] + _on(resource, freed)
            old, state = slot_state(resource, slot.span, was), slot_state(resource, slot.span, here)
            if old == state:
                continue
            by = [
                each.changed_by
                for leaf in resource.claimed
                for each in new.get(leaf.id, ())
                if each.span.overlaps(claimed_span(leaf, slot.span))
            ]
            yield Event(
                id=new_id(),
                tenant_id=venue.tenant_id,
                event_type=AVAILABILITY_UPDATED,
                venue_id=venue.id,
                subject_id=resource.id,
                payload={
                    "section_id": resource.id,
                    "slot_id": slot.id,
                    "date": slot.day,
                    "previous_state": old.state,
                    "new_state": state.state,
                    "units_free": state.units_free,
                    "closed": resource.id in closed_in(venue, slot.day, slot.span),
                    "held_back": is_held_back(venue, resource.id, slot.day, slot.span, now=tx.now),
                    "guests": is_time(times_for_guests(venue, slot.day, slot.span)[resource.id], tx.now),
                    "changed_by": state.changed_by,
                    "reason": reason,
                    "updated_at": tx.now,
                },
                actor=by[-1] if by else str(tx.actor),
                created_at=tx.now,
                traceparent=tx.traceparent,
                channel=slot.channel,
            )


def _on(resource: Resource, claims: Mapping[UUID, list[Claim]]) -> list[Claim]:
    return [claim for leaf in resource.claimed for claim in claims.get(leaf.id, ())]


def _key(claim: Claim) -> tuple[UUID, UUID, Span]:
    """Identifies a claim wherever it has moved: units are anonymous."""
    return claim.owner_id, claim.resource_id, claim.span


def touched(venue: Venue, claims: Iterable[Claim]) -> dict[DatedSlot, dict[UUID, Resource]]:
    """Returns the slots that share time with the claims, and on which resources: those claimed, and their wholes."""
    found: dict[DatedSlot, dict[UUID, Resource]] = {}
    seen: set[tuple[UUID, Span]] = set()
    for claim in claims:
        resource = venue.resources.get(claim.resource_id)
        if resource is None or (resource.id, claim.span) in seen:
            continue
        seen.add((resource.id, claim.span))
        for each in (resource, *venue.wholes.get(resource.id, ())):
            for slot in _slots_around(venue, each, claim.span):
                found.setdefault(slot, {})[each.id] = each
    return found


def _slots_around(venue: Venue, resource: Resource, span: Span) -> Iterator[DatedSlot]:
    """Yields the slots whose window on the resource overlaps the span. A slot starts on its opening day or the next
    one, and lasts up to a day."""
    # A slot's window is the slot and the resource's buffers: it reaches the span where the slot reaches these instants.
    earliest = span.start - timedelta(minutes=resource.buffer_after_minutes)
    latest = span.end + timedelta(minutes=resource.buffer_before_minutes)
    first, last = earliest.astimezone(venue.tz).date() - 2 * _DAY, latest.astimezone(venue.tz).date()
    for number in range((last - first).days + 1):
        for slot in slots_of_day(venue, first + number * _DAY):
            if slot.span.start < latest and earliest < slot.span.end:
                yield slot
