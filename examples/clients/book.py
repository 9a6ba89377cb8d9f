"""Books, changes and cancels with a generated client, and reads a refusal. docs/clients.md says how to run it.

SERVER is where Holdfast listens, TOKEN a token of staff, VENUE the slug of a venue of theirs.
"""

import os
from datetime import UTC, datetime, timedelta

from holdfast_client import AuthenticatedClient
from holdfast_client.api.bookings import cancel_booking, create_booking, get_availability_day, update_booking
from holdfast_client.api.venues import list_venues
from holdfast_client.models import (
    BookingShown,
    CancelBooking,
    CreateBooking,
    DayShown,
    Problem,
    ProblemCode,
    UpdateBooking,
    VenuePage,
)

client = AuthenticatedClient(base_url=os.environ["SERVER"], token=os.environ["TOKEN"])
day = (datetime.now(UTC) + timedelta(days=30)).date()

venues = list_venues.sync(client=client)
assert isinstance(venues, VenuePage), venues
venue = next(each for each in venues.items if each.slug == os.environ["VENUE"])

free = get_availability_day.sync(venue.id, client=client, date=day, party_size=2)
assert isinstance(free, DayShown), free
first, last = free.starts[0], free.starts[-1]

wanted = CreateBooking(
    venue_id=venue.id,
    start=first.start,
    party_size=2,
    resource_ids=first.resource_ids,
    guest_name="Gina Larsson",
)
booking = create_booking.sync(client=client, body=wanted)
assert isinstance(booking, BookingShown), booking
print(booking.status.value, booking.booking_date, booking.booking_time)

refusal = create_booking.sync(client=client, body=wanted)
assert isinstance(refusal, Problem), refusal
assert refusal.code in (ProblemCode.LANE_NOT_AVAILABLE, ProblemCode.TABLE_NOT_AVAILABLE), refusal
print(refusal.code.value, "-", refusal.detail)

changed = update_booking.sync(
    booking.id, client=client, body=UpdateBooking(expected_version=booking.version, start=last.start)
)
assert isinstance(changed, BookingShown), changed
print(changed.status.value, changed.booking_date, changed.booking_time)

cancelled = cancel_booking.sync(
    booking.id, client=client, body=CancelBooking(expected_version=changed.version, reason="Fell ill")
)
assert isinstance(cancelled, BookingShown), cancelled
print(cancelled.status.value)
