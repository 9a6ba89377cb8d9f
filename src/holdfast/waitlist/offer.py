"""Makes a few planned offers: the short part of a promotion, under the venue's lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from uuid import UUID

from holdfast.assigning.choose import claimed_by
from holdfast.booking.deciding.prepare import usual_minutes
from holdfast.booking.making.create import Booked, create
from holdfast.booking.model import Details
from holdfast.booking.wanted import Wanted, When
from holdfast.channel import store as channels
from holdfast.channel.names import BOOKINGS
from holdfast.claim import store as claims
from holdfast.claim.model import Claim, Occupancy, Probe, claimed_span, units_needed
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.tx import Tx
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.pacing.limits import is_paced
from holdfast.place.places import Places, rules_version
from holdfast.place.venue import Resource, Venue
from holdfast.waitlist import queue_store, store
from holdfast.waitlist.model import SOURCE, EntryStatus, moved
from holdfast.waitlist.plan import Offer, QueueSnapshot

OFFER_TTL_S_MIN = 60
"""Even if the visit is about to begin: nobody could answer in less."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The next few offers of a plan.

    `version`: of the venue's channel `bookings`; everything up to it leaves the offers valid. None: that is not known,
    since something changed while an earlier batch was made. `before`: the entries
    that already got an offer from this plan. `strictly`: if False, the offers are made even though something may have
    become free since, as if they had been made before that.
    """

    seen: QueueSnapshot
    offers: Sequence[Offer]
    version: int | None
    before: Collection[UUID] = ()
    strictly: bool = True

    @property
    def venue(self) -> Venue:
        return self.seen.venue


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The outcome of a batch: the entries that got an offer, and those whose booking was refused.

    `version`: of the venue's channel `bookings`, including these offers; None if something has changed and nothing
    was written. `is_alone`: nothing but these offers has changed anything since the batch's own version.
    """

    entries: Sequence[UUID] = ()
    refused: Sequence[UUID] = ()
    version: int | None = None
    is_alone: bool = False


async def offer(tx: Tx, batch: Batch, *, places: Places) -> BatchResult:
    """Makes the offers if nothing has changed since they were planned. Runs under the venue's lock."""
    venue, offers = batch.venue, batch.offers
    if await rules_version(tx, venue) != venue.rules_version:
        return BatchResult()
    is_alone = await _version(tx, venue) == batch.version
    if not is_alone:
        offers = () if batch.strictly else await _still_free(tx, batch)
    if not offers:
        return BatchResult()
    wanted = [_wanted(tx, venue, each) for each in offers]
    outcomes = await create(tx, wanted, places=places, further_max=len(wanted))
    offered = [
        moved(
            each.entry,
            EntryStatus.OFFERED,
            now=tx.now,
            booking_id=outcome.booking.id,
            offer_expires_at=outcome.booking.expires_at,
        )
        for each, outcome in zip(offers, outcomes, strict=True)
        if isinstance(outcome, Booked)
    ]
    await store.save(tx, offered, actor=str(SYSTEM))
    made = [each.id for each in offered]
    refused = [each.entry.id for each in offers if each.entry.id not in made]
    return BatchResult(made, refused, await _version(tx, venue), is_alone)


async def recheck(tx: Tx, batch: Batch) -> int | None:
    """Returns the version of the venue's channel if everything up to it leaves the offers valid, or None if they must
    be planned again. Runs without a lock.

    They are valid while the same entries wait up to the last one, their places are free, and nothing has become free
    nearby that could make a place for an entry that has waited longer.
    """
    venue = batch.venue
    if is_paced(venue) or venue.policy.fair_use:
        return None  # one arrival fewer, at any table, may make room; and so may another booking of the guest
    if venue.policy.bind_group != "at_once":
        return None  # promises move, and the plan has moved some of them
    if await rules_version(tx, venue) != venue.rules_version:
        return None
    version = await _version(tx, venue)
    if len(await _still_free(tx, batch)) < len(batch.offers):
        return None
    probes = _around(batch)
    seen = Counter(map(_key, set(batch.seen.outlook.occupancy.within(probes))))
    return version if seen <= Counter(map(_key, await claims.overlapping(tx, probes))) else None


