"""Something wanted, understood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfast.booking.choose import Demand, candidate_sets, distinct, named_resources
from holdfast.booking.model import Booking
from holdfast.booking.wanted import Wanted, When
from holdfast.claim.model import Probe, claimed_span
from holdfast.kernel.actor import Actor
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue


@dataclass(frozen=True, slots=True)
class Prepared:
    """Something wanted, worked out as far as the venue's rules alone go.

    `sets`: the resources that would do, best first. `rest`: those further down, which are looked at when
    none of these is free: of a large venue nearly nobody needs to know all of the ledger.
    """

    wanted: Wanted
    venue: Venue
    span: Span
    slot_id: str | None
    sets: tuple[tuple[Resource, ...], ...]
    rest: tuple[tuple[Resource, ...], ...] = ()

    def in_full(self) -> Prepared:
        """The same with the sets further down among the others."""
        return replace(self, sets=self.sets + self.rest, rest=()) if self.rest else self

    def probes(self) -> Iterator[Probe]:
        """What must be known of the ledger to decide."""
        for resource in distinct(self.sets):
            yield self.venue.tenant_id, resource.id, claimed_span(resource, self.span)


def prepared_at(wanted: Wanted, venue: Venue, span: Span, slot_id: str | None) -> Prepared:
    """It at that time, with every set that would do. Raises as `candidate_sets` does."""
    if wanted.planned:
        sets = (named_resources(venue, wanted.planned),)
    else:
        sets = candidate_sets(venue, Demand(wanted.party_size, wanted.resource_ids, wanted.preferences))
    return Prepared(wanted, venue, span, slot_id, sets)


def wanted_anew(booking: Booking, actor: Actor) -> Wanted:
    """The booking as if it were wanted anew, on its own resources; when, the booking says."""
    return Wanted(
        id=booking.id,
        tenant_id=booking.tenant_id,
        venue_id=booking.venue_id,
        actor=actor,
        when=When(),
        party_size=booking.party_size,
        resource_ids=booking.resource_ids,
    )
