"""Orders: several things in one booking, all of them or none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from holdfast.assigning.choose import settle
from holdfast.booking.rules.override import Overruled
from holdfast.booking.wanted import ItemWanted, Prepared, Wanted
from holdfast.claim.model import Claim, Occupancy, Probe, claimed_span
from holdfast.claim.recolour import Fit
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.span import Span
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
        extras=(),
        discount_code=None,
        items=(),
    )


FindPlace = Callable[..., "Place | list[Probe] | None"]


@dataclass(frozen=True, slots=True)
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
    placing = _Placing(order, find_place, but)
    numbers = sorted(range(len(order.items)), key=lambda each: len(order.items[each].sets))
    after = placing.place(numbers, replace(occupancy.copied(), _was={}))
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


@dataclass(slots=True)
class _Placing:
    """The search for places. `claims`: by item, what it claims so far. `unknown`: what the search needs to know."""

    order: Prepared
    find_place: FindPlace
    but: UUID | None
    tries: int = 0
    chosen: dict[int, tuple[Resource, ...]] = field(default_factory=dict)
    claims: dict[int, list[tuple[Resource, Claim]]] = field(default_factory=dict)
    unknown: list[Probe] = field(default_factory=list)

    def place(self, numbers: Sequence[int], occupancy: Occupancy) -> Occupancy | None:
        """Places the items with these numbers. Returns the occupancy with them; None if they don't all fit."""
        if not numbers:
            return occupancy
        number, *rest = numbers
        item = self.order.items[number]
        while item.sets and self.tries < TRIES_MAX:
            self.tries += 1
            found = self.find_place(item, occupancy, but=self.but)
            if found is None:
                return None
            if isinstance(found, list):
                self.unknown += found
                return None
            trial = self._with(number, found, occupancy)
            after = self.place(rest, trial)
            if after is not None or self.unknown:
                return after
            item = replace(item, sets=_after(item.sets, found.resources))
        return None

    def _with(self, number: int, found: Place, occupancy: Occupancy) -> Occupancy:
        trial, item = occupancy.copied(), self.order.items[number]
        settle(found.fits, trial)
        claims = [
            (each.resource, _claim(item, each.resource, unit)) for each in found.fits for unit in each.units
        ]
        for _, claim in claims:
            trial.add(claim)
        self.chosen[number], self.claims[number] = found.resources, claims
        return trial


def _claim(item: Prepared, resource: Resource, unit: int) -> Claim:
    # It belongs to the item: those of the order, as it was before, don't count.
    span = claimed_span(resource, item.span)
    return Claim(item.venue.tenant_id, resource.id, unit, span, item.wanted.id)


def _after(sets: Sets, tried: tuple[Resource, ...]) -> Sets:
    """Returns the sets that come after the one that was tried."""
    ids = [each.id for each in tried]
    place = next((n for n, each in enumerate(sets) if [one.id for one in each] == ids), len(sets))
    return sets[place + 1 :]
