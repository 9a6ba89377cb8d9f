"""An order is placed if there is a way to place it: compared with trying every way."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any, ClassVar
from uuid import UUID

import pytest
from fastapi import FastAPI

from holdfast.assigning.preferences import Preferences
from holdfast.booking.deciding.decide import decide
from holdfast.booking.deciding.known import Created, Known, Refused
from holdfast.booking.deciding.order import Place, Placing, place_order
from holdfast.booking.deciding.prepare import find_place, prepare
from holdfast.booking.wanted import ItemWanted, Prepared, Wanted, When
from holdfast.claim.model import Claim, Occupancy, claimed_span
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.ids import new_id
from holdfast.kernel.span import Span
from holdfast.place.venue import Resource, Venue
from holdfast.port.pricing import LocalPricing
from tests.conftest import House

from .asking import instant

SPAN = Span(instant("18:00"), instant("19:30"))
TABLES = {"a": (1, 2), "b": (1, 2), "c": (2, 4), "d": (3, 4), "e": (4, 6), "f": (1, 8)}
WORLDS = 400


def fits(parties: list[tuple[int, str | None]], free: list[str]) -> bool:
    """Whether some way of giving each party a table of its own works; a party may have named one."""
    return any(
        all(
            named in (None, table) and TABLES[table][0] <= size <= TABLES[table][1]
            for (size, named), table in zip(parties, chosen, strict=True)
        )
        for chosen in permutations(free, len(parties))
    )


async def test_it_is_placed_if_it_can_be(open_house: Any, app: FastAPI) -> None:
    house: House = await open_house(
        resources=[
            {"slug": slug, "kind": "table", "seats_min": least, "seats_max": most}
            for slug, (least, most) in TABLES.items()
        ]
    )
    venue: Venue = await app.state.engine.places.venue(UUID(house.venue_id))
    ids = {slug: UUID(house.resources[slug]) for slug in TABLES}
    rng, placed, refused = random.Random(5), 0, 0
    for world in range(WORLDS):
        free = rng.sample(sorted(TABLES), rng.randint(2, 6))
        asked = [(rng.randint(1, 8), rng.choice([None, None, None, *free])) for _ in range(rng.randint(1, 5))]
        asked = [(size, named) for size, named in asked if named is None or _seats(named, size)]
        if not asked:
            continue
        known = Known(now=instant("12:00"), occupancy=occupied(venue, ids, free))
        before = {id_: [*claims] for id_, claims in known.occupancy.by_resource.items()}
        outcome = decide(prepare(order(venue, ids, asked), venue, now=known.now), known, LocalPricing())
        expected = fits(asked, free)
        assert isinstance(outcome, Created) == expected, (world, asked, free)
        if isinstance(outcome, Created):
            taken = [each.resource_id for each in outcome.claims]
            assert len(taken) == len(set(taken)) == len(asked)
            assert {*taken} <= {ids[slug] for slug in free}
            placed += 1
        else:
            assert known.occupancy.by_resource == before
            refused += 1
    assert min(placed, refused) > WORLDS // 10


async def test_where_one_of_many_alike_is_missing_no_other_way_is_tried(
    open_house: Any, app: FastAPI
) -> None:
    many = [{"slug": f"t{n}", "kind": "table", "seats_max": 2, "zone": f"z{n % 2}"} for n in range(38)]
    house: House = await open_house(resources=many)
    venue: Venue = await app.state.engine.places.venue(UUID(house.venue_id))
    wanted = order(venue, {}, [(1, None)] * 20)
    zones = [Preferences(zones=(f"z{int(n > 0)}",)) for n in range(20)]  # the one in z0 can be anywhere there
    items = [replace(each, preferences=zone) for each, zone in zip(wanted.items, zones, strict=True)]
    prepared = prepare(replace(wanted, items=tuple(items)), venue, now=instant("12:00"))
    # Two are taken in z0, so that the one in z0 has the fewest choices and is placed first; one in z1.
    taken = [
        Claim(venue.tenant_id, UUID(house.resources[slug]), 1, SPAN, new_id()) for slug in ("t0", "t2", "t1")
    ]
    calls: list[Prepared] = []

    def counted(item: Prepared, occupancy: Occupancy, **but: Any) -> Any:
        calls.append(item)
        return find_place(item, occupancy, **but)

    nobody, somebody = (Occupancy.of(there, now=instant("12:00")) for there in ((), taken))
    assert isinstance(place_order(prepared, nobody, find_place=counted), Place)
    assert len(calls) == 20
    calls.clear()
    assert place_order(prepared, somebody, find_place=counted) is None
    assert len(calls) == 20


async def test_a_full_venue_with_many_combinations_is_looked_at_once(
    open_house: Any, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each table is in many sets, and many items may have each set: room is asked about once a table."""
    many = 120
    row = [
        {"slug": f"t{n}", "kind": "table", "seats_max": 4, "adjacent": [f"t{n + 1}"] if n + 1 < many else []}
        for n in range(many)
    ]
    house: House = await open_house(resources=row)
    venue: Venue = await app.state.engine.places.venue(UUID(house.venue_id))
    asked: Counter[UUID] = Counter()
    has_room = Occupancy.has_room

    def counted(self: Occupancy, resource: Resource, *args: Any, **but: Any) -> bool:
        asked[resource.id] += 1
        return has_room(self, resource, *args, **but)

    monkeypatch.setattr(Occupancy, "has_room", counted)
    wanted = order(venue, {}, [(4, None)] * 12 + [(8, None)] * 8)
    there = [Claim(venue.tenant_id, id_, 1, SPAN, new_id()) for id_ in venue.resources]
    for taken in (there, there[5:]):
        asked.clear()
        prepared = prepare(wanted, venue, now=instant("12:00"))
        known = Known(now=instant("12:00"), occupancy=Occupancy.of(taken, now=instant("12:00")))
        assert len(prepared.items[0].sets) > 2 * many
        outcome = decide(prepared, known, LocalPricing())
        assert isinstance(outcome, Refused)
        assert len(asked) == many
        # In the search, for the sentence, and for the list of conflicts.
        assert max(asked.values()) <= 3


