"""Extras and discount codes: which are asked for, and whether there are any left. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.said import ExtraTaken
from holdfast.booking.wanted import NO_SALE, Prepared, Sale
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.span import Span
from holdfast.place.opening.hours import to_wall
from holdfast.place.prices.sold import Discount, Extra
from holdfast.place.venue import Venue


class ExtraNotAvailable(HoldfastError):
    """There are not enough of an extra at that time. Fields `extra_id`, `stock`, `available`."""

    kind = Kind.CONFLICT
    code = "EXTRA_NOT_AVAILABLE"


def sale_of(
    venue: Venue,
    span: Span,
    *,
    extras: Sequence[tuple[str, int | None]] = (),
    discount_code: str | None = None,
    party_size: int,
) -> Sale:
    """Returns what is asked for. A quantity of None is the usual one: one for each guest, or one. Raises InvalidRequest
    for what the venue does not have."""
    if not extras and discount_code is None:
        return NO_SALE
    found = tuple(_extra(venue, index, *asked, party_size) for index, asked in enumerate(extras))
    return Sale(found, None if discount_code is None else _discount(venue, span, discount_code))


def _extra(venue: Venue, index: int, id_: str, quantity: int | None, party_size: int) -> tuple[Extra, int]:
    for each in venue.policy.extras:
        if each.id == id_:
            return each, quantity or (party_size if each.per == "guest" else 1)
    there = ", ".join(each.id for each in venue.policy.extras) or "none"
    raise InvalidRequest.of(f"extras.{index}.id", id_, f"must be an extra of {venue.name}: {there}")


def _discount(venue: Venue, span: Span, code: str) -> Discount:
    day = to_wall(span.start, venue.tz).date()
    for each in venue.policy.discounts:
        if each.code.casefold() == code.casefold():
            if each.includes(day):
                return each
            dates = " ".join(
                [f"from {each.from_}"] * (each.from_ is not None) + [f"to {each.to}"] * (each.to is not None)
            )
            raise InvalidRequest.of("discount_code", code, f"is for visits {dates}, and this one is on {day}")
    raise InvalidRequest.of(
        "discount_code", code, "must be a code of this venue: check its spelling, or omit it"
    )


def with_sale(prepared: Prepared) -> Prepared:
    """Returns the request with the extras and the discount that it asks for. Raises InvalidRequest."""
    wanted = prepared.wanted
    if not wanted.extras and wanted.discount_code is None:
        return prepared
    sale = sale_of(
        prepared.venue,
        prepared.span,
        extras=wanted.extras,
        discount_code=wanted.discount_code,
        party_size=wanted.party_size,
    )
    return replace(prepared, sale=sale)


@dataclass(slots=True)
class Sales:
    """What is taken already: extras by venue and booking, and uses of discount codes by venue and code."""

    extras: dict[tuple[UUID, UUID], tuple[Span, tuple[ExtraTaken, ...]]] = field(default_factory=dict)
    uses: dict[tuple[UUID, str], int] = field(default_factory=dict)

    def check_stock(self, venue: Venue, span: Span, sale: Sale, *, but: UUID | None = None) -> None:
        """Raises ExtraNotAvailable if at some instant of the span there are fewer left than asked for. `but`: a
        booking that does not count."""
        for extra, quantity in sale.stocked:
            assert extra.stock is not None
            left = extra.stock - _most(self._taken(venue, extra.id, but), span)
            if quantity > left:
                left = max(left, 0)
                raise ExtraNotAvailable(
                    f"{left} of {extra.stock} {extra.name} are left at that time, and {quantity} are asked for: "
                    "take fewer, or choose another time.",
                    extra_id=extra.id,
                    stock=extra.stock,
                    available=left,
                )

    def _taken(self, venue: Venue, extra_id: str, but: UUID | None) -> Iterator[tuple[Span, int]]:
        for (venue_id, booking_id), (span, extras) in self.extras.items():
            if venue_id == venue.id and booking_id != but:
                for each in extras:
                    if each.id == extra_id:
                        yield span, each.quantity

    def check_uses(self, venue: Venue, discount: Discount | None) -> None:
        """Raises InvalidRequest if the code has been used as often as it can be."""
        if discount is None or discount.uses_max is None:
            return
        if self.uses.get((venue.id, discount.code), 0) >= discount.uses_max:
            problem = f"has been used as often as it can be ({discount.uses_max}): omit it"
            raise InvalidRequest.of("discount_code", discount.code, problem)

    def add(self, booking: Booking) -> None:
        """Counts a new booking."""
        self.add_extras(booking)
        if booking.discount_code is not None:
            key = booking.venue_id, booking.discount_code
            self.uses[key] = self.uses.get(key, 0) + 1

    def add_extras(self, booking: Booking) -> None:
        """Counts the extras of a booking where it is now."""
        if booking.extras:
            self.extras[booking.venue_id, booking.id] = booking.span, booking.extras

    def leave_out(self, ids: Collection[UUID]) -> None:
        """Removes the extras of these bookings."""
        self.extras = {key: each for key, each in self.extras.items() if key[1] not in ids}


def _most(taken: Iterable[tuple[Span, int]], span: Span) -> int:
    """Returns the largest number taken at any instant of the span."""
    steps: list[tuple[datetime, int]] = []
    for each, quantity in taken:
        if each.overlaps(span):
            steps += [(each.start, quantity), (each.end, -quantity)]
    most = now = 0
    for _, step in sorted(steps):  # what ends at an instant ends before what begins then
        now += step
        most = max(most, now)
    return most
