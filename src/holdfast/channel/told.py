"""What a channel says of a resource in a slot. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from holdfast.channel.crowd import Full
from holdfast.channel.guests import TOO_FEW_NIGHTS_REASON, Rules, Times, is_time, times_for_guests, why_not
from holdfast.channel.slots import DatedSlot
from holdfast.channel.state import SlotState, slot_state
from holdfast.claim.model import Claim
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue


@dataclass(frozen=True, slots=True)
class Told:
    """A resource in a slot, as its channel says it. It depends on the rules and on what is booked, not on the time.

    `state`: as staff see it. `units_for_guests`: how many more bookings of guests fit who come when the slot begins.
    `times`: when they can make them.
    """

    state: SlotState
    units_for_guests: int
    times: Times

    @classmethod
    def of(
        cls, venue: Venue, slot: DatedSlot, resource: Resource, claims: Iterable[Claim], full: Full
    ) -> Told:
        """Returns what is told. `claims`: all on the resource, or on the leaves of a whole, around `slot.asked`."""
        here = list(claims)
        state = slot_state(resource, slot.span, here)
        asked = state if slot.asked == slot.span else slot_state(resource, slot.asked, here)
        return cls(state, asked.units_free, times_for_guests(venue, slot, Rules(full))[resource.id])

    def is_for_guests(self, now: datetime) -> bool:
        """Whether guests can book it at that instant."""
        return self.state.state == "available" and self.units_for_guests > 0 and is_time(self.times, now)

    def for_groups(
        self, venue: Venue, slot: DatedSlot, resource: Resource, full: Full, groups: frozenset[str]
    ) -> Told:
        """Returns the same for guests who are in these groups."""
        if not groups or not venue.policy.held_back:
            return self
        return replace(self, times=times_for_guests(venue, slot, Rules(full, groups=groups))[resource.id])

    def why_not(
        self,
        venue: Venue,
        slot: DatedSlot,
        resource: Resource,
        full: Full,
        *,
        now: datetime,
        groups: frozenset[str] = frozenset(),
    ) -> str | None:
        """Returns why guests, in these groups, can't book it at that instant, if it is free; None if they can, or if it
        is not free."""
        if self.state.state != "available":
            return None
        by_rules = why_not(venue, slot, resource.id, Rules(full, groups=groups), now=now)
        return by_rules or (None if self.units_for_guests else TOO_FEW_NIGHTS_REASON)

    @classmethod
    def from_payload(cls, payload: dict[str, Any]) -> Told:
        """Returns what an event says."""
        units, state = payload["units_free"], payload["new_state"]
        times = payload.get("times") or ()
        return cls(
            SlotState(state, units, payload["changed_by"]),
            payload.get("units_for_guests", units),
            tuple(Span(*map(datetime.fromisoformat, each)) for each in times),
        )
