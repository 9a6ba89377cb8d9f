"""The conflicts of a booking with the ledger, and the refusals that list them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.assigning.choose import distinct
from holdfast.booking.deciding.shortage import shortage
from holdfast.booking.rules.held_back import kept_in
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.wanted import Prepared
from holdfast.claim.model import Claim, Occupancy, units_needed
from holdfast.kernel.errors import Kind
from holdfast.place.document import RESOURCE_KINDS
from holdfast.place.venue import Resource, Venue

CONFLICTS_MAX = 20
ANY_KIND = "resource"
"""Stands for the kind of a resource that is not known."""
HELD_BACK = "held back"
"""The reason for a resource that is kept for others at that time; then until when."""
CLOSED = "closed for maintenance"
"""The reason guests see for any block. Staff can look up the real one by the block's id."""

TOO_MANY_MOVES = "Too many bookings would have to move to make room at that time. Choose another time."
"""For when a unit is free at every instant, but `claim/recolour.py` gives up on moving others to make room."""
_OF_ORDERS = (
    "There is not room for all of it up to three days before or after either: choose other dates, or order less.",
    "There is not room for all of it within two hours either: choose another time, or order less.",
)
"""For when nothing is suggested: at a venue that sells nights, and at any other."""


class NotAvailable(Suggestible):
    """It is taken.

    `resource_kind`: of the requested resources; the code is made from it, such as TABLE_NOT_AVAILABLE. `wanted`: what
    to suggest alternatives to. Fields `conflicts`, `suggested_slots`, `can_join_waitlist`.
    """

    kind = Kind.CONFLICT
    code = type_code = "NOT_AVAILABLE"

    def __init__(
        self, resource_kind: str, detail: str, *, wanted: Prepared | None = None, **fields: object
    ) -> None:
        self.code = f"{resource_kind.upper()}_NOT_AVAILABLE"
        self.wanted = wanted
        super().__init__(detail, **fields)

    @property
    def is_about_time(self) -> bool:
        return self.wanted is not None

    @classmethod
    def codes(cls) -> Iterable[str]:
        return [f"{kind.upper()}_{cls.type_code}" for kind in (*RESOURCE_KINDS, ANY_KIND)]

    def suggesting(self, slots: list[dict[str, Any]] | None) -> NotAvailable:
        """Adds what is free instead, to the fields and the sentence. None: there was no time to search."""
        self.fields["suggested_slots"] = slots or []
        if slots:
            self.detail += " Take one of the suggested slots."
        elif slots is None:
            self.detail += " There was no time to look for alternatives: check what else is free that day."
        elif self.wanted is not None and self.wanted.items:
            self.detail += f" {_OF_ORDERS[self.wanted.venue.stay is None]}"
        elif self.wanted is not None and self.wanted.venue.stay is not None:
            self.detail += " Nothing is free up to three days before or after: choose other dates."
        else:
            self.detail += " Nothing is free within two hours of it: choose another time."
        return self


def taken(prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None) -> NotAvailable:
    """Returns the refusal with its conflicts. Suggestions are added later, after the locks are released. Of an order,
    that of the item with the fewest free places."""
    order, short = prepared, None
    if order.items:
        prepared, short = shortage(order, occupancy, but)
    conflicts = conflicts_of(prepared, occupancy, but=but)
    kind = prepared.sets[0][0].kind
    if short is not None:
        detail = short.detail
    elif prepared.wanted.resource_ids and not conflicts:
        detail = TOO_MANY_MOVES
    elif prepared.wanted.resource_ids:
        names = ", ".join(dict.fromkeys(str(each["resource_name"]) for each in conflicts))
        closed = conflicts and all("reason" in each for each in conflicts)
        state = CLOSED if closed else "taken"
        detail = f"{names} is {state} at that time."
    else:
        detail = f"No {kind} for {prepared.wanted.party_size} is free at that time."
    if prepared.venue.policy.held_back:
        detail = _held_back_detail(prepared, detail, now=occupancy.now)
    return NotAvailable(
        kind,
        detail,
        wanted=order if short is None or short.is_about_time else None,
        conflicts=conflicts,
        suggested_slots=[],
        can_join_waitlist=prepared.venue.policy.waitlist_enabled and not order.items,
    )


