"""Claims, and what a decision knows of the occupancy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Final, Literal
from uuid import UUID

from holdfast.kernel.span import Span, most_at_once
from holdfast.kernel.value import value
from holdfast.pacing.arrived import ArrivingParty
from holdfast.place.venue import Resource

BEGINNING, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ClaimState = Literal["held", "pending_approval", "confirmed", "blocked"]

_MINUTE = timedelta(minutes=1)

CLEANING: Final = "cleaning"
"""The owner kind of a claim that outlasts its booking: the party has left and the place is being cleaned."""

UNBOUND: Final = "unbound"
"""The owner kind of a claim of a booking that was promised a type: it may move to any resource of that type."""

Probe = tuple[UUID, UUID, Span]
"""A query to the ledger: tenant, resource, and span (buffers included)."""


@value()
class Claim:
    """One unit of one resource, occupied by its owner during a span (buffers included).

    `expires_at`: set for a hold; from then on the claim no longer blocks others. `state`: the resource's state on a
    floor plan because of this claim. `changed_by`: the actor who set the state.
    """

    tenant_id: UUID
    resource_id: UUID
    unit: int
    span: Span
    owner_id: UUID
    owner_kind: str = "booking"
    expires_at: datetime | None = None
    state: ClaimState = "confirmed"
    changed_by: str = "system"

    def stands(self, now: datetime) -> bool:
        """Returns whether the claim still occupies the unit at `now`."""
        return self.expires_at is None or self.expires_at > now

    def row(self) -> dict[str, object]:
        """Returns one element of the array that `store.take_from` inserts."""
        return {
            "tenant_id": self.tenant_id,
            "resource_id": self.resource_id,
            "unit": self.unit,
            "during": f"[{self.span.start.isoformat()},{self.span.end.isoformat()})",
            "owner_kind": self.owner_kind,
            "owner_id": self.owner_id,
            "expires_at": self.expires_at,
            "state": self.state,
            "changed_by": self.changed_by,
        }


def clear_of(claim: Claim, others: Iterable[Claim], *, units: int = 0) -> Claim | None:
    """Returns the claim, shortened to end where the first of the others begins; None if nothing of it is left.

    `units`: of the resource. If another of these units is free for longer, the claim moves there.
    """
    ends = dict.fromkeys((claim.unit, *range(1, units + 1)), claim.span.end)
    for other in others:
        if other.resource_id == claim.resource_id and other.unit in ends and other.span.overlaps(claim.span):
            ends[other.unit] = min(ends[other.unit], other.span.start)
    unit = max(ends, key=ends.__getitem__)  # of equal ones the first, which is its own unit
    start, end = claim.span.start, ends[unit]
    return replace(claim, unit=unit, span=Span(start, end)) if start < end else None


@dataclass(slots=True)
class Shift:
    """What a change did to the ledger and to arrivals: the claims removed and added, who arrives since then (`came`)
    and who no longer does (`gone`)."""

    freed: list[Claim] = field(default_factory=list)
    taken: list[Claim] = field(default_factory=list)
    came: list[ArrivingParty] = field(default_factory=list)
    gone: list[ArrivingParty] = field(default_factory=list)

    def __add__(self, other: Shift) -> Shift:
        return Shift(
            self.freed + other.freed, self.taken + other.taken, self.came + other.came, self.gone + other.gone
        )


def claimed_span(resource: Resource, span: Span) -> Span:
    """Returns what a booking of that span claims of the resource: the span plus the resource's buffers."""
    before, after = resource.buffer_before_minutes, resource.buffer_after_minutes
    if not before and not after:
        return span
    return Span(span.start - before * _MINUTE, span.end + after * _MINUTE)


def units_needed(resource: Resource, leaf: Resource, party_size: int) -> int:
    """Returns how many units of the leaf a party takes that books the resource. A whole takes all of its parts."""
    if resource.leaves:
        return leaf.units
    return party_size if resource.takes == "guests" else 1


