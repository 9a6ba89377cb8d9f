"""What is left of an extra can be booked with a visit, and one more of it can't; the same with uses of a code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from holdfast.booking.deciding.prepare import prepare
from holdfast.booking.deciding.wish import Change
from holdfast.booking.finding.availability import check
from holdfast.booking.finding.check_order import check_order
from holdfast.booking.making.create import Booked
from holdfast.booking.model import Booking
from holdfast.booking.rules.sale import ExtraNotAvailable
from holdfast.booking.wanted import ItemWanted, Wanted, When
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id

from .keeping import asker_about, may_keep
from .world import Ask, World, campaign

QUICK = range(6)
TIMES_MAX = 8
Json = dict[str, Any]


async def _extras(world: World) -> int:
    """By the check of a single booking, of an order, and of one that is to be changed."""
    await _sell_some(world)
    asker = world.asker(is_staff=world.apart.random() < 0.5, source="web")
    compared = 0
    for when in _some_of(world, [*world.whens(TIMES_MAX)]):
        is_order = world.apart.random() < 0.3
        wanted = world.wanted(when, 2, asker=asker, items=_items() if is_order else (), **_sale(world))
        compared += await _left(world, wanted)
    for booking in _some_of(world, await world.standing()):
        compared += await _changed(world, booking)
    return compared


def _some_of(world: World, every: list[Any]) -> list[Any]:
    return world.apart.sample(every, min(TIMES_MAX, len(every)))


def _items() -> tuple[ItemWanted, ...]:
    return tuple(ItemWanted(id=new_id(), party_size=1) for _ in range(2))


def _sale(world: World) -> Json:
    names = world.apart.sample(["shoes", "towels"], world.apart.randint(1, 2))
    taken = tuple((each, world.apart.choice([None, 1, 2, 3, 5])) for each in names)
    return {"extras": taken, "discount_code": world.apart.choice([None, None, "spring"])}


async def _sell_some(world: World) -> None:
    asker = replace(world.asker(is_staff=True, source="phone"))
    for when in _some_of(world, [*world.whens(TIMES_MAX)]):
        made = await world.create(world.wanted(when, 1, asker=asker, **_sale(world)))
        world.booked += [made.booking.id] if isinstance(made, Booked) else []


async def _checked(world: World, wanted: Wanted) -> tuple[bool, HoldfastError | None]:
    verb = check_order if wanted.items else check
    try:
        prepared = prepare(wanted, world.venue, now=world.now).in_full()
        return (await verb(world.tx, prepared))["available"], None
    except HoldfastError as error:
        return False, error


async def _left(world: World, wanted: Wanted) -> int:
    is_free, refusal = await _checked(world, wanted)
    booked = await world.outcome(wanted)
    said = f"{world.said} {wanted}: {is_free} {refusal!r} {booked}"
    assert is_free is isinstance(booked, Booking), said
    if isinstance(refusal, ExtraNotAvailable):
        await _as_many_as_are_left(world, wanted, refusal, said)
    return 1


async def _as_many_as_are_left(world: World, wanted: Wanted, refusal: ExtraNotAvailable, said: str) -> None:
    """With none of it, the visit may be free or not; then with as many as are left it is the same."""
    id_, left = refusal.fields["extra_id"], refusal.fields["available"]
    for count in (left, left + 1):
        some = tuple((each, count if each == id_ else asked) for each, asked in wanted.extras)
        less = replace(wanted, extras=some if count else tuple(each for each in some if each[0] != id_))
        is_free, refused = await _checked(world, less)
        booked = await world.outcome(less)
        assert is_free is isinstance(booked, Booking), f"{said}: {less.extras} {is_free} {refused!r} {booked}"
        is_missing = isinstance(refused, ExtraNotAvailable) and refused.fields["extra_id"] == id_
        assert is_missing is (count > left), f"{said}: {less.extras}: {refused!r}"


async def _changed(world: World, booking: Booking) -> int:
    """The extras that a booking has, others, or as many at another time: it is not in its own way."""
    asker = asker_about(world, booking, is_staff=True)
    whens = [When(start=booking.start_at, end=booking.end_at), *world.whens(2, minutes=60)]
    if world.venue.stay is not None and booking.arrival_on is not None:
        whens = [
            When(arrival=booking.arrival_on, nights=booking.nights),
            *_some_of(world, [*world.whens(2)])[:2],
        ]
    for when in whens:
        own = tuple((each.id, each.quantity) for each in booking.extras)
        sale = world.apart.choice([_sale(world), {"extras": own, "discount_code": booking.discount_code}])
        about: Json = {"preferences": booking.preferences}
        if booking.chosen_by == "guest":
            about = {"resource_ids": booking.resource_ids}
        asked = Change(booking_id=booking.id, expected_version=booking.version, when=when, sale=sale, **about)
        changed = await world.changed(asked, asker)
        wanted = world.wanted(
            when,
            booking.party_size,
            asker=asker,
            instead_of=booking.id,
            asked_by=asker,
            own=asker.own,
            **about,
            **sale,
        )
        is_free, refusal = await _checked(world, wanted)
        said = f"{world.said} {booking} {asked}: {is_free} {refusal!r} {changed!r}"
        if isinstance(changed, Booking) and not is_free:
            assert may_keep(booking, changed, refusal), said
        else:
            assert is_free is isinstance(changed, Booking), said
    return len(whens)


async def test_extras(ask: Ask) -> None:
    assert await ask(_extras, QUICK) > 50


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_extras_in_many_worlds(ask: Ask) -> None:
    assert await ask(_extras, campaign()) > 0
