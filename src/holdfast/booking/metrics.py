"""What Prometheus reads of bookings: how many, what they are worth, what was refused, what became of them."""

from __future__ import annotations

from prometheus_client import Counter

from holdfast.booking.model import Booking
from holdfast.booking.states import OCCUPYING, Status
from holdfast.kernel.money import minor_units

WANTED = Counter(
    "holdfast_bookings_total",
    "Bookings asked for, by what came of it: created, again (a stored answer), or the code of the refusal.",
    ["outcome"],
)
VALUE = Counter("holdfast_booking_value_total", "Total price of the bookings created.", ["currency"])
MOVED = Counter("holdfast_booking_moves_total", "Steps to a status asked for over HTTP.", ["to"])
HOLDS = Counter(
    "holdfast_holds_total", "Holds by what came of them: created, converted into a booking.", ["outcome"]
)
REFUSED_AFTER_VIEW = Counter(
    "holdfast_refused_after_stale_view_total",
    "Bookings refused because the place was taken, of clients who said which version they saw: was it stale?",
    ["stale"],
)

_CREATED = WANTED.labels("created")


def count_created(booking: Booking) -> None:
    """One more booking, with its value."""
    _CREATED.inc()
    if booking.status is Status.HELD:
        HOLDS.labels("created").inc()
    total_minor, currency = booking.price.total_minor, booking.price.currency
    if total_minor:
        VALUE.labels(currency).inc(total_minor / 10 ** minor_units(currency))


def count_moved(booking: Booking, to: Status) -> None:
    """The booking, as it was before, took a step."""
    MOVED.labels(to).inc()
    if booking.status is Status.HELD and to in OCCUPYING:
        HOLDS.labels("converted").inc()


def count_refused_after_view(seen: int, newest: int | None) -> None:
    """A client who had seen one version was refused. `newest`: the one known here by then, if any."""
    stale = "unknown" if newest is None else "yes" if newest > seen else "no"
    REFUSED_AFTER_VIEW.labels(stale).inc()