def conflicts_of(
    prepared: Prepared, occupancy: Occupancy, *, but: UUID | None = None
) -> list[dict[str, object]]:
    """Returns which resources are taken and when, up to CONFLICTS_MAX. Staff also see the owner of each claim."""
    venue, staff = prepared.venue, prepared.wanted.actor.is_staff
    found = list[dict[str, object]]()
    if venue.policy.held_back:
        found += [_held_back(prepared, *each) for each in kept_in(prepared, now=occupancy.now)]
    for resource, leaf in _claimed(prepared):
        units = units_needed(resource, leaf, prepared.wanted.party_size)
        if occupancy.has_room(leaf, prepared.span, units=units, but=but):
            continue
        # A party of several guests has a claim for each.
        standing = {
            (claim.owner_id, claim.span): claim for claim in occupancy.standing(leaf, prepared.span, but=but)
        }
        found.extend(_conflict(leaf, claim, venue, staff=staff) for claim in standing.values())
        if len(found) >= CONFLICTS_MAX:
            break
    return found[:CONFLICTS_MAX]


def _claimed(prepared: Prepared) -> Iterator[tuple[Resource, Resource]]:
    """Yields the resources that were asked for, each with what it claims; what several claim comes once."""
    seen = set[UUID]()
    for resource in distinct(prepared.sets):
        for leaf in resource.claimed:
            if leaf.id not in seen:
                seen.add(leaf.id)
                yield resource, leaf


def _conflict(resource: Resource, claim: Claim, venue: Venue, *, staff: bool) -> dict[str, object]:
    return {
        "resource_id": str(resource.id),
        "resource_name": resource.name,
        "start": claim.span.start.astimezone(venue.tz).isoformat(),
        "end": claim.span.end.astimezone(venue.tz).isoformat(),
        **({"reason": CLOSED} if claim.owner_kind == "block" else {}),
        **({"owner_kind": claim.owner_kind, "owner_id": str(claim.owner_id)} if staff else {}),
    }


def _held_back(prepared: Prepared, resource: Resource, until: datetime) -> dict[str, object]:
    tz, span = prepared.venue.tz, prepared.span
    return {
        "resource_id": str(resource.id),
        "resource_name": resource.name,
        "start": span.start.astimezone(tz).isoformat(),
        "end": span.end.astimezone(tz).isoformat(),
        "reason": f"{HELD_BACK} until {until.astimezone(tz).isoformat(timespec='minutes')}",
    }


def _held_back_detail(prepared: Prepared, detail: str, *, now: datetime) -> str:
    """Returns the sentence for a refusal where something is held back for others."""
    kept = list(kept_in(prepared, now=now))
    if not kept:
        return detail
    soonest = min(until for _, until in kept).astimezone(prepared.venue.tz)
    if not prepared.wanted.resource_ids:
        return f"{detail} Some are {HELD_BACK} for others until {soonest:%Y-%m-%d %H:%M}."
    names = ", ".join(each.name for each, _ in kept)
    last = max(until for _, until in kept).astimezone(prepared.venue.tz)
    verb = "is" if len(kept) == 1 else "are"
    return f"{names} {verb} {HELD_BACK} for others until {last:%Y-%m-%d %H:%M}."


def lost(venue: Venue, resource_ids: Sequence[UUID] = ()) -> NotAvailable:
    """Returns the refusal for a constraint violation: somebody took the place without the lock. Its kind is that of the
    first of these resources, or of the venue's first."""
    known = [venue.resources[id_] for id_ in (*resource_ids, *venue.resources) if id_ in venue.resources]
    return NotAvailable(
        known[0].kind if known else ANY_KIND,
        "Somebody else took that a moment ago: choose another time.",
        conflicts=[],
        suggested_slots=[],
        can_join_waitlist=venue.policy.waitlist_enabled,
    )
