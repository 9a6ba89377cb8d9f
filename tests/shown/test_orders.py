"""The check says of an order that it is free exactly if it can be booked, and what it suggests instead can be."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from holdfast.assigning.preferences import ANYTHING
from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.deciding.wish import Change
from holdfast.booking.finding.check_order import check_order
from holdfast.booking.finding.suggest import SUGGESTIONS_MAX, WITHIN, suggest
from holdfast.booking.making.create import Booked, Refused
from holdfast.booking.model import Booking
from holdfast.booking.rules.suggestible import Suggestible
from holdfast.booking.said import Asker
from holdfast.booking.wanted import ItemWanted, Wanted, When
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id

from .keeping import asker_about, may_keep
from .world import Ask, World, campaign

QUICK = range(6)
TIMES_MAX = 8
ORDERS_MADE = 4
STARTS_TRIED_MAX = 12


def _items(world: World, most: int = 4) -> tuple[ItemWanted, ...]:
    return tuple(_item(world) for _ in range(world.apart.randint(1, most)))


def _item(world: World) -> ItemWanted:
    party_size = world.apart.choice([1, 1, 2, 2, 3, 4])
    if world.apart.random() < 0.2:
        named = world.apart.sample(sorted(world.venue.resources), 1)
        return ItemWanted(id=new_id(), party_size=party_size, resource_ids=tuple(named))
    return ItemWanted(id=new_id(), party_size=party_size, preferences=world.apart.choice([*world.demands()]))


def _order(world: World, when: When, asker: Asker, **more: Any) -> Wanted:
    items = more.pop("items", None) or _items(world)
    size = sum(each.party_size for each in items)
    return world.wanted(when, size, asker=asker, items=items, **more)


async def _orders(world: World) -> int:
    await world.fill(blocks=False)
    compared, whens = 0, [*world.whens(TIMES_MAX)]
    asker = world.asker(is_staff=world.apart.random() < 0.5, source=world.apart.choice(["api", "web"]))
    for when in world.apart.sample(whens, min(TIMES_MAX, len(whens))):
        wanted = _order(world, when, asker)
        said, outcome = f"{world.said} {wanted}", await world.outcome(wanted)
        seen = await _checked(world, wanted)
        is_booked = isinstance(outcome, Booking)
        assert seen["available"] is is_booked, f"{said}: {seen} {outcome}"
        for option in seen.get("options", []):
            await _can_be_had_by_name(world, wanted, option, said)
        compared += 1
        if isinstance(outcome, Refused):
            compared += await _suggested(world, wanted, outcome)
    return compared


async def _checked(world: World, wanted: Wanted) -> dict[str, Any]:
    try:
        return await check_order(world.tx, prepare(wanted, world.venue, now=world.now))
    except HoldfastError as error:
        return {"available": False, "refused": error}


async def _can_be_had_by_name(world: World, wanted: Wanted, option: dict[str, Any], said: str) -> None:
    """On the places that are shown; an item without one can only be asked for as it was."""
    shown = [each["resource_ids"] for each in option["items"]]
    items = tuple(
        replace(item, resource_ids=tuple(ids), preferences=ANYTHING) if ids else item
        for item, ids in zip(wanted.items, shown, strict=True)
    )
    booked = await world.outcome(replace(wanted, items=items))
    assert isinstance(booked, Booking), f"{said}: {option}: {booked}"


async def _suggested(world: World, wanted: Wanted, refused: Refused) -> int:
    """Of an order all of it is suggested at other times; where there are fewer than there may be, nothing else is."""
    error = refused.error
    if not isinstance(error, Suggestible) or error.wanted is None:
        return 0
    slots = await suggest(world.tx, error.wanted)
    said = f"{world.said} {error.code} {wanted}"
    for each in slots:
        when = When(start=datetime.fromisoformat(each["start"]), end=datetime.fromisoformat(each["end"]))
        booked = await world.outcome(replace(wanted, when=when))
        assert isinstance(booked, Booking), f"{said}: {each}: {booked}"
    if len(slots) == SUGGESTIONS_MAX or refused.prepared is None or world.venue.stay is not None:
        return len(slots)
    shown, span = {datetime.fromisoformat(each["start"]) for each in slots}, refused.prepared.span
    near = sorted({each for each in world.starts() if abs(each - span.start) <= WITHIN} - shown)
    for start in world.apart.sample(near, min(STARTS_TRIED_MAX, len(near))):
        booked = await world.outcome(replace(wanted, when=When(start=start, end=start + span.duration)))
        assert not isinstance(booked, Booking), f"{said}: {start} is free and not among {slots}"
    return len(slots)


async def _changed_orders(world: World) -> int:
    """An order can be had at another time exactly if the check of the same items says so without it."""
    compared = 0
    for made in await _made(world):
        is_staff = world.apart.random() < 0.5 or made.guest.id is None
        asker = asker_about(world, made, is_staff=is_staff)
        whens = [*world.whens(TIMES_MAX)]
        for when in world.apart.sample(whens, min(TIMES_MAX, len(whens))):
            compared += await _at_another_time(world, made, when, asker)
    return compared


async def _made(world: World) -> list[Booking]:
    found, whens = list[UUID](), [*world.whens(ORDERS_MADE)]
    for when in world.apart.sample(whens, min(ORDERS_MADE, len(whens))):
        asker = world.asker(is_staff=world.apart.random() < 0.7, source="web")
        made = await world.create(_order(world, when, asker, items=_items(world, 2)))
        found += [made.booking.id] if isinstance(made, Booked) else []
    world.booked += found
    return [each for each in await world.standing() if each.id in found] if found else []


async def _at_another_time(world: World, made: Booking, when: When, asker: Asker) -> int:
    if when.start is not None:  # as long as it is
        when = When(start=when.start, end=when.start + made.span.duration)
    items = tuple(
        ItemWanted(
            id=each.id,
            party_size=each.party_size,
            resource_ids=each.resource_ids if each.chosen_by == "guest" else (),
            preferences=each.preferences,
        )
        for each in made.items
    )
    wanted = _order(world, when, asker, items=items, instead_of=made.id, own=asker.own, asked_by=asker)
    seen = await _checked(world, wanted)
    asked = Change(booking_id=made.id, expected_version=made.version, when=when)
    changed = await world.changed(asked, asker)
    said, can = f"{world.said} {made} {when} {asker}", isinstance(changed, Booking)
    if isinstance(changed, Booking) and not seen["available"]:
        assert may_keep(made, changed, seen.get("refused")), f"{said}: {seen} {changed}"
    else:
        assert seen["available"] is can, f"{said}: {seen} {changed!r}"
    if isinstance(changed, Suggestible) and changed.wanted is not None:
        for each in await suggest(world.tx, changed.wanted):
            times = When(start=datetime.fromisoformat(each["start"]), end=datetime.fromisoformat(each["end"]))
            other = await world.changed(replace(asked, when=times), asker)
            assert isinstance(other, Booking), f"{said}: {each}: {other!r}"
    return 1


async def test_orders(ask: Ask) -> None:
    assert await ask(_orders, QUICK) > 30


async def test_changed_orders(ask: Ask) -> None:
    assert await ask(_changed_orders, QUICK) > 20


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_orders_in_many_worlds(ask: Ask) -> None:
    assert await ask(_orders, campaign()) > 0


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_changed_orders_in_many_worlds(ask: Ask) -> None:
    assert await ask(_changed_orders, campaign()) > 0
