"""What the oracle speaks of: who asks for what, bookings and what they take, and the table of statuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from holdfast.booking.states import Status as S

from .house import Choice, Place

STEPS = {
    S.HELD: {S.PENDING, S.RESERVED, S.PENDING_APPROVAL, S.CONFIRMED, S.CANCELLED, S.EXPIRED},
    S.PENDING: {S.RESERVED, S.PENDING_APPROVAL, S.CAPACITY_VERIFIED, S.CONFIRMED, S.CANCELLED, S.EXPIRED},
    S.RESERVED: {S.CONFIRMED, S.CHECKED_IN, S.CANCELLED, S.NO_SHOW},
    S.PENDING_APPROVAL: {S.CONFIRMED, S.CANCELLED, S.EXPIRED},
    S.CAPACITY_VERIFIED: {S.ASSIGNMENT_PENDING, S.MANUAL_REVIEW, S.CANCELLED, S.EXPIRED},
    S.ASSIGNMENT_PENDING: {S.ASSIGNMENT_IN_PROGRESS, S.MANUAL_REVIEW, S.CANCELLED, S.EXPIRED},
    S.ASSIGNMENT_IN_PROGRESS: {
        S.CONFIRMED,
        S.ASSIGNMENT_FAILED,
        S.ASSIGNMENT_PENDING,
        S.MANUAL_REVIEW,
        S.CANCELLED,
    },
    S.ASSIGNMENT_FAILED: {S.ASSIGNMENT_PENDING, S.MANUAL_REVIEW, S.CANCELLED, S.EXPIRED},
    S.MANUAL_REVIEW: {S.ASSIGNMENT_PENDING, S.CONFIRMED, S.CANCELLED, S.EXPIRED},
    S.CONFIRMED: {S.CHECKED_IN, S.CANCELLED, S.COMPLETED, S.NO_SHOW, S.MANUAL_REVIEW},
    S.CHECKED_IN: {S.COMPLETED, S.CANCELLED},
}
ENDS = {S.COMPLETED, S.CANCELLED, S.NO_SHOW, S.EXPIRED}
OCCUPYING = {
    S.HELD,
    S.PENDING,
    S.RESERVED,
    S.PENDING_APPROVAL,
    S.ASSIGNMENT_IN_PROGRESS,
    S.CONFIRMED,
    S.CHECKED_IN,
}
EXPIRING = {S.HELD, S.PENDING, S.PENDING_APPROVAL}
PIPELINE = {S.CAPACITY_VERIFIED, S.ASSIGNMENT_PENDING, S.ASSIGNMENT_IN_PROGRESS, S.ASSIGNMENT_FAILED}
FIRST = {"instant": S.RESERVED, "deposit": S.PENDING, "approval": S.PENDING_APPROVAL}


@dataclass(frozen=True)
class Who:
    """Somebody who asks: `kind` is guest, staff or system."""

    kind: str
    id: str
    tenant_id: UUID | None = None


@dataclass(frozen=True)
class Ask:
    """A booking that is wanted; places by slug, none for whatever fits. `slot`: it is the venue's slot."""

    venue: int
    who: Who
    start: datetime
    minutes: int | None
    size: int
    places: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    slot: bool = False
    hold: bool = False
    guest: str | None = None
    ip: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Edit:
    """What is to be different about a booking; None stays."""

    start: datetime | None = None
    minutes: int | None = None
    size: int | None = None
    places: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None
    note: str = ""

    @property
    def is_about_the_place(self) -> bool:
        return any(
            each is not None for each in (self.start, self.minutes, self.size, self.places, self.kinds)
        )


@dataclass
class Claim:
    """Time that a booking takes of one resource; its unit is learned once it is taken."""

    place: Place
    start: datetime
    end: datetime
    unit: int = 0

    def meets(self, place: Place, start: datetime, end: datetime) -> bool:
        return self.place.id == place.id and self.start < end and start < self.end


@dataclass
class Booking:
    """One booking. `claims` is empty unless its status occupies, or a party has left and it is being cleaned."""

    id: UUID
    venue: int
    status: S
    start: datetime
    end: datetime
    size: int
    guest: str | None
    ip: str | None
    made_at: datetime
    named: bool = False
    """Whether somebody named its places; otherwise the house chose them."""
    kinds: tuple[str, ...] = ()
    """The kinds of places among which the house chooses."""
    length_asked: bool = False
    """Whether somebody asked for its length; otherwise it is the usual one, or that of its slot."""
    in_slot: bool = False
    version: int = 1
    steps: dict[int, tuple[S, S]] = field(default_factory=dict)
    """What it went from and to, by the version before."""
    choice: Choice = ()
    claims: list[Claim] = field(default_factory=list)
    expires_at: datetime | None = None
    due_at: datetime | None = None
    came_at: datetime | None = None

    def is_past_its_time(self, now: datetime) -> bool:
        return self.status in EXPIRING and self.expires_at is not None and self.expires_at <= now

    def take(self, choice: Choice) -> None:
        self.choice = choice
        self.claims = [Claim(each, *each.claimed(self.start, self.end)) for each in choice]


@dataclass(frozen=True)
class Edited:
    """What an edit makes of a booking. `choices`: where it may be then, best first; `unfit`: why nowhere."""

    start: datetime
    end: datetime
    size: int
    named: bool
    kinds: tuple[str, ...]
    length_asked: bool
    in_slot: bool
    choices: list[Choice]
    unfit: set[str]

    def is_at_the_time_of(self, booking: Booking) -> bool:
        return (self.start, self.end) == (booking.start, booking.end)

    def leaves(self, booking: Booking) -> bool:
        """Whether the booking stays when and where it is. What was agreed then is as good as it was."""
        if booking.status not in OCCUPYING or not self.is_at_the_time_of(booking):
            return False
        return any(is_same(each, booking.choice) for each in self.choices[:1])


def is_same(choice: Choice, other: Choice) -> bool:
    return {each.id for each in choice} == {each.id for each in other}


@dataclass(frozen=True)
class Changing:
    """A change of a booking that somebody asks for."""

    booking_id: UUID
    version: int
    who: Who
    edit: Edit


@dataclass(frozen=True)
class Cancelling:
    """A cancellation that somebody asks for."""

    booking_id: UUID
    version: int
    who: Who
    note: str = ""


Request = Ask | Changing | Cancelling


class Answer(NamedTuple):
    """What somebody was told: `code` is DONE or the refusal's; `text` the booking's JSON or the reason."""

    code: str
    text: str
