"""Guests who want several things at once."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any, Final

from holdfast.assigning.preferences import ANYTHING, Preferences
from holdfast.booking.cancel_item import ItemCancellation
from holdfast.booking.change import Change
from holdfast.booking.deciding.reorder import ItemChange
from holdfast.booking.model import Booking
from holdfast.booking.wanted import ItemWanted, Wanted
from holdfast.kernel.ids import new_id
from holdfast.place.venue import Venue
from holdfast.simulate.people.booker import Booker

MORE_MAX: Final = 3
"""How many other things an order has at most, beside the first."""


def with_more(random: Random, venue: Venue, wanted: Wanted) -> Wanted:
    """Returns the request with one to MORE_MAX other things: of the same type, at the same place, or any."""
    first = ItemWanted(
        id=new_id(),
        party_size=wanted.party_size,
        resource_ids=wanted.resource_ids,
        preferences=wanted.preferences,
    )
    items = [first, *(_item(random, venue, first) for _ in range(random.randint(1, MORE_MAX)))]
    return replace(
        wanted,
        items=tuple(items),
        party_size=sum(each.party_size for each in items),
        resource_ids=(),
        preferences=ANYTHING,
    )


def _item(random: Random, venue: Venue, first: ItemWanted) -> ItemWanted:
    size, roll = random.randint(1, max(2, first.party_size)), random.random()
    if roll < 0.4:
        return replace(first, id=new_id(), party_size=size)
    if roll < 0.7:
        return ItemWanted(
            id=new_id(), party_size=size, resource_ids=(random.choice(sorted(venue.resources)),)
        )
    return ItemWanted(id=new_id(), party_size=size, preferences=_type(random, venue))


def _type(random: Random, venue: Venue) -> Preferences:
    groups = sorted({each.group for each in venue.resources.values() if each.group is not None})
    return Preferences(group=random.choice(groups)) if groups else ANYTHING


async def reconsider_items(booker: Booker, booking: Booking) -> None:
    """The guest takes something out of the order, changes it, or wants something more."""
    random, about = booker.random, {"booking_id": booking.id, "expected_version": booking.version}
    item = random.choice([each for each in booking.items if not each.is_cancelled])
    roll = random.random()
    if roll < 0.4:
        await booker.cancel_item(ItemCancellation(**about, item_id=item.id))
        return
    changes: dict[str, Any] = {"party_size": max(1, item.party_size + random.choice((-1, 1, 2)))}
    change = ItemChange(id=item.id, **changes)
    if roll > 0.7:
        venue = booker.house.venue
        change = ItemChange(id=new_id(), is_new=True, party_size=1, preferences=_type(random, venue))
    await booker.change(Change(**about, items=(change,)))
