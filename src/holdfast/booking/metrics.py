"""What Prometheus reads of bookings: how many, what they are worth, what was refused, what became of them."""

from __future__ import annotations

from prometheus_client import Counter

from holdfast.booking.model import Booking
from holdfast.kernel.money import minor_units

WANTED = Counter(
    "holdfast_bookings_total",
    "Bookings asked for, by what came of it: created, again (a stored answer), or the code of the refusal.",
    ["outcome"],
)
VALUE = Counter("holdfast_booking_value_total", "Total price of the bookings created.", ["currency"])
MOVED = Counter("holdfast_booking_moves_total", "Steps to a status asked for over HTTP.", ["to"])

_CREATED = WANTED.labels("created")


def count_created(booking: Booking) -> None:
    """One more booking, with its value."""
    _CREATED.inc()
    if booking.total_minor:
        VALUE.labels(booking.currency).inc(booking.total_minor / 10 ** minor_units(booking.currency))
