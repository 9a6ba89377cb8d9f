"""What an order lacks that can't be placed: how much of it there is room for, and whether there ever is for all of it.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from holdfast.assigning.choose import claimed_by, distinct
from holdfast.assigning.rooms import Rooms
from holdfast.booking.deciding.order import Place, Placing, with_room
from holdfast.booking.deciding.prepare import find_place, open_sets
from holdfast.booking.rules.held_back import open_to
from holdfast.booking.wanted import Prepared
from holdfast.claim.model import Occupancy, units_needed
from holdfast.place.venue import Resource

TRIES_IF_EMPTY_MAX = 100
"""How many places of items are tried before it is left open whether an empty venue has room for an order."""
PLURALS = {"facility": "facilities"}


@dataclass(frozen=True, slots=True)
class Shortage:
    """Why there is no room, in a sentence. `is_about_time`: at another time there may be."""

    detail: str
    is_about_time: bool = True


def shortage(order: Prepared, occupancy: Occupancy, but: UUID | None) -> tuple[Prepared, Shortage | None]:
    """Returns the item with the least room, and what the order lacks; None if that item has no room by itself."""
    rooms = Rooms(occupancy, order.span, but)
    item = _scarcest(order, rooms)
    if find_place(item, occupancy, but=but) is None:
        return item, None
    if name := _named_twice(item, order):
        problem = f"Another item of this order takes {name}: name something else for one of them."
        return item, Shortage(problem, is_about_time=False)
    alike = [each for each in order.items if each.wanted.demand == item.wanted.demand]
    detail = _of_alike(alike, order, rooms) or _of_all(order, rooms)
    if _ever_fits(order, occupancy):
        return item, Shortage(detail)
    return item, Shortage(f"{detail} There is never room for all of it: order less.", is_about_time=False)


def _of_alike(alike: Sequence[Prepared], order: Prepared, rooms: Rooms) -> str | None:
    """Returns what is said of items that are alike, if there is not room for these alone."""
    if _takes_guests(alike[0]):  # it is no seat that each has, but some of them
        return None
    part = replace(order, items=tuple(alike))
    many, together, size = len(alike), _together(part, rooms), alike[0].wanted.party_size
    if together >= many:
        return None
    free = f"{together} {_is(together)} free"
    return f"Of the {many} {_things(part)} for {size} in this order, {free} at that time."


def _of_all(order: Prepared, rooms: Rooms) -> str:
    many, together = len(order.items), _together(order, rooms)
    things = f"{'both' if many == 2 else f'all {many}'} {_things(order)} of this order"
    if together >= many:
        return f"No way was found to place {things} at that time."
    return f"Not {things} are free together at that time, but {together} {_is(together)}."


def _is(many: int) -> str:
    return "is" if many == 1 else "are"


def _things(order: Prepared) -> str:
    """Returns what all of them may be, in the plural: `tables` only if it can't be a lane."""
    every = {id(each.sets): each.sets for each in order.items}.values()  # items that are alike share them
    kinds = {"thing" if one.takes == "guests" else one.kind for sets in every for one in distinct(sets)}
    kind = kinds.pop() if len(kinds) == 1 else "thing"
    return PLURALS.get(kind, f"{kind}s")


def _takes_guests(item: Prepared) -> bool:
    return item.sets[0][0].takes == "guests"


def _named_twice(item: Prepared, order: Prepared) -> str | None:
    """Returns the name of what another item of the order names, if it never has room for this one as well."""
    if not item.wanted.resource_ids:
        return None
    own = _units_of(item.sets[0], item.wanted.party_size)
    for other in order.items:
        if other.wanted.id != item.wanted.id and other.wanted.resource_ids:
            taken = _units_of(other.sets[0], other.wanted.party_size)
            for each in other.sets[0]:
                if any(
                    own.get(leaf.id, 0) + taken[leaf.id] > leaf.units
                    for leaf in each.claimed
                    if leaf.id in own
                ):
                    return each.name
    return None


def _units_of(resources: Sequence[Resource], size: int) -> dict[UUID, int]:
    """Returns how many units a party takes of what these resources claim, by id."""
    return {leaf.id: units_needed(each, leaf, size) for each in resources for leaf in each.claimed}


def _scarcest(order: Prepared, rooms: Rooms) -> Prepared:
    """Returns the item with the fewest sets that have room, less those that other items need that can't have others."""
    # A large venue has thousands of sets, and they are shared.
    alike: dict[tuple[int, int], list[Prepared]] = {}
    for each in order.items:
        alike.setdefault((id(each.sets), each.wanted.party_size), []).append(each)
    kinds = [(items, {leaf.id for leaf in claimed_by(items[0].sets)}) for items in alike.values()]
    left: list[int] = []
    for (first, *_), own in kinds:
        sets = first.sets
        if order.venue.policy.held_back:
            sets = open_to(first, sets, now=rooms.occupancy.now)
        rivals = sum(len(items) for items, leaves in kinds if leaves <= own)
        left.append(sum(rooms.has(each, first.wanted.party_size) for each in sets) - rivals)
    return kinds[left.index(min(left))][0][0]


def _together(order: Prepared, rooms: Rooms) -> int:
    """Returns how many items there is room for together, at least: those that take least come first, or those with the
    fewest choices, each on its best place; what finds none is left out."""
    items = with_room(_open(order), rooms)
    placing = Placing.of(replace(order, items=items), find_place, rooms.but)
    by_size = sorted(placing.by_choices, key=lambda each: _least(items[each]))
    return max(_placed(placing, numbers, rooms.occupancy) for numbers in (by_size, placing.by_choices))


def _open(order: Prepared) -> tuple[Prepared, ...]:
    if not order.venue.has_own_hours:
        return order.items
    return tuple([replace(each, sets=tuple(open_sets(each))) for each in order.items])


def _least(item: Prepared) -> int:
    """Returns the fewest units that it can take."""
    size = item.wanted.party_size
    return min((sum(_units_of(each, size).values()) for each in item.sets), default=0)


def _placed(placing: Placing, numbers: Sequence[int], occupancy: Occupancy) -> int:
    there, placed, stuck = placing.beginning(occupancy), 0, set[int]()
    for number in numbers:
        item, kind = placing.order.items[number], placing.kinds[number].first
        if not item.sets or kind in stuck:
            continue
        found = find_place(item, there, but=placing.but)
        if isinstance(found, Place):
            there, placed = placing.put(number, found, there), placed + 1
        else:
            stuck.add(kind)
    return placed


def _ever_fits(order: Prepared, occupancy: Occupancy) -> bool:
    """Returns whether an empty venue may have room for all of it; also true where that depends on the time."""
    if order.venue.has_own_hours or order.venue.policy.held_back:
        return True
    placing = replace(Placing.of(order, find_place), tries_max=TRIES_IF_EMPTY_MAX)
    found = placing.place(placing.by_choices, placing.beginning(Occupancy(occupancy.now)))
    return found is not None or bool(placing.unknown) or placing.tries >= TRIES_IF_EMPTY_MAX
