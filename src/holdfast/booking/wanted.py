"""The request for a booking: its time, its party, and the resources that fit. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field, replace
from datetime import date, datetime, time
from uuid import UUID

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.model import Booking, Details, Guest
from holdfast.booking.said import Asker, ExtraTaken, Item
from holdfast.kernel.actor import Actor
from holdfast.kernel.span import Span
from holdfast.kernel.value import value
from holdfast.place.opening.stay import Nights
from holdfast.place.prices.sold import Discount, Extra
from holdfast.place.questions.answers import new_answers
from holdfast.place.venue import Resource, Venue

NOBODY = Guest()
Demanded = tuple[object, ...]
SETS_FIRST = 200
"""How many sets are looked at first; in a large venue few bookings need more."""


@value(kw_only=True)
class When:
    """A time as requested: `start`, or `wall` (venue wall time), or `day` with `slot_id`; then `end`, or
    `duration_minutes`, or neither for the venue's default. Where nights are sold: `arrival`, with `nights` or
    `departure`. A change may say `wall_date` or `wall_time` alone.

    `wall_minutes`: the length on the clock that is asked for. `kept_minutes`: the length on the clock that a change
    keeps, if the booking itself does not tell.
    """

    start: datetime | None = None
    wall: datetime | None = None
    day: date | None = None
    slot_id: str | None = None
    end: datetime | None = None
    duration_minutes: int | None = None
    wall_minutes: int | None = None
    kept_minutes: int | None = None
    wall_date: date | None = None
    wall_time: time | None = None
    arrival: date | None = None
    departure: date | None = None
    nights: int | None = None

    def completed(self, local_start: datetime) -> When:
        """Returns the time with `wall` instead of `wall_date` or `wall_time`: the other is that of `local_start`."""
        if self.wall_date is None and self.wall_time is None:
            return self
        wall = datetime.combine(
            self.wall_date or local_start.date(),
            local_start.time() if self.wall_time is None else self.wall_time,
        )
        return replace(self, wall=wall, wall_date=None, wall_time=None)

    @property
    def nights_said(self) -> tuple[str, object]:
        """The first field of a stay that the request gives, and its value. It must give one."""
        said = (("arrival", self.arrival), ("departure", self.departure), ("nights", self.nights))
        return next(each for each in said if each[1] is not None)


@value()
class Overriding:
    """Rules that staff overrule with a request, by the codes of their refusals, and why."""

    codes: tuple[str, ...]
    reason: str

    def entries(self, hit: Iterable[str], actor: Actor) -> tuple[dict[str, str], ...]:
        """Returns what is recorded of the rules that were hit."""
        return tuple({"code": code, "reason": self.reason, "actor": str(actor)} for code in hit)


@value(kw_only=True)
class ItemWanted:
    """One thing of an order. `named`: as in `Wanted`. `kept`: those that the house chose for it, which come first."""

    id: UUID
    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING
    named: bool | None = None
    kept: tuple[UUID, ...] = ()

    @property
    def demand(self) -> Demanded:
        """What is asked for, whoever asks: the same for equal items."""
        return (self.party_size, self.resource_ids, self.preferences, self.kept)

    @property
    def released(self) -> ItemWanted:
        """The same on any place that suits, if the house chose the one that it has."""
        return self if self.named in (None, True) else replace(self, resource_ids=(), kept=self.resource_ids)


@value(kw_only=True)
class Wanted:
    """A request for one booking. Its id is generated beforehand, so that deciding is pure; the end of the booking's
    reference is derived from it.

    `planned`: the resources that a plan has already chosen; no others are considered.
    `instead_of`: the booking that this request changes: it is not in its own way. `own`: the resources that it has.
    `named`, `length_asked`: whether the resources and the length were asked for, where `resource_ids` and `when` say
    something else: a plan fills them in for a party that asked for neither. None: as they say.
    `bound`: the booking has its resources already, although it was made for a type; at another time it may be promised
    it again.
    `minutes_asked`: whether the length was asked for in minutes; None: as `when` says. `nights`: those of a stay, once
    they are resolved; `nights_kept`: the nights whose rules are not checked, because it had them before or the desk
    decides.
    `key`, `request_hash`: the idempotency key, if any, and the hash of the request it came with.
    `overriding`: what staff overrule, if anything.
    `extras`: ids and quantities; None: the usual quantity.
    `walk_in`: the party is at the door and seated at once; notice and slot step do not apply.
    `hold_ttl_seconds`: how long to hold the place, if not as long as the policy says.
    `is_asked`: whether the questions of the venue that need an answer must have one.
    `ip`: the address that it counts against: a hold, or a booking at a venue with rules of fair use.
    `items`: what an order is for; then `party_size` is that of all of them, and the request itself names no resources.
    `asked_by`: whom rules of fair use bind, if the actor books for somebody else.
    """

    id: UUID
    tenant_id: UUID
    venue_id: UUID
    actor: Actor
    when: When
    party_size: int
    resource_ids: tuple[UUID, ...] = ()
    preferences: Preferences = ANYTHING
    planned: tuple[UUID, ...] = ()
    instead_of: UUID | None = None
    own: tuple[UUID, ...] = ()
    named: bool | None = None
    length_asked: bool | None = None
    bound: bool = False
    minutes_asked: bool | None = None
    nights: Nights | None = None
    nights_kept: Nights | None = None
    guest: Guest = NOBODY
    details: Details = field(default_factory=Details)
    extras: tuple[tuple[str, int | None], ...] = ()
    discount_code: str | None = None
    hold: bool = False
    hold_ttl_seconds: int | None = None
    walk_in: bool = False
    overriding: Overriding | None = None
    is_asked: bool = False
    ip: str | None = None
    items: tuple[ItemWanted, ...] = ()
    asked_by: Asker | None = None
    traceparent: str | None = None
    key: str | None = None
    request_hash: bytes = b""

    @property
    def asker(self) -> Asker:
        """Who asks. Nobody is bound by a walk-in, or by what the system does of its own accord."""
        if self.asked_by is not None:
            return self.asked_by
        actor, source = self.actor, self.details.source
        if actor.kind == "system" or self.walk_in:
            return Asker(actor.is_staff, source, own=self.own)
        if actor.is_staff:
            return Asker(True, source, self.guest.id, own=self.own)
        return Asker(False, source, self.guest.id, actor.groups, self.ip, self.own)

    @property
    def demand(self) -> Demanded:
        """What is asked for, whoever asks: the same for equal requests."""
        items = tuple([each.demand for each in self.items])
        return (self.party_size, self.resource_ids, self.preferences, items)

    @property
    def is_of_type(self) -> bool:
        """Whether it asks for a type and for no resource of it, nor has one already: it may be promised."""
        has_place = self.bound or self.walk_in or self.resource_ids or self.planned
        return self.preferences.group is not None and not has_place


@value()
class Sale:
    """What a booking takes beside its place."""

    extras: tuple[tuple[Extra, int], ...] = ()
    discount: Discount | None = None

    @property
    def taken(self) -> tuple[ExtraTaken, ...]:
        return tuple([ExtraTaken(extra.id, quantity) for extra, quantity in self.extras])

    @property
    def code(self) -> str | None:
        return None if self.discount is None else self.discount.code

    @property
    def stocked(self) -> Sequence[tuple[Extra, int]]:
        """The extras of which there are only so many."""
        return [each for each in self.extras if each[0].stock is not None]

    @property
    def is_limited(self) -> bool:
        """Whether there may be none of it left."""
        return bool(self.stocked) or (self.discount is not None and self.discount.uses_max is not None)


NO_SALE = Sale()


@value()
class Prepared:
    """A request, resolved as far as is possible without the ledger.

    `sets`: the sets of resources that fit, best first. `rest`: more sets, considered only if none of these is free.
    In a large venue, few bookings need them. `overruled`: the rules that would have refused it so far.
    `sale`: what it takes beside its place. `items`: the request for each thing of an order; `sets` has those of all.
    """

    wanted: Wanted
    venue: Venue
    span: Span
    slot_id: str | None
    sets: tuple[tuple[Resource, ...], ...]
    rest: tuple[tuple[Resource, ...], ...] = ()
    overruled: tuple[str, ...] = ()
    sale: Sale = NO_SALE
    items: tuple[Prepared, ...] = ()

    @property
    def all_sets(self) -> tuple[tuple[Resource, ...], ...]:
        """All sets, best first."""
        return self.sets + self.rest if self.rest else self.sets

    def at(self, span: Span, slot_id: str | None) -> Prepared:
        """Returns the same at another time; of an order, with all of its items."""
        items = tuple([each.at(span, slot_id) for each in self.items])
        return replace(self, span=span, slot_id=slot_id, items=items)

    def in_full(self) -> Prepared:
        """Returns the same with all sets in `sets`."""
        return replace(self, sets=self.sets + self.rest, rest=()) if self.rest else self


def wanted_anew(booking: Booking, actor: Actor) -> Wanted:
    """Returns a new request for what the booking has, on its own resources. Its `when` is empty."""
    return Wanted(
        id=booking.id,
        instead_of=booking.id,
        own=booking.resource_ids,
        tenant_id=booking.tenant_id,
        venue_id=booking.venue_id,
        actor=actor,
        when=When(),
        party_size=booking.party_size,
        resource_ids=() if booking.items else booking.resource_ids,
        preferences=booking.preferences,
        items=tuple([_item_anew(each) for each in booking.items if not each.is_cancelled]),
        named=booking.chosen_by == "guest",
        length_asked=booking.length_asked,
        bound=bool(booking.resource_ids),
        details=Details(source=booking.details.source),
        extras=tuple([(each.id, each.quantity) for each in booking.extras]),
        discount_code=booking.discount_code,
        guest=booking.guest,
        ip=booking.booked_ip,
    )


def _item_anew(item: Item) -> ItemWanted:
    return ItemWanted(
        id=item.id,
        party_size=item.party_size,
        resource_ids=item.resource_ids,
        preferences=item.preferences,
        named=item.chosen_by == "guest",
    )


def answered(prepared: Prepared, resources: Sequence[Resource]) -> Details:
    """Returns the details of the request, with its answers checked for these resources. Raises InvalidRequest."""
    wanted = prepared.wanted
    answers = new_answers(
        prepared.venue,
        wanted.details.answers,
        resources=resources,
        slot_id=prepared.slot_id,
        is_staff=wanted.actor.is_staff,
        is_complete=wanted.is_asked,
    )
    return replace(wanted.details, answers=answers)
