"""Pricing: the port, and the venue's own rules as its default."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from holdfast.kernel.span import Span
from holdfast.place.opening.stay import nights_begin
from holdfast.place.prices.sold import Discount, Extra
from holdfast.place.venue import Resource, Venue
from holdfast.port.lines import Price
from holdfast.port.price_book import PriceBook
from holdfast.port.rates import Visit

BOOKS_CACHED_MAX = 4096


class Pricing(Protocol):
    """Anything that can quote prices."""

    def quote(
        self,
        *,
        venue: Venue,
        resources: Sequence[Resource],
        span: Span,
        party_size: int,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> Price:
        """Returns the price of the party's visit on all the resources together.

        `slot_id`: the slot that it is for, if any. `now`: when it is booked; None: prices that depend on the lead time
        do not apply. `extras`: what is taken beside the place, with quantities.
        Raises InvalidRequest if the price is too large to store.
        """
        ...


class LocalPricing:
    """Applies the price rules of the venue's policy. `price_source` is `local`."""

    def __init__(self) -> None:
        self._books: dict[UUID, PriceBook] = {}

    def quote(
        self,
        *,
        venue: Venue,
        resources: Sequence[Resource],
        span: Span,
        party_size: int,
        slot_id: str | None = None,
        now: datetime | None = None,
        extras: Sequence[tuple[Extra, int]] = (),
        discount: Discount | None = None,
    ) -> Price:
        book = self._books.get(venue.id)
        if book is None or book.venue is not venue:
            book = self._open(venue)
        nights = None if venue.stay is None else nights_begin(venue.stay, span, venue.tz)
        return book.price(resources, Visit(span, party_size, slot_id, now, nights), extras, discount)

    def _open(self, venue: Venue) -> PriceBook:
        if len(self._books) >= BOOKS_CACHED_MAX:
            self._books.pop(next(iter(self._books)), None)
        book = self._books[venue.id] = PriceBook(venue)
        return book
