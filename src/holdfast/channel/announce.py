"""Announces changes of the ledger and of arrivals on the availability channels."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from holdfast.channel.closed import closed_in
from holdfast.channel.crowd import NOT_FULL, Full, around, full_in
from holdfast.channel.slots import DatedSlot, slots_of_day
from holdfast.channel.store import is_around
from holdfast.channel.told import Told
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Shift, claimed_span
from holdfast.event.emit import emit
from holdfast.event.model import Event
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.pacing.limits import is_paced
from holdfast.pacing.store import counted_around, read_standing
from holdfast.place.opening.nights import shortest_reaches
from holdfast.place.policies.withhold import groups_held_for
from holdfast.place.venue import Resource, Venue

AVAILABILITY_UPDATED = "availability.updated"
_DAY = timedelta(days=1)
Touched = dict[DatedSlot, dict[UUID, Resource]]


async def announce(tx: Tx, venue: Venue, shift: Shift, *, reason: str) -> None:
    """Emits an event for each resource of which a slot's channel has to say something else because of the shift.

    1. Find which channels are open around the shift. Nobody has seen the state of a slot whose channel is not open, so
       there is nothing to correct. Mostly that is all.
    2. Of their slots, find those that the claims touch, and those for which it may count who arrives. Where that
       leaves other bookings without room than before, all resources are touched.
    3. Read the current claims on these slots; the previous ones follow from the shift.
    4. Where the two differ, emit an event on the slot's channel.
    Runs under the venue's lock, in the transaction of the change, once for all its changes. `venue`: as the
    transaction sees it. `reason`: what happened, for staff.
    """
    changed = [each.span for each in (*shift.freed, *shift.taken) if each.resource_id in venue.resources]
    arrivals = [each.start for each in (*shift.came, *shift.gone) if each.venue_id == venue.id]
    names = await _open_around(tx, venue, [*changed, *(Span(each, each) for each in arrivals)])
    if not names:
        return
    slots = touched(venue, (*shift.freed, *shift.taken))
    shown = {slot: resources for slot, resources in slots.items() if slot.channel in names}
    crowded = {slot for slot in around_arrivals(venue, arrivals) if slot.channel in names}
    was, full = await _full(tx, venue, {*shown, *crowded}, shift)
    active = {each.id: each for each in venue.resources.values() if each.active}
    shown |= {slot: active for slot in crowded if was.get(slot) != full.get(slot)}
    if shown:
        now = await claims.overlapping(tx, _probes(venue, shown))
        await emit(tx, list(_events(tx, venue, shown, shift, now, was, full, reason)))


OPEN_AROUND = f"""
    SELECT name FROM channel
     WHERE tenant_id = $1 AND venue_id = $2 AND {is_around("name", "$3::date", "$4::date")}
