"""Orders: several things in one booking, all of them or none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from holdfast.assigning.choose import settle
from holdfast.assigning.rooms import Rooms
from holdfast.booking.rules.override import Overruled
from holdfast.booking.wanted import ItemWanted, Prepared, Wanted
from holdfast.claim.model import Claim, Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
from holdfast.kernel.value import value
from holdfast.place.venue import Resource, Venue

ITEMS_MAX = 20
"""The most things in one order."""
TRIES_MAX = 500
"""How many places of items are tried before an order is refused, although there may be room for it."""

Sets = tuple[tuple[Resource, ...], ...]


def prepare_order(
    wanted: Wanted,
    venue: Venue,
    span: Span,
    slot_id: str | None,
    over: Overruled | None,
    sets_for: Callable[[Wanted, Venue, Overruled | None], Sets],
) -> Prepared:
    """Returns the order with a request for each item. `sets_for`: the sets that fit one. Raises what that raises."""
    items: list[Prepared] = []
    for number, asked in enumerate(wanted.items):
        item = _wanted(wanted, asked)
        try:
            items.append(Prepared(item, venue, span, slot_id, sets_for(item, venue, over)))
        except InvalidRequest as error:
            raise error.within(f"items.{number}") from None
    sets = tuple(each for item in items for each in item.sets)
    hit = () if over is None else tuple(over.hit)
    return Prepared(wanted, venue, span, slot_id, sets, overruled=hit, items=tuple(items))


def _wanted(order: Wanted, asked: ItemWanted) -> Wanted:
    return replace(
        order,
        id=asked.id,
        party_size=asked.party_size,
        resource_ids=asked.resource_ids,
        preferences=asked.preferences,
        named=asked.named,
        planned=(),
        bound=order.bound and bool(asked.resource_ids or asked.kept),
        extras=(),
        discount_code=None,
        items=(),
    )


FindPlace = Callable[..., "Place | list[Probe] | None"]


@value()
class Place:
    """The resources of a booking, with a fit for each that it claims. `of_items`: the resources of each item of an
    order."""

    resources: tuple[Resource, ...]
    fits: list[Fit]
    of_items: tuple[tuple[Resource, ...], ...] = ()


def place_order(
    order: Prepared, occupancy: Occupancy, *, find_place: FindPlace, but: UUID | None = None
) -> Place | list[Probe] | None:
    """Finds room for all items; None if there is not room for all of them, or it is not found within TRIES_MAX tries.

    If it can't tell yet, it returns the probes that the occupancy must learn first. Claims of owner `but` don't count.
    Items with the fewest choices come first; each takes its best place, or another one if the rest does not fit then.
    """
    order = replace(order, items=with_room(order.items, Rooms(occupancy, order.span, but)))
    if not all(each.sets for each in order.items):
        return None
    placing = Placing.of(order, find_place, but)
    after = placing.place(placing.by_choices, placing.beginning(occupancy))
    if after is None:
        return placing.unknown or None
    own = {claim for claims in placing.claims.values() for _, claim in claims}
    moved = after.moved
    others = [(was, now) for was, now in moved.items() if was not in own]
    fits = [
        Fit(resource, (moved.get(claim, claim).unit,))
        for number in range(len(order.items))
        for resource, claim in placing.claims[number]
    ]
    if others:
        moves = tuple((was, now.unit) for was, now in others)
        fits[0] = replace(fits[0], moves=moves, to=tuple(now.resource_id for _, now in others))
    chosen = tuple(placing.chosen[number] for number in range(len(order.items)))
    return Place(tuple(each for of_item in chosen for each in of_item), fits, chosen)


def with_room(items: Sequence[Prepared], rooms: Rooms) -> tuple[Prepared, ...]:
    """Returns the items with those of their sets that have room: other items can only take some of it. Of a type that
    may be promised, all, since promises can move. In a full venue with many combinations hardly any set is left."""
    known: dict[tuple[int, int], Sets] = {}
    found: list[Prepared] = []
    for each in items:
        if not each.wanted.is_of_type or each.venue.policy.bind_group == "at_once":
            key = id(each.sets), each.wanted.party_size
            if key not in known:
                known[key] = tuple([one for one in each.sets if rooms.has(one, each.wanted.party_size)])
            each = replace(each, sets=known[key])
        found.append(each)
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    """What items are that are alike. `first`: the number of the first; `leaves`: what they can claim; `is_apart`: no
    two of their sets have anything in common."""

    first: int
    leaves: frozenset[UUID]
    is_apart: bool


@dataclass(slots=True)
class Placing:
    """The search for places. `claims`: by item, what it claims so far. `unknown`: what the search needs to know."""

    order: Prepared
    find_place: FindPlace
    but: UUID | None
    kinds: Sequence[_Kind]
    tries_max: int = TRIES_MAX
    tries: int = 0
    chosen: dict[int, tuple[Resource, ...]] = field(default_factory=dict)
    claims: dict[int, list[tuple[Resource, Claim]]] = field(default_factory=dict)
    unknown: list[Probe] = field(default_factory=list)
    stuck: _Kind | None = None

    @classmethod
    def of(cls, order: Prepared, find_place: FindPlace, but: UUID | None = None) -> Placing:
        return cls(order, find_place, but, _kinds(order.items))

    @property
    def by_choices(self) -> list[int]:
        """The numbers of the items, those with the fewest choices first. Items that are alike come one after the
        other."""
        items, kinds = self.order.items, self.kinds
        return sorted(range(len(items)), key=lambda each: (len(items[each].sets), kinds[each].first))

    def beginning(self, occupancy: Occupancy) -> Occupancy:
        """Returns what the search needs of the occupancy."""
        return occupancy.alone(id_ for each in self.kinds for id_ in each.leaves)

    def place(self, numbers: Sequence[int], occupancy: Occupancy) -> Occupancy | None:
        """Places the items with these numbers. Returns the occupancy with them; None if they don't all fit."""
        if not numbers:
            return occupancy
        number, *rest = numbers
        item = self.order.items[number]
        while item.sets and self.tries < self.tries_max:
            self.tries += 1
            found = self.find_place(item, occupancy, but=self.but)
            if found is None:
                self.stuck = self.kinds[number] if item is self.order.items[number] else None
                return None
            if isinstance(found, list):
                self.unknown += found
                return None
            trial = self.put(number, found, occupancy)
            after = self.place(rest, trial)
            if after is not None or self.unknown or self._changes_nothing(number):
                return after
            self.stuck = None
            item = replace(item, sets=_after(item.sets, found.resources))
        return None

    def _changes_nothing(self, number: int) -> bool:
        """Whether an item found no place that will find none either, wherever this one goes: it can have nothing that
        this one can, or they are alike, and each takes one of as many places."""
        own, stuck = self.kinds[number], self.stuck
        if stuck is None:
            return False
        return own.is_apart if own is stuck else own.leaves.isdisjoint(stuck.leaves)

    def put(self, number: int, found: Place, occupancy: Occupancy) -> Occupancy:
        """Gives the item that place. Returns the occupancy with it."""
        trial, item = occupancy.copied(), self.order.items[number]
        settle(found.fits, trial)
        claims = [
            (each.resource, _claim(item, each.resource, unit)) for each in found.fits for unit in each.units
        ]
        for _, claim in claims:
            trial.add(claim)
        self.chosen[number], self.claims[number] = found.resources, claims
        return trial


