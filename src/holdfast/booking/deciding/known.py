"""What bookings are decided with, and what is decided. Values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from holdfast.booking.model import Booking
from holdfast.booking.rules.fair_use import Usage
from holdfast.booking.rules.sale import Sales
from holdfast.booking.wanted import Prepared
from holdfast.claim.model import Claim, Occupancy, Probe
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.value import value
from holdfast.pacing.limits import Arrivals, Window


@value()
class Created:
    """The booking to create, and its claims."""

    booking: Booking
    claims: list[Claim]


@value()
class Refused:
    """Why the booking is refused. `prepared`: the request, if it got that far."""

    error: HoldfastError
    prepared: Prepared | None = None


@value()
class Further:
    """The decision needs further ledger reads: the sets checked so far are all taken, or claims would have to move that
    have not been read far enough ahead. `probes`: what to read before deciding again."""

    probes: Sequence[Probe]


@dataclass(slots=True)
class Known:
    """What the transaction has read: claims by resource, arrivals by venue and pacing window, open holds by holder,
    extras and uses of discount codes, and what rules of fair use count."""

    now: datetime
    occupancy: Occupancy
    arrivals: dict[tuple[UUID, Window], Arrivals] = field(default_factory=dict)
    holds: dict[tuple[UUID, str], int] = field(default_factory=dict)
    sales: Sales = field(default_factory=Sales)
    usage: Usage = field(default_factory=Usage)