class Sets(tuple[tuple[Resource, ...], ...]):
    """Sets that count how often all of them are looked at."""

    looks: ClassVar[int] = 0

    def __iter__(self) -> Iterator[tuple[Resource, ...]]:
        Sets.looks += 1
        return super().__iter__()


async def test_what_items_share_is_looked_at_once(open_house: Any, app: FastAPI) -> None:
    """A large venue has thousands of sets, which twenty items in the same words have in common."""
    house: House = await open_house(resources=[{"slug": f"t{n}", "seats_max": 2} for n in range(3)])
    venue: Venue = await app.state.engine.places.venue(UUID(house.venue_id))

    def looks(many: int) -> int:
        prepared = prepare(order(venue, {}, [(1, None)] * many), venue, now=instant("12:00"))
        sets, Sets.looks = Sets(prepared.items[0].sets), 0
        items = tuple(replace(each, sets=sets) for each in prepared.items)
        placing = Placing.of(replace(prepared, items=items), find_place)
        assert placing.by_choices == [*range(many)]
        return Sets.looks

    assert looks(20) == looks(1) > 0


async def test_equal_orders_ask_for_the_same(open_house: Any, app: FastAPI) -> None:
    """Those who are refused the same at one time share a search for suggestions."""
    house: House = await open_house(resources=[{"slug": slug, "kind": "table"} for slug in TABLES])
    venue: Venue = await app.state.engine.places.venue(UUID(house.venue_id))
    ids = {slug: UUID(house.resources[slug]) for slug in TABLES}
    one, same = (order(venue, ids, [(2, "a"), (3, None)]) for _ in range(2))
    assert one.items != same.items
    assert one.demand == same.demand
    for other in ([(2, "a"), (4, None)], [(2, "b"), (3, None)], [(2, "a")], [(3, None), (2, "a")]):
        assert order(venue, ids, other).demand != one.demand


def _seats(slug: str, size: int) -> bool:
    least, most = TABLES[slug]
    return least <= size <= most


def occupied(venue: Venue, ids: dict[str, UUID], free: list[str]) -> Occupancy:
    taken = [venue.resources[id_] for slug, id_ in ids.items() if slug not in free]
    claims = [Claim(venue.tenant_id, each.id, 1, claimed_span(each, SPAN), new_id()) for each in taken]
    return Occupancy.of(claims, now=instant("12:00"))


def order(venue: Venue, ids: dict[str, UUID], asked: list[tuple[int, str | None]]) -> Wanted:
    items = tuple(
        ItemWanted(id=new_id(), party_size=size, resource_ids=() if named is None else (ids[named],))
        for size, named in asked
    )
    return Wanted(
        id=new_id(),
        tenant_id=venue.tenant_id,
        venue_id=venue.id,
        actor=SYSTEM,
        when=When(start=SPAN.start, end=SPAN.end),
        party_size=sum(size for size, _ in asked),
        items=items,
    )
