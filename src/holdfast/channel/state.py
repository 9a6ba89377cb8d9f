"""What state a resource is in for a slot. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import Literal

from holdfast.claim.model import Claim, claimed_span
from holdfast.kernel.span import Span, most_at_once
from holdfast.place.venue import Resource

State = Literal["available", "held", "pending_approval", "confirmed", "blocked"]

FIRMNESS: dict[str, int] = {"held": 1, "pending_approval": 2, "confirmed": 3, "blocked": 4}
"""How firmly a claim stands; of those at one instant, the least firm is the most likely to make room."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One resource in one slot.

    `units_free`: units that are free at every instant of the slot, buffers included, so that so many could book the
    slot itself; which unit is free when does not matter. `state`: available while there is one; else that of the
    claim that must go first: at each instant at which all are taken the least firm, and of these the firmest, for it
    is the last to make room. `changed_by`: whose claim that is.
    """

    state: State
    units_free: int
    changed_by: str | None = None


def window_of(resource: Resource, slot: Span) -> Span:
    """The time that must be free for the slot to be booked."""
    return claimed_span(resource, slot)


def slot_state(resource: Resource, slot: Span, claims: Iterable[Claim]) -> SlotState:
    """The state of the resource by those of the claims that are its own.

    A hold past its time counts until it is swept, a second later at most: the state is one of the ledger
    alone, so that it changes only with an event.
    """
    window = window_of(resource, slot)
    here = [
        each
        for each in claims
        if each.resource_id == resource.id and each.span.overlaps(window) and each.unit <= resource.units
    ]
    free = resource.units - most_at_once(each.span for each in here)
    if free > 0:
        return SlotState("available", free)
    last = max(_loosest(here, units=resource.units), key=_order)
    return SlotState(last.state, 0, last.changed_by)


def _loosest(claims: list[Claim], *, units: int) -> Iterator[Claim]:
    """At each instant at which a claim begins and all units are taken: the claim that is least firm."""
    ends, standing = list[datetime](), list[tuple[tuple[int, str], int, Claim]]()
    for number, claim in enumerate(sorted(claims, key=lambda each: each.span.start)):
        while ends and ends[0] <= claim.span.start:
            heappop(ends)
        while standing and standing[0][-1].span.end <= claim.span.start:
            heappop(standing)
        heappush(ends, claim.span.end)
        heappush(standing, (_order(claim), number, claim))
        if len(ends) >= units:
            yield standing[0][-1]


def _order(claim: Claim) -> tuple[int, str]:
    # By the owner where the state is the same, so that it does not depend on the order of rows.
    return FIRMNESS[claim.state], str(claim.owner_id)
