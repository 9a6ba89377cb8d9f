"""Gives a booking to another guest, who must be allowed to have it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from holdfast.booking.model import Booking
from holdfast.booking.rules.fair_use import Allowance, Usage
from holdfast.booking.rules.override import Overruled, check_rule
from holdfast.booking.said import Asker
from holdfast.kernel.span import Span
from holdfast.pacing.limits import WALK_IN
from holdfast.place.venue import Venue


@dataclass(frozen=True, slots=True)
class Transfer:
    """Who gets a booking: a guest, or nobody that is known."""

    venue: Venue
    asker: Asker

    def check(self, usage: Usage, span: Span, *, things: int, now: datetime, over: Overruled | None) -> None:
        """Raises QuotaExceeded if the guest may not have one more booking at that time, unless that is overruled."""
        if span.end > now:
            may = Allowance.of(self.venue, self.asker, usage, now=now)
            check_rule(over, may.check, span, things=things)


def transfer_of(guest: dict[str, Any], before: Booking, venue: Venue) -> Transfer | None:
    """Returns who gets the booking by these new fields of its guest; None if it stays with the one who has it.

    A walk-in binds nobody, whoever turns out to sit there."""
    if guest.get("id", before.guest.id) == before.guest.id:
        return None
    source = before.details.source
    return Transfer(venue, Asker(True, source, None if source == WALK_IN else guest["id"]))


def given_away(booking: Booking) -> Booking:
    """Returns the booking as it counts for another guest: no longer for the groups and the address of the first."""
    return replace(booking, booked_ip=None, booked_groups=())
