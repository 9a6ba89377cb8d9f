"""Bookings of a type find room whenever counting says so; where something can't move, no promise is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.assigning import pool as pools
from holdfast.assigning.pool import fit_in_pool, placed_again
from holdfast.claim.model import UNBOUND, Claim, Occupancy
from holdfast.claim.recolour import Fit
from holdfast.kernel.span import Span, most_at_once
from holdfast.place.venue import Resource
from tests.claim.test_free_times import NOW, TENANT, resource, span

NIGHT = 24 * 60


def rooms(many: int) -> list[Resource]:
    return [replace(resource(1), id=UUID(int=100 + n), slug=f"r{n}", group="double") for n in range(many)]


nights = st.builds(
    lambda first, length: span(first * NIGHT, length * NIGHT), st.integers(0, 12), st.integers(1, 5)
)


class Hotel:
    """Claims as a table would have them; it lets no two overlap in a room."""

    def __init__(self, many: int) -> None:
        self.pool = rooms(many)
        self.claims: list[Claim] = []

    def fit(self, wanted: Span) -> tuple[Fit | None, Occupancy]:
        occupancy = Occupancy(NOW)
        found: Fit | list[tuple[UUID, UUID, Span]] | None = [(TENANT, each.id, wanted) for each in self.pool]
        while isinstance(found, list):
            ids = {id_: asked for _, id_, asked in found}
            there = [each for each in self.claims if each.span.overlaps(ids.get(each.resource_id, wanted))]
            occupancy.learn(there, found)
            free = [each for each in self.pool if occupancy.free_units(each, wanted)]
            if free:
                return Fit(free[0], (1,)), occupancy
            found = fit_in_pool(self.pool, wanted, occupancy, tenant_id=TENANT)
        return found, occupancy

    def take(self, wanted: Span, owner: UUID) -> bool:
        found, occupancy = self.fit(wanted)
        if found is None:
            return False
        for (claim, unit), to in zip(found.moves, found.to, strict=True):
            occupancy.move(claim, unit, to)
        assert all(was.owner_kind == UNBOUND for was in occupancy.moved)
        self.claims = [occupancy.moved.get(each, each) for each in self.claims]
        self.claims.append(Claim(TENANT, found.resource.id, 1, wanted, owner, UNBOUND))
        self.check()
        return True

    def check(self) -> None:
        for room in self.pool:
            assert most_at_once(each.span for each in self.claims if each.resource_id == room.id) <= 1


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(nights, st.sampled_from(["stays", "stays", "leaves", "arrives"])), min_size=10, max_size=40
    ),
)
def test_a_promise_is_made_whenever_counting_allows_it(many: int, script: list[tuple[Span, str]]) -> None:
    """Guests who are there have a room for good; all others may move. Nobody is refused while some night-by-night count
    leaves a room, and every promise made is kept."""
    hotel = Hotel(many)
    for number, (wanted, then) in enumerate(script):
        if then == "leaves" and hotel.claims:
            hotel.claims.pop(number % len(hotel.claims))
        if then == "arrives":
            hotel.claims = [
                replace(each, owner_kind="booking") if each.span.start <= span(0, 1).start else each
                for each in hotel.claims
            ]
        overlapping = [each.span for each in hotel.claims if each.span.overlaps(wanted)]
        assert hotel.take(wanted, UUID(int=1000 + number)) == (most_at_once(overlapping) < many)


def ways(pool: Sequence[Resource], fixed: Sequence[Claim], spans: Sequence[Span]) -> Iterator[None]:
    """Every way of placing the spans around what is fixed."""
    if not spans:
        yield None
        return
    for room in pool:
        if all(each.resource_id != room.id or not each.span.overlaps(spans[0]) for each in fixed):
            placed = Claim(TENANT, room.id, 1, spans[0], UUID(int=1))
            yield from ways(pool, [*fixed, placed], spans[1:])


@given(
    st.integers(2, 3),
    st.lists(nights, min_size=1, max_size=6),
    st.lists(st.tuples(nights, st.integers(0, 2))),
)
def test_what_cannot_move_is_left_where_it_is(
    many: int, wanted: list[Span], blocks: list[tuple[Span, int]]
) -> None:
    """Where rooms are blocked or taken for good, no promise is made that can't be kept. It may be cautious, which is
    counted against trying everything."""
    hotel = Hotel(many)
    for number, (each, room) in enumerate(blocks[:4]):
        claim = Claim(TENANT, hotel.pool[room % many].id, 1, each, UUID(int=50 + number), "block")
        if not any(one.resource_id == claim.resource_id and one.span.overlaps(each) for one in hotel.claims):
            hotel.claims.append(claim)
    fixed = list(hotel.claims)
    for number, each in enumerate(wanted):
        mine = [one.span for one in hotel.claims if one.owner_kind == UNBOUND]
        can = next(ways(hotel.pool, fixed, [*mine, each]), 0) is None
        made = hotel.take(each, UUID(int=1000 + number))
        assert not made or can
        assert [one for one in hotel.claims if one.owner_kind == "block"] == fixed


def test_a_long_gap_is_left_for_a_long_booking() -> None:
    """One has to move to the short gap before what can't move, although it could stay."""
    hotel = Hotel(2)
    first, second = (each.id for each in hotel.pool)
    hotel.claims = [
        Claim(TENANT, first, 1, span(0, 4), UUID(int=10), UNBOUND),
        Claim(TENANT, second, 1, span(4, 20), UUID(int=11), "block"),
    ]
    found, _ = hotel.fit(span(2, 10))
    assert found is not None
    assert (found.resource.id, found.to) == (first, (second,))


@pytest.mark.parametrize(("bound", "enough"), [("MOVES_MAX", 1), ("CLAIMS_MAX", 3)])
def test_beyond_a_bound_nothing_moves(bound: str, enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hotel = Hotel(3)
    for n in range(3):
        hotel.claims.append(Claim(TENANT, hotel.pool[n].id, 1, span(n * 10, 10), UUID(int=10 + n), UNBOUND))
    blocked = [(hotel.pool[0].id, span(0, 5))]
    monkeypatch.setattr(pools, bound, enough)
    placed = placed_again(hotel.pool, hotel.claims, blocked=blocked)
    assert placed is not None
    assert [*placed.moves] == hotel.claims[:1]
    monkeypatch.setattr(pools, bound, enough - 1)
    assert placed_again(hotel.pool, hotel.claims, blocked=blocked) is None
