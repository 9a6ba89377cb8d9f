"""What is shown to whoever wants to change a booking can be had by changing it, and the other way round."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from holdfast.booking.deciding.prepare import prepare, usual_minutes
from holdfast.booking.deciding.wish import Change
from holdfast.booking.finding.availability import check
from holdfast.booking.finding.suggest import SUGGESTIONS_MAX, WITHIN, suggest
from holdfast.booking.model import Booking
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.said import Asker
from holdfast.booking.wanted import When
from holdfast.kernel.errors import HoldfastError

from .keeping import asker_about, may_keep
from .views import Shown, shown_in, when_of
from .world import Ask, World, campaign

QUICK = range(6)
BOOKINGS_MAX = 3
TRIED_MAX = 8
Json = dict[str, Any]


async def _changes(world: World) -> int:
    await world.fill(blocks=False)
    compared, there = 0, await world.standing()
    for booking in world.apart.sample(there, min(BOOKINGS_MAX, len(there))):
        is_staff = world.apart.random() < 0.5 or booking.guest.id is None
        asker = asker_about(world, booking, is_staff=is_staff)
        compared += await _views(world, booking, asker)
        compared += await _checks(world, booking, asker)
    return compared


async def _views(world: World, booking: Booking, asker: Asker) -> int:
    party_size = world.apart.choice([booking.party_size, booking.party_size, 1, 3])
    minutes = None if world.venue.stay else world.apart.choice([None, 60, 120])
    asked: Json = {"party_size": party_size, "duration_minutes": minutes, "asker": asker}
    asked |= {"preferences": world.apart.choice([booking.preferences, *world.demands()]), "but": booking.id}
    try:
        shown = await shown_in(world, asked)
    except HoldfastError:
        return 0
    return await _each_can_be_had(world, booking, asked, shown)


async def _each_can_be_had(world: World, booking: Booking, asked: Json, shown: Shown) -> int:
    """As it is shown, and on the resources that it is shown on."""
    picked = world.apart.sample(sorted(shown.values(), key=str), min(TRIED_MAX, len(shown)))
    for start, free, day in picked:
        said = f"{world.said} {asked}: {booking.span} {booking.status} -> {start} of {day}"
        when = when_of(world, start, day, asked["duration_minutes"])
        if when.start is not None:  # without an end, it would keep the length that it has
            when = When(start=start.span.start, end=start.span.end)
        wanted = _change(booking, when, party_size=asked["party_size"])
        changed = await world.changed(replace(wanted, preferences=asked["preferences"]), asked["asker"])
        assert isinstance(changed, Booking), f"{said}: {changed!r}"
        assert changed.span == start.span, f"{said}: {changed.span}"
        if free.resource_ids:
            named = replace(wanted, resource_ids=free.resource_ids)
            by_name = await world.changed(named, asked["asker"])
            assert isinstance(by_name, Booking), f"{said}: {free}: {by_name!r}"
    return len(picked)


def _change(booking: Booking, when: When, **more: Any) -> Change:
    return Change(booking_id=booking.id, expected_version=booking.version, when=when, **more)


async def _checks(world: World, booking: Booking, asker: Asker) -> int:
    """The check says that it is free exactly if it can be had; and so can what is suggested instead."""
    compared, party_size = 0, world.apart.choice([booking.party_size, 2, 4])
    about: Json = {"preferences": world.apart.choice([booking.preferences, *world.demands()])}
    if world.apart.random() < 0.3:
        about = {"resource_ids": booking.resource_ids or (world.apart.choice(sorted(world.venue.resources)),)}
    for when in _whens(world, party_size):
        asked = _change(booking, when, party_size=party_size, **about)
        said = f"{world.said} {booking} {asked} {asker}"
        changed, refusal = await world.changed(asked, asker), None
        wanted = world.wanted(
            when, party_size, asker=asker, instead_of=booking.id, asked_by=asker, own=asker.own, **about
        )
        try:
            seen = await check(world.tx, prepare(wanted, world.venue, now=world.now).in_full())
        except HoldfastError as error:
            seen, refusal = {"available": False}, error
        if isinstance(changed, Booking) and not seen["available"]:
            assert may_keep(booking, changed, refusal), f"{said}: {seen} {refusal!r} {changed}"
        else:
            assert seen["available"] is isinstance(changed, Booking), f"{said}: {seen} {changed!r}"
        compared += 1
        if isinstance(changed, Suggestible) and changed.wanted is not None:
            await _suggested(world, booking, asked, changed, asker)
    return compared


def _whens(world: World, party_size: int) -> list[When]:
    """Times that say their length, as far as they are no slots: otherwise it would keep the length that it has."""
    minutes = usual_minutes(world.venue.policy, party_size)
    found = [
        each if each.start is None else replace(each, duration_minutes=minutes)
        for each in world.whens(TRIED_MAX)
    ]
    return world.apart.sample(found, min(TRIED_MAX, len(found)))


async def _suggested(
    world: World, booking: Booking, asked: Change, refused: Suggestible, asker: Asker
) -> None:
    wanted = refused.wanted
    assert wanted is not None
    slots = await suggest(world.tx, wanted)
    said = f"{world.said} {refused.code} {asked}"
    for each in slots:
        when = When(start=datetime.fromisoformat(each["start"]), end=datetime.fromisoformat(each["end"]))
        named = {"preferences": None, "resource_ids": tuple(map(UUID, each["resource_ids"]))}
        changed = await world.changed(
            replace(asked, when=when, **named if each["resource_ids"] else {}), asker
        )
        assert isinstance(changed, Booking), f"{said}: {each}: {changed!r}"
    if len(slots) == SUGGESTIONS_MAX or world.venue.stay is not None or not booking.occupies:
        return  # a booking that has no place yet goes to any time, free or not
    shown = {datetime.fromisoformat(each["start"]) for each in slots}
    near = [each for each in world.starts() if abs(each - wanted.span.start) <= WITHIN]
    for start in sorted({*near} - shown):
        when = When(start=start, end=start + wanted.span.duration)
        changed = await world.changed(replace(asked, when=when), asker)
        if isinstance(changed, Booking) and _keeps(booking, changed, is_slot=wanted.slot_id is not None):
            continue
        assert not isinstance(changed, Booking), f"{said}: {start} is free and not among {slots}"


def _keeps(booking: Booking, changed: Booking, *, is_slot: bool) -> bool:
    """Whether it may be had only because it keeps what it has: its time or, instead of a slot, its length. What is
    suggested can be asked for by anybody."""
    return changed.span == booking.span or (is_slot and changed.span.duration == booking.span.duration)


async def test_changes(ask: Ask) -> None:
    assert await ask(_changes, QUICK) > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_changes_in_many_worlds(ask: Ask) -> None:
    assert await ask(_changes, campaign()) > 0