@dataclass(slots=True)
class Occupancy:
    """The claims relevant to a decision, by resource; the decision adds its own as it goes.

    `ahead`: for a resource, the span in which all claims are known, beyond the span that was queried.
    """

    now: datetime
    by_resource: dict[UUID, list[Claim]] = field(default_factory=dict)
    ahead: dict[UUID, Span] = field(default_factory=dict)
    _was: dict[Claim, Claim] = field(default_factory=dict)

    @classmethod
    def of(cls, claims: Iterable[Claim], *, now: datetime) -> Occupancy:
        occupancy = cls(now)
        for claim in claims:
            occupancy.add(claim)
        return occupancy

    def add(self, claim: Claim) -> None:
        self.by_resource.setdefault(claim.resource_id, []).append(claim)

    def learn(self, claims: Iterable[Claim], probes: Iterable[Probe]) -> None:
        """Adds the ledger's answer to these probes, except known claims, which may have been moved since."""
        known = {*self._was.values(), *chain.from_iterable(self.by_resource.values())}
        for claim in claims:
            if claim not in known:
                self.add(claim)
        self.ahead |= {resource_id: span for _, resource_id, span in probes}

    def move(self, claim: Claim, unit: int, resource_id: UUID | None = None) -> None:
        """Moves the claim to that unit, of its resource or of another one."""
        moved = replace(claim, unit=unit, resource_id=resource_id or claim.resource_id)
        self.by_resource[claim.resource_id].remove(claim)
        self.add(moved)
        self._was[moved] = self._was.pop(claim, claim)

    def copied(self) -> Occupancy:
        """Returns a copy that can be changed without changing this one."""
        by_resource = {id_: [*claims] for id_, claims in self.by_resource.items()}
        return Occupancy(self.now, by_resource, {**self.ahead}, {**self._was})

    def alone(self, resource_ids: Iterable[UUID]) -> Occupancy:
        """Returns a copy of what is known of these resources. What has moved already is where it is."""
        by_resource = {id_: [*self.by_resource.get(id_, ())] for id_ in resource_ids}
        return Occupancy(self.now, by_resource, {**self.ahead})

    @property
    def moved(self) -> dict[Claim, Claim]:
        """The claims that changed units or resources: original -> moved."""
        return {was: claim for claim, was in self._was.items() if was != claim}

    def standing(self, resource: Resource, span: Span, *, but: UUID | None = None) -> list[Claim]:
        """Returns the claims that block a booking of that span, except those of owner `but`."""
        return self.standing_in(resource, claimed_span(resource, span), but=but)

    def standing_in(self, resource: Resource, wanted: Span, *, but: UUID | None = None) -> list[Claim]:
        """Returns the claims that overlap the span. Claims on units that the resource no longer has block nobody."""
        return [
            claim
            for claim in self.by_resource.get(resource.id, ())
            if claim.owner_id != but
            and claim.span.start < wanted.end
            and wanted.start < claim.span.end
            and claim.stands(self.now)
            and claim.unit <= resource.units
        ]

    def within(self, probes: Iterable[Probe]) -> Iterator[Claim]:
        """Yields the claims that block a probe; a claim may come more than once."""
        for _, resource_id, span in probes:
            for claim in self.by_resource.get(resource_id, ()):
                if claim.span.overlaps(span) and claim.stands(self.now):
                    yield claim

    def free_units(
        self, resource: Resource, span: Span, *, units: int = 1, but: UUID | None = None
    ) -> tuple[int, ...] | None:
        """Returns the lowest units that are free for the whole span, as many as wanted; None if there are fewer."""
        taken = {claim.unit for claim in self.standing(resource, span, but=but)}
        if len(taken) + units > resource.units:
            return None
        free = (unit for unit in range(1, resource.units + 1) if unit not in taken)
        return tuple(islice(free, units))

    def has_room(self, resource: Resource, span: Span, *, units: int = 1, but: UUID | None = None) -> bool:
        """Returns whether that many units are free at every instant of the span, not necessarily always the same."""
        standing, most = self.standing(resource, span, but=but), resource.units - units
        return len(standing) <= most or most_at_once(each.span for each in standing) <= most

    def expired_in_the_way(self, claims: Iterable[Claim]) -> set[tuple[UUID, UUID]]:
        """Returns the expired holds, as (tenant, owner), whose claims are still where the new ones have to go."""
        return {
            (old.tenant_id, old.owner_id)
            for new in claims
            for old in self.by_resource.get(new.resource_id, ())
            if old.unit == new.unit and not old.stands(self.now) and old.span.overlaps(new.span)
        }


def columns(probes: Iterable[Probe]) -> tuple[list[UUID], list[UUID], list[datetime], list[datetime]]:
    """Returns the probes as the four arrays that the statements take, without duplicates."""
    asked = list(dict.fromkeys(probes))
    return (
        [tenant for tenant, _, _ in asked],
        [resource for _, resource, _ in asked],
        [span.start for _, _, span in asked],
        [span.end for _, _, span in asked],
    )
