"""What is offered to those who wait can be booked at once, and whoever gets no offer could book nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast.assigning.choose import candidate_sets
from holdfast.booking.finding.look import look
from holdfast.booking.making.usage_store import read_usage
from holdfast.booking.model import Booking, Guest
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.wanted import When
from holdfast.channel.names import BOOKINGS
from holdfast.channel.store import version
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.opening.stay import count_of
from holdfast.waitlist.join import Joining, join
from holdfast.waitlist.model import Entry
from holdfast.waitlist.offer import Batch, offer
from holdfast.waitlist.plan import QueueSnapshot, is_type, plan
from holdfast.waitlist.promote import WAITING
from holdfast.waitlist.routes import JoinWaitlist

from .limits import ADDRESSES, GUESTS
from .world import Ask, World, campaign

QUICK = range(6)


async def _entry(world: World) -> Entry | None:
    """An entry that joins the queue; None if the rules allow nothing that it waits for."""
    rng = world.rng
    first = world.now + timedelta(minutes=rng.randrange(3 * 1440))
    if world.venue.stay is None:
        first = max(rng.choice(world.starts()), world.now)
    about: dict[str, Any] = {"preferences": rng.choice([*world.demands()])}
    if rng.random() < 0.3:
        about = {"resource_ids": (rng.choice(sorted(world.venue.resources)),)}
    chooses = world.venue.policy.guests_choose_duration and world.venue.policy.starts == "any"
    asked = Joining(
        id=new_id(),
        party_size=rng.choice([1, 2, 2, 3, 4]),
        earliest=first,
        latest=first + timedelta(minutes=rng.choice([0, 60, 360, 1440])),
        duration_minutes=rng.choice([None, None, 60]) if chooses else None,
        guest=Guest(id=world.apart.choice(GUESTS)),
        ip=world.apart.choice(ADDRESSES),
        **about,
    )
    return await _joined(world, asked)


async def _stay(world: World) -> Entry | None:
    """An entry for a date, mostly for the night that has begun or begins today, as the route makes it."""
    rng, first = world.apart, world.days[0]
    arrival = rng.choice([first - timedelta(days=1), first, first, *world.days])
    body = JoinWaitlist(venue_id=world.venue.id, party_size=1, arrival=arrival, nights=rng.choice([1, 1, 2]))
    try:
        earliest, latest, minutes = body.window(world.venue, is_staff=False)
    except HoldfastError:
        return None
    asked = Joining(
        id=new_id(),
        party_size=rng.choice([1, 2]),
        earliest=earliest,
        latest=latest,
        duration_minutes=minutes,
        preferences=rng.choice([*world.demands()]),
        guest=Guest(id=rng.choice(GUESTS)),
        ip=rng.choice(ADDRESSES),
    )
    return await _joined(world, asked)


async def _joined(world: World, asked: Joining) -> Entry | None:
    try:
        return (await join(world.tx, asked, venue=world.venue)).entry
    except HoldfastError:
        return None


async def _offers(world: World) -> int:
    joining = [await _entry(world) for _ in range(12)]
    joining += [await _stay(world) for _ in range(6)] if world.venue.stay is not None else []
    left = {each.id: each for each in joining if each is not None}
    if not left:
        return 0
    seen = await _seen(world, [*left.values()])
    for planned in plan(seen):
        if planned is not None:
            batch = Batch(seen, [planned], await _version(world))
            made = await offer(world.tx, batch, places=world.places)
            entry = left.pop(planned.entry.id)
            assert made.entries == [entry.id], f"{world.said} {entry} {planned.span} on {planned.resources}"
    for entry in left.values():
        await _nothing_is_free(world, entry)
    return len(joining) - len(left)


async def _version(world: World) -> int:
    return await version(world.tx, tenant_id=world.venue.tenant_id, venue_id=world.venue.id, name=BOOKINGS)


async def _seen(world: World, entries: list[Entry]) -> QueueSnapshot:
    """What a plan is made from, of all the time that they wait for."""
    demands = {each.demand for each in entries}
    sets = {each: in_order(world.venue, WAITING, candidate_sets(world.venue, each)) for each in demands}
    piece = Span(world.now, max(each.latest_at + each.length for each in entries))
    longest = max(each.length for each in entries)
    around, is_types = Span(piece.start - longest, piece.end + longest), any(map(is_type, entries))
    every = [resources for each in sets.values() for resources in each]
    outlook = await look(world.tx, world.venue, every, around, WAITING, is_type=is_types)
    usage = None
    if world.venue.policy.fair_use:
        usage = await read_usage(world.tx, [(world.venue, each.asker, around) for each in entries])
    return QueueSnapshot(piece, entries, sets, outlook, await _version(world), usage)


async def _nothing_is_free(world: World, entry: Entry) -> None:
    whens = [When(start=each) for each in world.starts() if entry.earliest_at <= each <= entry.latest_at]
    if world.venue.stay is not None:
        days = [world.days[0] - timedelta(days=1), *world.days]
        nights = count_of(world.venue.stay, entry.duration_minutes)
        whens = [When(arrival=each, nights=nights) for each in days]
    for when in whens:
        wanted = world.wanted(
            when,
            entry.party_size,
            asker=entry.asker,
            asked_by=entry.asker,
            resource_ids=entry.resource_ids,
            preferences=entry.preferences,
        )
        booked = await world.outcome(wanted)
        if isinstance(booked, Booking) and (booked.nights or booked.span.duration == entry.length):
            is_in = entry.earliest_at <= booked.start_at <= entry.latest_at
            assert not is_in, f"{world.said} {entry} could have {booked.span}"


async def test_offers(ask: Ask) -> None:
    assert await ask(_offers, QUICK) > 10


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_offers_in_many_worlds(ask: Ask) -> None:
    assert await ask(_offers, campaign()) > 0
