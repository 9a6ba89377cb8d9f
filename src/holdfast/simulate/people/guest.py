"""The life of a guest: wants a place, gets it or not, comes or stays away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

from holdfast.booking import states
from holdfast.booking.deciding.conflicts import NotAvailable
from holdfast.booking.model import Booking, initial_status
from holdfast.booking.states import Status
from holdfast.booking.wanted import Overriding, When
from holdfast.simulate.people.booker import Booker
from holdfast.simulate.people.order import with_more
from holdfast.simulate.people.reconsider import reconsider
from holdfast.simulate.people.repeat import repeat
from holdfast.simulate.people.wait import wait
from holdfast.simulate.people.wish import Intention, wish, zipf
from holdfast.simulate.world import World

QUEUES_SHARE: Final = 0.4
"""Of those who find it taken."""
ORDERS_SHARE: Final = 0.1
"""The share of bookings that are for several things."""
RUSHES_A_DAY: Final = 5
RUSH: Final = timedelta(seconds=90)
RUSH_SHARE: Final = 0.6
CRAZE_SHARE: Final = 0.6
"""Of those in a rush."""
CLERKS: Final = 6
"""Members of staff at a venue."""
OVERRULED: Final = (
    "PACING_EXCEEDED",
    "OFF_SLOT_STEP",
    "PARTY_TOO_LARGE",
    "STAY_NOT_ALLOWED",
    "DURATION_NOT_ALLOWED",
)


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a guest appears. `craze`: identifies a rush; most guests of a rush want exactly the same."""

    at: datetime
    craze: str | None = None


def arrivals(random: Random, day: datetime, count: int) -> list[Arrival]:
    """Returns a day's guests: RUSH_SHARE of them within RUSH of a few moments, the others at any time. Pure."""
    rushes = [day + timedelta(days=random.random()) for _ in range(RUSHES_A_DAY)]
    found: list[Arrival] = []
    for _ in range(count):
        if random.random() < RUSH_SHARE:
            rush = zipf(random, rushes)
            craze = str(rush) if random.random() < CRAZE_SHARE else None
            found.append(Arrival(rush + RUSH * random.random(), craze))
        else:
            found.append(Arrival(day + timedelta(days=random.random())))
    return found


async def live(world: World, number: int, arrival: Arrival) -> None:
    """One guest, from the wish to the end of the visit; staff seat walk-ins."""
    taste = world.random(f"taste {arrival.craze or number}")
    house = zipf(taste, world.houses)
    booker = Booker(world, house, house.guest(number), f"guest {number}")
    await world.clock.until(arrival.at)
    world.guests += 1
    wanted = wish(taste, house.venue, now=world.clock.seen(), seed=world.seed)
    if wanted is None:
        return
    roll = booker.random.random()
    if roll < 0.08:
        await _walk_in(booker, wanted)
    elif roll < 0.11:
        await repeat(booker, wanted)
    elif roll < 0.16:
        await _call(booker, wanted)
    else:
        await _book(booker, wanted, hold=roll < 0.4)


async def _walk_in(booker: Booker, wanted: Intention) -> None:
    booker.actor = booker.house.staff(booker.random.randrange(CLERKS))
    now = replace(wanted, when=When(), resource_ids=())
    answer = await booker.book(booker.wanted(now, walk_in=True), "walk_in")
    if answer.is_done:
        await visit(booker, UUID(answer.body["id"]))


async def _call(booker: Booker, wanted: Intention) -> None:
    """A regular calls, and staff overrule rules for them."""
    booker.actor = booker.house.staff(booker.random.randrange(CLERKS))
    asked = booker.wanted(wanted, overriding=Overriding(OVERRULED, "A regular."))
    answer = await booker.book(asked, "call")
    if answer.is_done:
        await visit(booker, UUID(answer.body["id"]))


async def _book(booker: Booker, wanted: Intention, *, hold: bool) -> None:
    asked, action = booker.wanted(wanted, hold=hold), "hold" if hold else "create"
    if booker.random.random() < ORDERS_SHARE:
        asked, action = with_more(booker.random, booker.house.venue, asked), "order"
    answer = await booker.book(asked, action)
    if answer.is_done:
        await visit(booker, UUID(answer.body["id"]))
    elif isinstance(answer.refused, NotAvailable) and booker.random.random() < QUEUES_SHARE:
        booking_id = await wait(booker, wanted)
        if booking_id is not None:
            await visit(booker, booking_id)


async def visit(booker: Booker, booking_id: UUID) -> None:
    """The course of a booking: decided, maybe changed or cancelled, then a visit or a no-show."""
    booking = await booker.read(booking_id)
    for step in (_decide, _confirm, reconsider, _confirm, _arrive, _leave):
        if booking is None or booking.status in states.TERMINAL:
            return
        await step(booker, booking)
        booking = await booker.read(booking_id)


async def _decide(booker: Booker, booking: Booking) -> None:
    """The guest turns a hold into a booking, cancels it, or forgets it."""
    if booking.status is not Status.HELD:
        return
    random, clock = booker.random, booker.world.clock
    await clock.sleep(timedelta(seconds=random.randrange(20, 400)))
    onward = initial_status(booker.house.venue.policy, hold=False)
    roll = random.random()
    if roll < 0.65:
        await booker.move(booking, onward)
    elif roll < 0.75:
        await booker.move(booking, Status.CANCELLED)
    else:
        await clock.sleep(timedelta(minutes=20))


async def _confirm(booker: Booker, booking: Booking) -> None:
    """Staff confirm or reject what waits for payment or approval, or let it lapse."""
    if booking.status not in (Status.PENDING, Status.PENDING_APPROVAL, Status.MANUAL_REVIEW):
        return
    random = booker.random
    await booker.world.clock.sleep(timedelta(minutes=random.randrange(2, 60)))
    roll, clerk = random.random(), booker.house.staff(random.randrange(CLERKS))
    if roll < 0.75:
        await booker.move(booking, Status.CONFIRMED, actor=clerk)
    elif roll < 0.85:
        await booker.move(booking, Status.CANCELLED, actor=clerk)


async def _arrive(booker: Booker, booking: Booking) -> None:
    """Four out of five guests come, a little early or late; the others become no-shows."""
    random = booker.random
    if booking.status is Status.CHECKED_IN:
        return
    await booker.world.clock.until(booking.start_at + timedelta(minutes=random.randrange(-10, 20)))
    if random.random() < 0.8:
        clerk = booker.house.staff(random.randrange(CLERKS))
        now = await booker.read(booking.id)
        if now is not None and now.status in (Status.RESERVED, Status.CONFIRMED):
            await booker.move(now, Status.CHECKED_IN, actor=clerk)


async def _leave(booker: Booker, booking: Booking) -> None:
    """Staff complete half of the visits; the others end when their time is over."""
    random = booker.random
    if booking.status is not Status.CHECKED_IN or random.random() < 0.5:
        return
    await booker.world.clock.until(booking.end_at - timedelta(minutes=random.randrange(0, 40)))
    await booker.move(booking, Status.COMPLETED, actor=booker.house.staff(random.randrange(CLERKS)))
