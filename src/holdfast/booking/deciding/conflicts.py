"""What stands in a booking's way, and the refusal that says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import distinct
from holdfast.booking.deciding.wanted import Prepared
from holdfast.claim.model import Claim, Occupancy
from holdfast.kernel.errors import HoldfastError, Kind
from holdfast.place.venue import Resource, Venue

CONFLICTS_MAX = 20
CLOSED = "closed for maintenance"
"""What guests are told of any block; why it is there is for staff, who find it by its id."""

SCATTERED = "Too many bookings would have to move to make room at that time: take another time."
"""Where units are left at every instant, and `claim/recolour.py` gives up."""


class NotAvailable(HoldfastError):
    """It is taken.

    `resource_kind`: of what was asked for; it makes the code, such as TABLE_NOT_AVAILABLE. `wanted`: what
    to suggest something instead of. Fields `conflicts`, `suggested_slots`, `can_join_waitlist`.
    """

    kind = Kind.CONFLICT
    code = type_code = "NOT_AVAILABLE"

    def __init__(
        self, resource_kind: str, detail: str, *, wanted: Prepared | None = None, **fields: object
    ) -> None:
        self.code = f"{resource_kind.upper()}_NOT_AVAILABLE"
        self.wanted = wanted
        super().__init__(detail, **fields)

    def suggesting(self, slots: list[dict[str, Any]] | None) -> NotAvailable:
        """The same, with what is free instead. None: there was no time to look."""
        self.fields["suggested_slots"] = slots or []
        if slots:
            self.detail += " Take one of the suggested slots."
        elif slots is None:
            self.detail += " There was no time to look for another: see what the day has."
        else:
            self.detail += " Nothing is free within two hours of it: take another time."
        return self


def taken(prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None) -> NotAvailable:
    """The refusal that names what stands in the way; suggestions are added once the locks are gone."""
    conflicts = conflicts_of(prepared, occupancy, but=but)
    kind = prepared.sets[0][0].kind
    if prepared.wanted.resource_ids and not conflicts:
        detail = SCATTERED
    elif prepared.wanted.resource_ids:
        names = ", ".join(dict.fromkeys(str(each["resource_name"]) for each in conflicts))
        closed = conflicts and all("reason" in each for each in conflicts)
        state = CLOSED if closed else "taken"
        detail = f"{names} is {state} at that time."
    else:
        detail = f"No {kind} for {prepared.wanted.party_size} is free at that time."
    return NotAvailable(
        kind,
        detail,
        wanted=prepared,
        conflicts=conflicts,
        suggested_slots=[],
        can_join_waitlist=prepared.venue.policy.waitlist_enabled,
    )


def lost(venue: Venue, resource_ids: Sequence[UUID] = ()) -> NotAvailable:
    """The refusal when the ledger knew better than what was read: somebody got there without the lock. It is about the
    first of the resources, or else of the venue's."""
    known = [venue.resources[id_] for id_ in (*resource_ids, *venue.resources) if id_ in venue.resources]
    return NotAvailable(
        known[0].kind if known else "resource",
        "That was taken a moment ago: take another time.",
        conflicts=[],
        suggested_slots=[],
        can_join_waitlist=venue.policy.waitlist_enabled,
    )


def conflicts_of(
    prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None
) -> list[dict[str, object]]:
    """Which resource is taken when, up to CONFLICTS_MAX; staff also see by what."""
    venue, staff = prepared.venue, prepared.wanted.actor.is_staff
    found: list[dict[str, object]] = []
    for resource in distinct(prepared.sets):
        if occupancy.has_room(resource, prepared.span, but=but):
            continue
        standing = occupancy.standing(resource, prepared.span, but=but)
        found.extend(_conflict(resource, claim, venue, staff=staff) for claim in standing)
        if len(found) >= CONFLICTS_MAX:
            break
    return found[:CONFLICTS_MAX]


def _conflict(resource: Resource, claim: Claim, venue: Venue, *, staff: bool) -> dict[str, object]:
    return {
        "resource_id": str(resource.id),
        "resource_name": resource.name,
        "start": claim.span.start.astimezone(venue.tz).isoformat(),
        "end": claim.span.end.astimezone(venue.tz).isoformat(),
        **({"reason": CLOSED} if claim.owner_kind == "block" else {}),
        **({"owner_kind": claim.owner_kind, "owner_id": str(claim.owner_id)} if staff else {}),
    }
