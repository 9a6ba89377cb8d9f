"""What a booking was made with: for whom, with what remarks, and who chose its place."""

from __future__ import annotations

from dataclasses import field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.kernel.value import value
from holdfast.port.lines import PriceLine

ChosenBy = Literal["guest", "house"]


@value(kw_only=True)
class Guest:
    """The guest a booking is for. Personal data."""

    id: str | None = None
    name: str | None = None
    email: str | None = None
    phone: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Returns these fields under the names they have in a booking's JSON."""
        return {
            "guest_id": self.id,
            "guest_name": self.name,
            "guest_email": self.email,
            "guest_phone": self.phone,
        }


@value(kw_only=True)
class Item:
    """One of several things that were booked in one order. `lines`, `minimum_spend_minor`: its own part of the order's
    price."""

    id: UUID
    party_size: int
    resource_ids: tuple[UUID, ...]
    preferences: Preferences = ANYTHING
    chosen_by: ChosenBy = "guest"
    lines: tuple[PriceLine, ...] = ()
    minimum_spend_minor: int = 0
    is_cancelled: bool = False


@value()
class ExtraTaken:
    """How many of an extra a booking has."""

    id: str
    quantity: int


@value(kw_only=True)
class Details:
    """What guests and staff noted about a booking. No rule depends on it."""

    special_requests: str | None = None
    internal_notes: str | None = None
    source: str = "api"
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Any] = field(default_factory=dict)


class Began(NamedTuple):
    """A stay: the date on which it arrived, or will, and when exactly it began, or will."""

    arrival: date
    start: datetime


@value()
class Asker:
    """Who asks what can be booked: whether they work here, the source that their booking would have, and the groups of
    guests that they are in.

    `guest_id`, `ip`: the guest that it would be for, and the address that it would count for, as for the groups, where
    the rules of fair use bind them. `own`: the resources of the booking that they would change, which they may keep.
    `began`: the stay that they would change, which keeps its start if it still arrives on that date.
    """

    is_staff: bool = False
    source: str = "api"
    guest_id: str | None = None
    groups: frozenset[str] = frozenset()
    ip: str | None = None
    own: tuple[UUID, ...] = ()
    began: Began | None = None

    @property
    def unnamed(self) -> Asker:
        """Anybody of the same groups who asks the same, where no rule binds one guest more than another."""
        return Asker(self.is_staff, self.source, groups=self.groups, own=self.own, began=self.began)


GUEST = Asker()
