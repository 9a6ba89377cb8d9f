"""What changes of bookings are decided by, and what comes of them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.rules.fair_use import Usage
from holdfast.booking.rules.sale import Sales
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.pacing.limits import Window


@dataclass(frozen=True, slots=True)
class Revised:
    """A changed booking. `claims`: its new claims; None if its claims do not change."""

    before: Booking
    after: Booking
    claims: Sequence[Claim] | None


@dataclass(slots=True)
class Around:
    """What a change is decided by: the claims, the guests arriving by pacing window and booking, what is taken of
    extras and codes, and what rules of fair use count. `out`: bookings whose old claims, arrivals and extras no longer
    count. `in_full`: bookings for which every set is looked at, because the first ones are taken."""

    occupancy: Occupancy
    arriving: dict[Window, dict[UUID, int]]
    out: set[UUID] = field(default_factory=set[UUID])
    in_full: set[UUID] = field(default_factory=set[UUID])
    sales: Sales = field(default_factory=Sales)
    usage: Usage = field(default_factory=Usage)

    def learn(self, claims: Iterable[Claim], probes: Sequence[Probe]) -> None:
        """Adds the ledger's answer to these probes, without the claims of bookings that no longer count."""
        self.occupancy.learn((each for each in claims if each.owner_id not in self.out), probes)

    def leave_out(self, ids: Collection[UUID]) -> None:
        """Removes these bookings: from now on their old claims and arrivals no longer count. For fair use they do until
        they are changed: one that is refused stays."""
        self.out |= set(ids)
        self.sales.leave_out(ids)
        by_resource = self.occupancy.by_resource
        for resource_id, claims in by_resource.items():
            by_resource[resource_id] = [each for each in claims if each.owner_id not in ids]
        for window, guests in self.arriving.items():
            self.arriving[window] = {id_: size for id_, size in guests.items() if id_ not in ids}

    def count(self, revised: Revised) -> None:
        """Adds the changed booking where it is now."""
        for claim in revised.claims or ():
            self.occupancy.add(claim)
        after = revised.after
        self.usage.add(after)
        if after.occupies:
            self.sales.add_extras(after)
            for window, guests in self.arriving.items():
                if window.holds(after.start_at, after.slot_id, after.details.source):
                    guests[after.id] = after.party_size
