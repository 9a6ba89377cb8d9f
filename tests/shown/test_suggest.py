"""What a refusal suggests can be booked at once, and where it suggests less than it may, nothing else is free."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.finding.availability import check
from holdfast.booking.finding.suggest import SUGGESTIONS_MAX, WITHIN, suggest
from holdfast.booking.making.create import Refused
from holdfast.booking.model import Booking
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.wanted import Wanted, When
from holdfast.kernel.errors import HoldfastError

from .world import Ask, World, campaign

QUICK = range(6)


async def _suggestions(world: World) -> int:
    compared = 0
    for when in world.whens(20):
        rng = world.rng
        asker = world.asker(is_staff=rng.random() < 0.5, source=rng.choice(["api", "web"]))
        about: dict[str, Any] = {"preferences": world.rng.choice([*world.demands()])}
        if world.rng.random() < 0.3:
            about = {"resource_ids": (world.rng.choice(sorted(world.venue.resources)),)}
        wanted = world.wanted(when, world.rng.choice([1, 2, 3, 4]), asker=asker, **about)
        compared += await _options(world, wanted)
        outcome = await world.outcome(wanted)
        if isinstance(outcome, Refused) and isinstance(outcome.error, Suggestible) and outcome.error.wanted:
            slots = await suggest(world.tx, outcome.error.wanted)
            await _suggested(world, wanted, slots, outcome)
            compared += len(slots)
    return compared


async def _options(world: World, wanted: Wanted) -> int:
    try:
        seen = await check(world.tx, prepare(wanted, world.venue, now=world.now).in_full())
    except HoldfastError:
        return 0
    for option in seen["options"]:
        booked = await world.outcome(_at(wanted, wanted.when, option["resource_ids"]))
        assert isinstance(booked, Booking), f"{world.said} {wanted}: {option}: {booked}"
    return len(seen["options"])


async def _suggested(world: World, wanted: Wanted, slots: list[dict[str, Any]], refused: Refused) -> None:
    said = f"{world.said} {refused.error.code} {wanted.when} {wanted.preferences} {wanted.resource_ids}"
    for each in slots:
        start, end = datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"])
        booked = await world.outcome(_at(wanted, When(start=start, end=end), each["resource_ids"]))
        assert isinstance(booked, Booking), f"{said}: {each}: {booked}"
    prepared = refused.prepared
    if len(slots) == SUGGESTIONS_MAX or prepared is None or world.venue.stay is not None:
        return
    shown = {datetime.fromisoformat(each["start"]) for each in slots}
    length = prepared.span.duration
    near = [each for each in world.starts() if abs(each - prepared.span.start) <= WITHIN]
    for start in sorted({*near, prepared.span.start} - shown):
        booked = await world.outcome(replace(wanted, when=When(start=start, end=start + length)))
        assert not isinstance(booked, Booking), f"{said}: {start} is free and not among {slots}"


def _at(wanted: Wanted, when: When, resource_ids: list[str]) -> Wanted:
    """As it is suggested; without resources, the request stays as it was."""
    if not resource_ids:
        return replace(wanted, when=when)
    return replace(wanted, when=when, resource_ids=tuple(map(UUID, resource_ids)), preferences=ANYTHING)


async def test_suggestions_and_options(ask: Ask) -> None:
    assert await ask(_suggestions, QUICK) > 20


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_suggestions_and_options_in_many_worlds(ask: Ask) -> None:
    assert await ask(_suggestions, campaign()) > 0
