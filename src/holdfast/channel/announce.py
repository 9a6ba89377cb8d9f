"""Announces changes of the ledger on the availability channels."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from holdfast.channel import store
from holdfast.channel.state import DatedSlot, slot_state, touched
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Shift, claimed_span
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue

AVAILABILITY_UPDATED = "availability.updated"


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
    open_names = await store.which_open(
        tx, tenant_id=venue.tenant_id, venue_id=venue.id, names={slot.channel for slot in slots}
    )
    shown = {slot: resources for slot, resources in slots.items() if slot.channel in open_names}
    if shown:
        now = await claims.overlapping(tx, _probes(venue, shown))
        await emit(tx, list(_events(tx, venue, shown, shift, now, reason)))


def _probes(venue: Venue, shown: dict[DatedSlot, dict[UUID, Resource]]) -> Iterator[tuple[UUID, UUID, Span]]:
    for slot, resources in shown.items():
        for resource in resources.values():
            yield venue.tenant_id, resource.id, claimed_span(resource, slot.span)


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
            here = after.get(resource.id, [])
            was = [claim for claim in here if _key(claim) not in taken] + freed.get(resource.id, [])
            old, state = slot_state(resource, slot.span, was), slot_state(resource, slot.span, here)
            if old == state:
                continue
            window = claimed_span(resource, slot.span)
            by = [each.changed_by for each in new.get(resource.id, ()) if each.span.overlaps(window)]
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
                    "changed_by": state.changed_by,
                    "reason": reason,
                    "updated_at": tx.now,
                },
                actor=by[-1] if by else str(tx.actor),
                created_at=tx.now,
                traceparent=tx.traceparent,
                channel=slot.channel,
            )


def _key(claim: Claim) -> tuple[UUID, UUID, Span]:
    """Identifies a claim wherever it has moved: units are anonymous."""
    return claim.owner_id, claim.resource_id, claim.span