async def _version(tx: Tx, venue: Venue) -> int:
    return await channels.version(tx, tenant_id=venue.tenant_id, venue_id=venue.id, name=BOOKINGS)


async def _still_free(tx: Tx, batch: Batch) -> list[Offer]:
    """Returns the offers before the first whose place is taken; none if the queue up to the last one has changed."""
    last = batch.offers[-1].entry.seq
    planned = [
        (each.seq, each.version)
        for each in batch.seen.entries
        if each.seq <= last and each.id not in batch.before
    ]
    if await queue_store.in_line(tx, batch.venue, batch.seen.piece, up_to=last) != planned:
        return []
    probes = [
        (batch.venue.tenant_id, leaf.id, claimed_span(leaf, each.span))
        for each in batch.offers
        for leaf in claimed_by([each.resources])
    ]
    now = Occupancy.of(await claims.overlapping(tx, probes), now=tx.now)
    return list(takewhile(lambda offer: _has_room(now, offer), batch.offers))


def _has_room(now: Occupancy, offer: Offer) -> bool:
    return offer.is_promise or all(
        now.has_room(leaf, offer.span, units=units_needed(each, leaf, offer.entry.party_size))
        for each in offer.resources
        for leaf in each.claimed
    )


def _around(batch: Batch) -> list[Probe]:
    """Returns the only probes of the ledger where something freed could let an entry that has waited longer use a
    place of this batch: resources that can be combined with an offered one, during visits that overlap the offer's."""
    venue, seen = batch.venue, batch.seen
    longest = max(entry.length for entry in seen.entries)
    return list(
        dict.fromkeys(
            (venue.tenant_id, id_, Span(each.span.start - longest, each.span.end + longest))
            for each in batch.offers
            for id_ in _combinable(seen, each.resources)
        )
    )


def _combinable(seen: QueueSnapshot, resources: Sequence[Resource]) -> set[UUID]:
    """Returns these resources and those that may be booked together with one of them."""
    venue, beside = seen.venue, {each.id for each in resources}
    named = [set(demand.resource_ids) for demand in seen.sets if not beside.isdisjoint(demand.resource_ids)]
    for _ in range(venue.policy.combination_resources_max - 1):
        beside |= {other for id_ in beside for other in venue.joins.get(id_, ())}
    beside = beside.union(*named)
    return beside.union(*(venue.sharing(id_) for id_ in beside)) if venue.wholes else beside


def _key(claim: Claim) -> tuple[UUID, Span, UUID]:
    """Returns what can't change in a claim without freeing something. Moving to another unit frees nothing."""
    return claim.resource_id, claim.span, claim.owner_id


def _wanted(tx: Tx, venue: Venue, planned: Offer) -> Wanted:
    entry, span = planned.entry, planned.span
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=span.start, end=span.end),
        party_size=entry.party_size,
        resource_ids=() if planned.is_promise else tuple(resource.id for resource in planned.resources),
        preferences=entry.preferences,
        named=bool(entry.resource_ids),
        length_asked=entry.duration_minutes != usual_minutes(venue.policy, entry.party_size),
        guest=entry.guest,
        asked_by=entry.asker,
        hold=True,
        hold_ttl_seconds=_ttl_s(tx, venue, span),
        details=Details(source=SOURCE),
        traceparent=tx.traceparent,
    )


def _ttl_s(tx: Tx, venue: Venue, span: Span) -> int:
    """Returns how long the offer is open: until the visit starts at most, so that the next guest can still come."""
    until_start_s = int((span.start - tx.now).total_seconds())
    return min(venue.policy.offer_ttl_seconds, max(until_start_s, OFFER_TTL_S_MIN))
