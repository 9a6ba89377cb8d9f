"""The range view counts as many as can be booked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from holdfast.assigning.preferences import Preferences
from holdfast.booking.finding.availability import of_day
from holdfast.booking.finding.free_range import free_by_day
from holdfast.booking.making.create import Booked
from holdfast.booking.rules.held_back import in_order
from holdfast.booking.said import Asker
from holdfast.booking.wanted import Overriding, When
from holdfast.place.opening.slot import windows_on

from .limits import JUNIORS
from .world import Ask, World, campaign

QUICK = (0, 1, 7, 8, 16)
STAYS = Overriding(("STAY_NOT_ALLOWED",), "The view counts nights one by one.")


async def _counts(world: World) -> int:
    asker = world.asker(is_staff=world.venue.stay is not None or world.rng.random() < 0.5, source="web")
    party = world.rng.choice([1, 1, 2, 2, 4])
    compared = 0
    found = await free_by_day(world.tx, world.venue, days=world.days, party_size=party, asker=asker)
    for each in found["items"]:
        said = f"{world.venue.timezone} {asker} {party} {each}"
        day, most = date.fromisoformat(each["date"]), 0
        assert (each["free"] > 0) is (each["price_from"] is not None), said
        for when in _whens(world, day, asker, party):
            made = await _as_many_as_can_be(world, when, party, asker, each["group"])
            assert made <= each["free"], f"{said}: {made} at {when}"
            most, compared = max(most, made), compared + 1
            if most == each["free"]:
                break
        assert most == each["free"], said
    return compared


def _whens(world: World, day: date, asker: Asker, party: int) -> list[When]:
    if world.venue.stay is not None:
        return [When(arrival=day, nights=1)]
    able = (each for each in world.venue.resources.values() if each.seats_min <= party <= each.seats_max)
    sets = [(each,) for each in able]
    starts = of_day(
        world.venue, sets, day, party_size=party, duration_minutes=None, asker=asker, now=world.now
    )
    whens = [When(start=each.span.start) for each in starts if each.slot_id is None]
    slots = windows_on(world.venue, day) if world.venue.slots or world.venue.policy.starts == "slots" else ()
    return [*whens, *(When(day=day, slot_id=each.id) for each in slots)]


async def _as_many_as_can_be(world: World, when: When, party: int, asker: Asker, group: str | None) -> int:
    """How many bookings of the type can be made then; of those without a type, by name."""
    over = STAYS if world.venue.stay is not None else None
    no_type = [each for each in world.venue.resources.values() if each.group is None and each.active]
    no_type.sort(key=lambda each: (each.seats_max, each.order))
    no_type = [each for (each,) in in_order(world.venue, asker, tuple((each,) for each in no_type))]
    asked: list[dict[str, Any]] = [{"preferences": Preferences(group=group)}]
    if group is None:
        asked = [{"resource_ids": (each.id,)} for each in no_type]
    made = 0
    async with world.nothing_kept():
        for each in asked:
            wanted = world.wanted(when, party, asker=asker, overriding=over, **each)
            while isinstance(await world.create(wanted), Booked):
                made, asker = made + 1, _another(asker)
                wanted = world.wanted(when, party, asker=asker, overriding=over, **each)
    return made


def _another(asker: Asker) -> Asker:
    """Another guest like the one who asks. On purpose fair use decides whether a time counts for whoever asks, but not
    how many are free: it binds one guest, and what is left of the type is for all."""
    return replace(asker, guest_id=None, ip=None, groups=asker.groups - {JUNIORS})


async def test_as_many_as_are_counted(ask: Ask) -> None:
    assert await ask(_counts, QUICK) > 20


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_as_many_as_are_counted_in_many_worlds(ask: Ask) -> None:
    assert await ask(_counts, campaign()) > 0
