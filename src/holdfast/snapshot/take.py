"""Takes a snapshot of a slot at one version of its channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from holdfast.channel import names
from holdfast.channel.crowd import NOT_FULL, Full, around, full_in
from holdfast.channel.slots import DatedSlot, slots_of_day
from holdfast.channel.store import open_channel
from holdfast.channel.told import Told
from holdfast.claim.model import Claim, Probe, claimed_span
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.kernel.db.slices import Slices
from holdfast.kernel.db.tx import Tx, lock_key
from holdfast.kernel.errors import InvalidRequest, NotFound, Overloaded
from holdfast.place.places import Places
from holdfast.place.venue import Resource, Venue
from holdfast.snapshot import store
from holdfast.snapshot.freshness import Revision

TRIES_MAX = 3
"""Reads before giving up, when the venue's rules change during each of them."""


@dataclass(frozen=True, slots=True)
class SlotKey:
    """One slot of one opening day of a venue."""

    tenant_id: UUID
    venue_id: UUID
    day: date
    slot_id: str

    @property
    def channel(self) -> str:
        """The channel's internal name."""
        return names.availability(self.day, self.slot_id)


@dataclass(frozen=True, slots=True)
class Section:
    """A resource in the slot. `reason`: the reason of the block that closes it."""

    resource: Resource
    told: Told
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The states of a venue's active resources in a slot, in display order, at one version. `at`: when it was taken.
    `full`: where no more guests may arrive."""

    venue: Venue
    slot: DatedSlot
    revision: Revision
    sections: tuple[Section, ...]
    at: datetime
    full: Full = NOT_FULL


async def take_snapshot(db: Database, wanted: SlotKey, *, places: Places) -> Snapshot:
    """Reads the snapshot from the database. Opens the channel if it is not open.

    Raises InvalidRequest when the day has no such slot, NotFound for an unknown venue, Overloaded when the venue's
    rules keep changing.
    """
    call = db.call(SYSTEM, tenants=[wanted.tenant_id], own_clock=True)
    taken = await call.run(snapshot, wanted, places=places)
    if taken is None:
        locked = db.call(SYSTEM, tenants=[wanted.tenant_id], locks=[lock_key(wanted.venue_id)])
        taken = await locked.run(opened, wanted, places=places)
    return taken


async def opened(tx: Tx, wanted: SlotKey, *, places: Places) -> Snapshot:
    """Opens the channel and reads the snapshot. Runs under the venue's lock."""
    venue = await venue_of(wanted, places)
    name = slot_of(venue, wanted).channel
    await open_channel(tx, tenant_id=wanted.tenant_id, venue_id=wanted.venue_id, name=name)
    taken = await snapshot(tx, wanted, places=places)
    assert taken is not None
    return taken


async def snapshot(tx: Tx, wanted: SlotKey, *, places: Places) -> Snapshot | None:
    """Reads the snapshot, all at the same instant; None while the channel is not open.

    1. With the cached venue, read the channel, the claims and the version of the venue's rules.
    2. If the cached rules are stale, reload the venue and read again.
    """
    venue = await venue_of(wanted, places)
    for _ in range(TRIES_MAX):
        slot = slot_of(venue, wanted)
        read = await store.read(tx, venue, slot.channel, probes(venue, slot), around(venue, slot))
        if read is None:
            break
        if read.rules_version == venue.rules_version:
            return await shown(venue, slot, read, at=tx.now)
        reloaded = (await places.reload(tx, [venue.id])).get(venue.id)
        if reloaded is None:
            break
        venue = reloaded
    else:
        raise Overloaded("The rules of the venue are changing right now. Try again.")
    raise NotFound(f"There is no venue {wanted.venue_id}.")


async def venue_of(wanted: SlotKey, places: Places) -> Venue:
    """Returns the venue from the cache, possibly stale, or from the database. Raises NotFound."""
    venue = places.at_hand(wanted.venue_id) or await places.venue(wanted.venue_id)
    if venue.tenant_id != wanted.tenant_id:
        raise NotFound(f"There is no venue {wanted.venue_id}.")
    return venue


def slot_of(venue: Venue, wanted: SlotKey) -> DatedSlot:
    """Returns the wanted slot. Raises InvalidRequest when the day has no slot with that id."""
    slots = slots_of_day(venue, wanted.day)
    for slot in slots:
        if slot.id == wanted.slot_id:
            return slot
    raise InvalidRequest.of("slotId", wanted.slot_id, f"must be a slot of {wanted.day}: {slot_ids(slots)}")


def slot_ids(slots: Sequence[DatedSlot]) -> str:
    """Joins the slots' ids for an error message."""
    return ", ".join(slot.id for slot in slots) or "it has none"


def probes(venue: Venue, slot: DatedSlot) -> Iterator[Probe]:
    """Yields the ledger probes: each active resource, for the slot with its buffers."""
    for resource in venue.resources.values():
        for leaf in resource.claimed if resource.active else ():
            yield venue.tenant_id, leaf.id, claimed_span(leaf, slot.asked)


async def shown(venue: Venue, slot: DatedSlot, read: store.SlotRead, *, at: datetime) -> Snapshot | None:
    """Builds the snapshot from what was read; None while the channel is not open."""
    if read.epoch is None or read.version is None:
        return None
    by_resource: dict[UUID, list[Claim]] = {}
    for claim in read.claims:
        by_resource.setdefault(claim.resource_id, []).append(claim)
    active = sorted(
        (resource for resource in venue.resources.values() if resource.active),
        key=lambda resource: resource.order,
    )
    slices, sections, full = Slices(), list[Section](), full_in(venue, slot, read.arrived)
    for resource in active:
        here = [claim for leaf in resource.claimed for claim in by_resource.get(leaf.id, ())]
        told = Told.of(venue, slot, resource, here, full)
        sections.append(Section(resource, told, _reason(slot, resource, told, here, read)))
        await slices.rest()
    revision = Revision(read.epoch, read.version, read.rules_version)
    return Snapshot(venue, slot, revision, tuple(sections), at, full)


def _reason(
    slot: DatedSlot, resource: Resource, told: Told, claims: list[Claim], read: store.SlotRead
) -> str | None:
    """The reason of the block that closes the resource in the slot, not of one in the nights after it."""
    if told.state.state != "blocked":
        return None
    windows = {leaf.id: claimed_span(leaf, slot.span) for leaf in resource.claimed}
    here = [each for each in claims if each.span.overlaps(windows[each.resource_id])]
    owners = [each.owner_id for each in here if each.changed_by == told.state.changed_by]
    reasons = [read.reasons[owner_id] for owner_id in sorted(owners) if owner_id in read.reasons]
    return reasons[-1] if reasons else None
