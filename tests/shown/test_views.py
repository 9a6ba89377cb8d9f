"""Day, month and check show what can be booked, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.finding.availability import check
from holdfast.booking.model import Booking
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.errors import HoldfastError

from .views import Shown, shown_in, when_of
from .world import Ask, World, campaign

QUICK = range(6)
TRIED_MAX = 25


async def _views(world: World) -> int:
    compared = 0
    rng = world.rng
    asker = world.asker(is_staff=rng.random() < 0.5, source=rng.choice(["api", "web"]))
    for preferences in world.demands():
        asked = {"party_size": world.rng.choice([1, 2, 3, 4, 5]), "preferences": preferences, "asker": asker}
        asked["duration_minutes"] = (
            None if world.venue.stay else world.rng.choice([None, None, 60, 120, 1500])
        )
        try:
            shown = await shown_in(world, asked)
        except HoldfastError:
            continue
        compared += await _each_can_be_booked(world, asked, shown)
        compared += await _what_can_be_booked_is_shown(world, asked, shown)
    return compared


def _wanted(world: World, when: When, asked: dict[str, Any], **more: Any) -> Wanted:
    more = {"preferences": asked["preferences"]} | more
    return world.wanted(when, asked["party_size"], asker=asked["asker"], **more)


async def _each_can_be_booked(world: World, asked: dict[str, Any], shown: Shown) -> int:
    """As it is shown, and on the resources that it is shown on."""
    picked = world.rng.sample(sorted(shown.values(), key=str), min(TRIED_MAX, len(shown)))
    for start, free, day in picked:
        said = f"{world.said} {asked}: {start} of {day}"
        when = when_of(world, start, day, asked["duration_minutes"])
        booked = await world.outcome(_wanted(world, when, asked))
        assert isinstance(booked, Booking), f"{said}: {booked}"
        assert booked.span == start.span, said
        if free.resource_ids:
            named = {"resource_ids": free.resource_ids, "preferences": ANYTHING}
            by_name = await world.outcome(_wanted(world, when, asked, **named))
            assert isinstance(by_name, Booking), f"{said}: {free}: {by_name}"
    return len(picked)


async def _what_can_be_booked_is_shown(world: World, asked: dict[str, Any], shown: Shown) -> int:
    """By the day view, and by the check, which refuses nothing else."""
    booked_in_all = 0
    for when in world.whens(TRIED_MAX, minutes=asked["duration_minutes"]):
        said, wanted = f"{world.said} {asked}: {when}", _wanted(world, when, asked)
        booked = await world.outcome(wanted)
        try:
            seen = await check(world.tx, prepare(wanted, world.venue, now=world.now).in_full())
        except HoldfastError:
            seen = {"available": False}
        assert seen["available"] is isinstance(booked, Booking), f"{said}: {seen} {booked}"
        if isinstance(booked, Booking) and when.nights in (None, 1):
            assert {(booked.span, booked.slot_id), (booked.span, None)} & {*shown}, f"{said}: {booked}"
            booked_in_all += 1
    return booked_in_all


async def test_day_month_and_check(ask: Ask) -> None:
    assert await ask(_views, QUICK) > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_day_month_and_check_in_many_worlds(ask: Ask) -> None:
    assert await ask(_views, campaign()) > 0
