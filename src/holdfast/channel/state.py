"""The state of a resource in a slot, and the slots that claims touch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import Literal

from holdfast.claim.model import Claim, claimed_span, units_needed
from holdfast.kernel.span import Span, most_at_once
from holdfast.place.venue import Resource

State = Literal["available", "held", "pending_approval", "confirmed", "blocked"]

FIRMNESS: dict[str, int] = {"held": 1, "pending_approval": 2, "confirmed": 3, "blocked": 4}
"""How firm a claim is; at any instant, the least firm claim is the most likely to give way."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One resource in one slot.

    `units_free`: the number of units free throughout the slot, buffers included, so how many more bookings of the
    whole slot fit; which unit is free when does not matter. `state`: available if the smallest party fits; otherwise
    that of the claim that has to go first, and `units_free` is 0. At each instant at which too many units are taken,
    that is the least firm claim; of these the firmest counts, as it is the last to give way. `changed_by`: its actor.
    """

    state: State
    units_free: int
    changed_by: str | None = None


def slot_state(resource: Resource, slot: Span, claims: Iterable[Claim]) -> SlotState:
    """Returns the state of the resource, from those of the claims that are on it or, for a whole, on its leaves.

    A whole is available if all units of all its leaves are free; otherwise the firmest claim counts. An expired hold
    counts until it is swept, at most a second later. So the state depends on the ledger only and changes only with an
    event.
    """
    if resource.leaves:
        every = list(claims)
        here = [claim for leaf in resource.leaves for claim in _here(leaf, slot, every)]
        if not here:
            return SlotState("available", 1)
        last = max(here, key=_order)
        return SlotState(last.state, 0, last.changed_by)
    here = _here(resource, slot, claims)
    free = resource.units - most_at_once(each.span for each in here)
    needed = units_needed(resource, resource, resource.seats_min)
    if free >= needed:
        return SlotState("available", free)
    last = max(_loosest(here, units=resource.units - needed + 1), key=_order)
    return SlotState(last.state, 0, last.changed_by)


def _here(resource: Resource, slot: Span, claims: Iterable[Claim]) -> list[Claim]:
    window = claimed_span(resource, slot)
    return [
        each
        for each in claims
        if each.resource_id == resource.id and each.span.overlaps(window) and each.unit <= resource.units
    ]


def _loosest(claims: list[Claim], *, units: int) -> Iterator[Claim]:
    """Yields, at each instant at which a claim begins and that many units are taken, the least firm claim."""
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
    # By owner if the states are equal, so that the result does not depend on the order of rows.
    return FIRMNESS[claim.state], str(claim.owner_id)
