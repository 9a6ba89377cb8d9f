"""Guests who change their booking before they come."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any, Final

from holdfast.booking.change import Change
from holdfast.booking.model import Booking
from holdfast.booking.states import Status
from holdfast.booking.wanted import When
from holdfast.place.venue import Venue
from holdfast.simulate.people.booker import Booker
from holdfast.simulate.people.order import reconsider_items
from holdfast.simulate.people.wish import sale

STAYS_AS_IT_IS: Final = 0.52
"""The share of guests who change nothing."""
CANCELS: Final = 0.16
RECONSIDERS_ITEMS: Final = 0.7
"""The share of the guests with an order who change an item of it, and not all of it."""


async def reconsider(booker: Booker, booking: Booking) -> None:
    """The guest changes the time, the party size, the resource or what they take beside it, or cancels."""
    random, clock = booker.random, booker.world.clock
    left = (booking.start_at - clock.seen()).total_seconds()
    if left < 120 or random.random() < STAYS_AS_IT_IS:
        return
    await clock.sleep(timedelta(seconds=random.uniform(60, min(left, 2 * 86400))))
    if random.random() < CANCELS / (1 - STAYS_AS_IT_IS):
        await booker.move(booking, Status.CANCELLED)
        return
    if booking.items and random.random() < RECONSIDERS_ITEMS:
        await reconsider_items(booker, booking)
        return
    changes = _changes(random, booking, booker.house.venue)
    await booker.change(Change(booking_id=booking.id, expected_version=booking.version, **changes))


def _changes(random: Random, booking: Booking, venue: Venue) -> dict[str, Any]:
    roll = random.random()
    if roll < 0.3:
        return {"when": _when(random, booking)}
    if roll < 0.6:
        return {"party_size": max(1, booking.party_size + random.choice((-1, 1, 2)))}
    if roll < 0.8 and (venue.policy.extras or venue.policy.discounts):
        extras, code = sale(random, venue)
        said: dict[str, Any] = {"extras": extras, "discount_code": code}
        return {"sale": dict(random.sample(sorted(said.items()), random.randint(1, 2)))}
    return {"resource_ids": (random.choice(sorted(venue.resources)),)}


def _when(random: Random, booking: Booking) -> When:
    if booking.arrival_on is not None:
        later = booking.arrival_on + timedelta(days=random.choice((0, 0, 1)))
        return When(arrival=later, nights=max(1, (booking.nights or 1) + random.choice((-1, 1))))
    return When(start=booking.start_at + timedelta(minutes=random.choice((-60, -30, 30, 60, 90))))