def _kinds(items: Sequence[Prepared]) -> list[_Kind]:
    """Returns what kind each item is of: those are alike that are as many guests and fit on the same sets."""
    kinds: dict[tuple[object, ...], _Kind] = {}
    # A large venue has thousands of sets, and items that are asked for in the same words share them.
    known: dict[tuple[int, int], _Kind] = {}
    found: list[_Kind] = []
    for number, item in enumerate(items):
        same = id(item.sets), item.wanted.party_size
        if same not in known:
            known[same] = _kind(number, item, kinds)
        found.append(known[same])
    return found


def _kind(number: int, item: Prepared, kinds: dict[tuple[object, ...], _Kind]) -> _Kind:
    like = (item.wanted.party_size, *[tuple([id(one) for one in each]) for each in item.sets])
    kind = kinds.get(like)
    if kind is None:
        leaves = [leaf.id for each in item.sets for one in each for leaf in one.claimed]
        kind = kinds[like] = _Kind(number, frozenset(leaves), len({*leaves}) == len(leaves))
    return kind


def _claim(item: Prepared, resource: Resource, unit: int) -> Claim:
    # It belongs to the item: those of the order, as it was before, don't count.
    span = claimed_span(resource, item.span)
    return Claim(item.venue.tenant_id, resource.id, unit, span, item.wanted.id)


def _after(sets: Sets, tried: tuple[Resource, ...]) -> Sets:
    """Returns the sets that come after the one that was tried."""
    ids = [each.id for each in tried]
    place = next((n for n, each in enumerate(sets) if [one.id for one in each] == ids), len(sets))
    return sets[place + 1 :]