"""


async def _open_around(tx: Tx, venue: Venue, changed: Sequence[Span]) -> set[str]:
    """Returns which channels are open of the slots that these changes could touch, and maybe others."""
    if not changed:
        return set()
    # Who arrives before a changed night may need it too.
    reach = timedelta() if venue.stay is None else shortest_reaches(venue)
    span = Span(min(each.start for each in changed) - reach, max(each.end for each in changed))
    rows = await tx.fetch(OPEN_AROUND, venue.tenant_id, venue.id, span.start.date(), span.end.date())
    return {row["name"] for row in rows}


async def _full(
    tx: Tx, venue: Venue, slots: Collection[DatedSlot], shift: Shift
) -> tuple[dict[DatedSlot, Full], dict[DatedSlot, Full]]:
    """Returns for which bookings of the slots there was no room before the shift, and for which there is none now."""
    near = [at for each in slots if (at := around(venue, each)) is not None] if is_paced(venue) else []
    if not near:
        return {}, {}
    arrived = await read_standing(tx, venue, near)
    came, gone = ([each for each in of if each.venue_id == venue.id] for of in (shift.came, shift.gone))
    before = arrived.before(came, gone=gone)
    return (
        {slot: full_in(venue, slot, before) for slot in slots},
        {slot: full_in(venue, slot, arrived) for slot in slots},
    )


def around_arrivals(venue: Venue, starts: Collection[datetime]) -> set[DatedSlot]:
    """Returns the slots for whose bookings it counts who arrives at these times."""
    if not is_paced(venue):
        return set()
    near = {counted_around(venue, Span(each, each)) for each in starts}
    return {
        slot
        for span in near
        for slot in _slots_between(venue, span.start, span.end)
        if slot.span.start <= span.end and span.start < slot.span.end
    }


def _probes(venue: Venue, shown: Touched) -> Iterator[tuple[UUID, UUID, Span]]:
    for slot, resources in shown.items():
        for resource in resources.values():
            for leaf in resource.claimed:
                yield venue.tenant_id, leaf.id, claimed_span(leaf, slot.asked)


def _events(
    tx: Tx,
    venue: Venue,
    shown: Touched,
    shift: Shift,
    now: list[Claim],
    was_full: Mapping[DatedSlot, Full],
    is_full: Mapping[DatedSlot, Full],
    reason: str,
) -> Iterator[Event]:
    taken = set(map(_key, shift.taken))
    after, freed, new = (
        Occupancy.of(each, now=tx.now).by_resource for each in (now, shift.freed, shift.taken)
    )
    for slot in sorted(shown, key=lambda each: each.channel):
        before, full = was_full.get(slot, NOT_FULL), is_full.get(slot, NOT_FULL)
        for resource in sorted(shown[slot].values(), key=lambda each: each.order):
            here = _on(resource, after)
            was = [claim for claim in here if _key(claim) not in taken] + _on(resource, freed)
            old, told = (Told.of(venue, slot, resource, *each) for each in ((was, before), (here, full)))
            to_guests = _to_guests(venue, slot, resource, (old, before), (told, full), tx.now)
            if to_guests is None:
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
                    "previous_state": old.state.state,
                    "new_state": told.state.state,
                    "units_free": told.state.units_free,
                    "units_for_guests": told.units_for_guests,
                    "closed": resource.id in closed_in(venue, slot),
                    "changed_by": told.state.changed_by,
                    "reason": reason,
                    "updated_at": tx.now,
                }
                | to_guests,
                actor=by[-1] if by else str(tx.actor),
                created_at=tx.now,
                traceparent=tx.traceparent,
                channel=slot.channel,
            )


def _to_guests(
    venue: Venue,
    slot: DatedSlot,
    resource: Resource,
    before: tuple[Told, Full],
    after: tuple[Told, Full],
    now: datetime,
) -> dict[str, Any] | None:
    """Returns what an event says to guests, the public first; None if nothing differs, for staff neither."""
    differs, said = False, list[dict[str, Any]]()
    for groups in (frozenset[str](), *groups_held_for(venue, resource)):
        old, told = (each.for_groups(venue, slot, resource, full, groups) for each, full in (before, after))
        differs = differs or old != told
        said.append(
            {
                "groups": sorted(groups),
                "times": [[*each] for each in told.times],
                "guests_could": old.is_for_guests(now),
                "guests_cannot": told.why_not(venue, slot, resource, after[1], now=now, groups=groups),
            }
        )
    return said[0] | {"for_groups": said[1:]} if differs else None


def _on(resource: Resource, claims: Mapping[UUID, list[Claim]]) -> list[Claim]:
    return [claim for leaf in resource.claimed for claim in claims.get(leaf.id, ())]


def _key(claim: Claim) -> tuple[UUID, UUID, Span]:
    """Identifies a claim wherever it has moved: units are anonymous."""
    return claim.owner_id, claim.resource_id, claim.span


def touched(venue: Venue, claims: Iterable[Claim]) -> Touched:
    """Returns the slots for which it counts what happens to the claims, and on which resources: those claimed, and
    their wholes."""
    found: Touched = {}
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
    """Yields the slots whose window on the resource overlaps the span."""
    # A slot's window is the slot and the resource's buffers: it reaches the span where the slot reaches these instants.
    earliest = span.start - timedelta(minutes=resource.buffer_after_minutes)
    latest = span.end + timedelta(minutes=resource.buffer_before_minutes)
    for slot in _slots_between(venue, earliest, latest):
        if slot.span.start < latest and earliest < max(slot.span.end, slot.asked.end):
            yield slot


def _slots_between(venue: Venue, earliest: datetime, latest: datetime) -> Iterator[DatedSlot]:
    """Yields the slots that can have to do with that time. A slot starts on its opening day or the next one, and lasts
    up to a day, or is asked for with the nights after it."""
    reach = 2 * _DAY + shortest_reaches(venue)
    first, last = earliest.astimezone(venue.tz).date() - reach, latest.astimezone(venue.tz).date()
    for number in range((last - first).days + 1):
        yield from slots_of_day(venue, first + number * _DAY)
