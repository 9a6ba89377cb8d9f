"""A claim, and who occupies what as far as a decision needs to know it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final, Literal
from uuid import UUID

from holdfast.kernel.span import Span, most_at_once
from holdfast.place.venue import Resource

BEGINNING, NEVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ClaimState = Literal["held", "pending_approval", "confirmed", "blocked"]

CLEANING: Final = "cleaning"
"""The kind of owner of a claim that outlasts its booking: the party has left, and the place is being cleaned."""

Probe = tuple[UUID, UUID, Span]
"""A question to the ledger: tenant, resource, and the span asked about (buffers included)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One unit of one resource, occupied during a span (buffers included) by its owner.

    `expires_at`: of a hold; from then on it stands in nobody's way. `state`: what the resource looks like on a
    floor plan for it. `changed_by`: the actor who made it so.
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
        """Whether it still occupies at that instant of deciding."""
        return self.expires_at is None or self.expires_at > now

    def row(self) -> dict[str, object]:
        """One element of the array that `store.take_from` writes."""
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
    """The claim, ended where the first of the others begins; None when that leaves nothing of it.

    `units`: of the resource. Where another of these units is free for longer, the claim moves there.
    """
    ends = dict.fromkeys((claim.unit, *range(1, units + 1)), claim.span.end)
    for other in others:
        if other.resource_id == claim.resource_id and other.unit in ends and other.span.overlaps(claim.span):
            ends[other.unit] = min(ends[other.unit], other.span.start)
    unit = max(ends, key=ends.__getitem__)  # the first of equals, which is its own
    start, end = claim.span.start, ends[unit]
    return replace(claim, unit=unit, span=Span(start, end)) if start < end else None


@dataclass(slots=True)
class Shift:
    """What a change did to the ledger: the claims that went, and those that came in."""

    freed: list[Claim] = field(default_factory=list)
    taken: list[Claim] = field(default_factory=list)

    def __add__(self, other: Shift) -> Shift:
        return Shift(self.freed + other.freed, self.taken + other.taken)


def claimed_span(resource: Resource, span: Span) -> Span:
    """What a booking of that span claims of the resource: the span with the resource's buffers."""
    before, after = resource.buffer_before_minutes, resource.buffer_after_minutes
    if not before and not after:
        return span
    return Span(span.start - timedelta(minutes=before), span.end + timedelta(minutes=after))


@dataclass(slots=True)
class Occupancy:
    """The claims that concern a decision, by resource; a decision adds its own as it goes along.

    `ahead`: where of a resource all claims are known, beyond the span asked about.
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
        """Adds what the ledger answered to these probes, but for what is known already, and may have moved since."""
        known = {*self._was.values(), *chain.from_iterable(self.by_resource.values())}
        for claim in claims:
            if claim not in known:
                self.add(claim)
        self.ahead |= {resource_id: span for _, resource_id, span in probes}

    def move(self, claim: Claim, unit: int) -> None:
        """From now on the claim is on that unit."""
        claims = self.by_resource[claim.resource_id]
        moved = claims[claims.index(claim)] = replace(claim, unit=unit)
        self._was[moved] = self._was.pop(claim, claim)

    @property
    def moved(self) -> dict[Claim, Claim]:
        """The claims that are on another unit than when they came in: as they were -> as they are."""
        return {was: claim for claim, was in self._was.items() if was != claim}

    def standing(self, resource: Resource, span: Span, *, but: UUID | None = None) -> list[Claim]:
        """Claims in the way of a booking of that span, those of owner `but` left out."""
        return self.standing_in(resource, claimed_span(resource, span), but=but)

    def standing_in(self, resource: Resource, wanted: Span, *, but: UUID | None = None) -> list[Claim]:
        """Claims that share time with the span. What is left on a unit that was taken away is in nobody's way."""
        return [
            claim
            for claim in self.by_resource.get(resource.id, ())
            if claim.owner_id != but
            and claim.span.overlaps(wanted)
            and claim.stands(self.now)
            and claim.unit <= resource.units
        ]

    def within(self, probes: Iterable[Probe]) -> Iterator[Claim]:
        """The claims that stand in the way of a probe; one of several more than once."""
        for _, resource_id, span in probes:
            for claim in self.by_resource.get(resource_id, ()):
                if claim.span.overlaps(span) and claim.stands(self.now):
                    yield claim

    def free_unit(self, resource: Resource, span: Span, *, but: UUID | None = None) -> int | None:
        """The lowest unit that is free for all of the span; None when none is."""
        taken = {claim.unit for claim in self.standing(resource, span, but=but)}
        if len(taken) >= resource.units:
            return None
        return next((unit for unit in range(1, resource.units + 1) if unit not in taken), None)

    def has_room(self, resource: Resource, span: Span, *, but: UUID | None = None) -> bool:
        """Whether at every instant of the span some unit is free, be it now this one and now that."""
        standing = self.standing(resource, span, but=but)
        return len(standing) < resource.units or most_at_once(each.span for each in standing) < resource.units

    def expired_in_the_way(self, claims: Iterable[Claim]) -> set[tuple[UUID, UUID]]:
        """Holds past their time, as (tenant, owner), whose claims are still in the table where these are to go."""
        return {
            (old.tenant_id, old.owner_id)
            for new in claims
            for old in self.by_resource.get(new.resource_id, ())
            if old.unit == new.unit and old.span.overlaps(new.span) and not old.stands(self.now)
        }
