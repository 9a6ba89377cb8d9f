"""The demo venues: believable, whole, and loaded once. Their days are in test_<trade>_day.py."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from holdfast.assigning.combine import combinations
from holdfast.demo.load import TENANT, Loaded, documents, load
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Database
from holdfast.place import store
from holdfast.place.change_venue import change_venue
from holdfast.place.document import VenueDocument
from holdfast.place.opening.hours import is_open, openings
from holdfast.place.opening.slot import slots_on
from holdfast.place.parts import leaves_of
from holdfast.place.venue import Venue
from tests.engines import engine_over

FRIDAY = date(2026, 11, 27)


@pytest.fixture(scope="session")
async def loaded(db: Database) -> list[Loaded]:
    """Two processes load it at the same moment."""
    one, other = await asyncio.gather(load(engine_over(db)), load(engine_over(db)))
    assert [each.id for each in one] == [each.id for each in other]
    assert [a.is_new + b.is_new for a, b in zip(one, other, strict=True)] == [1, 1, 1, 1, 1]
    return one


@pytest.fixture
async def venues(db: Database, loaded: list[Loaded]) -> dict[str, Venue]:
    found = await db.run(SYSTEM, store.load_venues, [each.id for each in loaded])
    return {each.kind: each for each in found.values()}


async def test_it_is_loaded_once_and_then_left_alone(db: Database, loaded: list[Loaded]) -> None:
    [first, *_] = loaded
    kept = (await db.run(SYSTEM, change_venue, first.id, {"name": "Ours"}, expected_version=1)).after
    again = await load(engine_over(db))
    assert [(each.id, each.is_new) for each in again] == [(each.id, False) for each in loaded]
    assert await db.run(SYSTEM, store.read_venue, first.id) == kept


async def test_it_has_the_five_kinds(venues: dict[str, Venue]) -> None:
    found = {kind: len(venue.resources) for kind, venue in venues.items()}
    assert found == {"petanque": 8, "restaurant": 16, "hotel": 120, "nightclub": 8, "sports-hall": 9}
    assert {venue.tenant_slug for venue in venues.values()} == {TENANT}


async def test_lanes_stand_in_a_row_and_combine(venues: dict[str, Venue]) -> None:
    lanes = venues["petanque"]
    in_row = [each.id for each in sorted(lanes.resources.values(), key=lambda each: each.order)]
    for one, other in pairwise(in_row[:6]):
        assert other in lanes.joins[one]
    assert combinations(lanes, in_row, 12).__next__() == (in_row[0], in_row[1])


async def test_the_hall_of_the_restaurant_seats_a_large_party(venues: dict[str, Venue]) -> None:
    restaurant = venues["restaurant"]
    squares = [each.id for each in restaurant.resources.values() if each.slug in ("h1", "h2", "h3")]
    assert next(combinations(restaurant, squares, 7), None) is not None


async def test_the_hotel_never_closes_and_the_club_crosses_midnight(venues: dict[str, Venue]) -> None:
    hotel, club = venues["hotel"], venues["nightclub"]
    check_in, check_out = datetime(2026, 11, 27, 14, tzinfo=UTC), datetime(2026, 11, 29, 10, tzinfo=UTC)
    assert is_open(hotel, None, check_in, check_out)
    [night] = openings(club.hours, club.tz, FRIDAY)
    assert (night.wall.start.day, night.wall.end.day) == (27, 28)
    slots = slots_on(club, FRIDAY)
    assert {each.id for each in slots} == {"slot_21_00", "slot_00_30", "night"}
    for each in slots:
        assert night.span.contains(each.span), each


def test_each_trade_says_what_is_particular_to_it() -> None:
    found = {each.slug: each for each in documents()}
    hotel, club, hall = (found[each] for each in ("hotell-fyren", "klubb-polar", "sporthall-norr"))
    types = Counter(each.group for each in hotel.resources)
    assert types == {"yard": 40, "sea": 40, "suite": 40}
    assert (hotel.stay is not None, hotel.policy.bind_group) == (True, "at_check_in")
    floor = next(each for each in club.resources if each.slug == "floor")
    assert (floor.takes, floor.units) == ("guests", 300)
    parts = {
        each.slug: leaves_of(each.slug, {each.slug: each.parts for each in hall.resources})
        for each in hall.resources
    }
    assert parts["hall"] == (*parts["half-a"], *parts["half-b"])
    bistro = found["matsal-strand"]
    assert bistro.policy.starts == "slots"
    assert [each.for_ for each in bistro.policy.held_back] == ["walk_in"]
    assert [each.for_ for each in club.policy.held_back] == ["members"]
    assert {each.for_ for each in hall.policy.held_back} == {"members", "clubs"}
    assert {each.per for each in hall.policy.fair_use} == {"guest"}


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.slug)
def test_every_resource_has_its_own_spot_on_the_floor(document: VenueDocument) -> None:
    spots = [(each.slug, each.position) for each in document.resources if not each.parts]
    for index, (slug, spot) in enumerate(spots):
        assert spot is not None, slug
        for other_slug, other in spots[index + 1 :]:
            assert other is not None
            apart = (
                spot.x + spot.w <= other.x
                or other.x + other.w <= spot.x
                or spot.y + spot.h <= other.y
                or other.y + other.h <= spot.y
            )
            assert apart, (slug, other_slug)


def test_a_whole_is_drawn_around_its_parts() -> None:
    resources = {each.slug: each for document in documents() for each in document.resources}
    parts = [(whole, resources[part]) for whole in resources.values() for part in whole.parts]
    assert len(parts) == 8
    for whole, part in parts:
        outer, inner = whole.position, part.position
        assert outer is not None
        assert inner is not None
        assert outer.x <= inner.x <= inner.x + inner.w <= outer.x + outer.w, part.slug
        assert outer.y <= inner.y <= inner.y + inner.h <= outer.y + outer.h, part.slug


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.slug)
def test_prices_and_zones_are_of_this_venue(document: VenueDocument) -> None:
    zones = {each.zone for each in document.resources}
    kinds = {each.kind for each in document.resources}
    groups = {each.group for each in document.resources}
    slots = {each.id for each in document.slots}
    for rule in document.policy.price_rules:
        assert set(rule.zones or ()) <= zones
        assert set(rule.kinds or ()) <= kinds
        assert set(rule.groups or ()) <= groups
        assert set(rule.slots or ()) <= slots
    for bound in document.policy.pacing:
        assert set(bound.slots or ()) <= slots
    for question in document.questions:
        assert set(question.slots or ()) <= slots
        assert set(question.groups or ()) <= groups
