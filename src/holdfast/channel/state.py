"""What state a resource is in for a slot. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from holdfast.claim.model import Claim, claimed_span
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource

State = Literal["available", "held", "pending_approval", "confirmed", "blocked"]

FIRMNESS: dict[str, int] = {"held": 1, "pending_approval": 2, "confirmed": 3, "blocked": 4}
"""How firmly a claim stands; what stands firmest on a unit says what the unit is."""


@dataclass(frozen=True, slots=True)
class SlotState:
    """One resource in one slot.

    `units_free`: units that are free for all of the slot, buffers included, so that the slot itself could be
    booked. `state`: available while there is one; else that of the unit most likely to come free, the one
    whose firmest claim is least firm. `changed_by`: whose claim that is.
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
    firmest: dict[int, Claim] = {}
    for claim in claims:
        if claim.resource_id != resource.id or not claim.span.overlaps(window) or claim.unit > resource.units:
            continue
        other = firmest.get(claim.unit)
        if other is None or _order(claim) > _order(other):
            firmest[claim.unit] = claim
    free = resource.units - len(firmest)
    if free > 0:
        return SlotState("available", free)
    loosest = min(firmest.values(), key=_order)
    return SlotState(loosest.state, 0, loosest.changed_by)


def _order(claim: Claim) -> tuple[int, str]:
    # By the owner where the state is the same, so that it does not depend on the order of rows.
    return FIRMNESS[claim.state], str(claim.owner_id)
