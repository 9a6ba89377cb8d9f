"""Combining resources: how many guests a set takes, and which sets there are."""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations as subsets
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.assigning.combine import SETS_EXAMINED_MAX, capacity, combinations
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.venue import Venue


def connected(venue: Venue, resource_ids: Collection[UUID]) -> bool:
    """Whether each of the set is reached from every other by steps between neighbours within the set."""
    left = set(resource_ids)
    edge = [left.pop()] if left else []
    while edge:
        reached = left & venue.joins.get(edge.pop(), {}).keys()
        left -= reached
        edge.extend(reached)
    return not left


def venue_of(resources: list[dict[str, Any]], *, resources_max: int = 3) -> Venue:
    document = {
        "slug": "v",
        "name": "V",
        "timezone": "UTC",
        "policy": {"combination_resources_max": resources_max, "buffer_after_minutes": 10},
        "resources": resources,
    }
    ids = {each["slug"]: UUID(int=n) for n, each in enumerate(resources)}
    return snapshot(
        parse_document(document), id=UUID(int=0), tenant_id=UUID(int=1), tenant_slug="alice", resource_ids=ids
    )


def ids(venue: Venue, slugs: str) -> list[UUID]:
    by_slug = {each.slug: each.id for each in venue.resources.values()}
    return [by_slug[each] for each in slugs]


def found(venue: Venue, party_size: int, allowed: str | None = None) -> list[str]:
    among = list(venue.resources) if allowed is None else ids(venue, allowed)
    sets = combinations(venue, among, party_size)
    return ["".join(venue.resources[each].slug for each in members) for members in sets]


# a - b - c in a row, d on its own; a and b lose two seats where they meet.
ROW = [
    {"slug": "a", "seats_min": 2, "seats_max": 4, "adjacent": [{"slug": "b", "seats_lost": 2}]},
    {"slug": "b", "seats_min": 2, "seats_max": 4, "adjacent": ["c"]},
    {"slug": "c", "seats_min": 1, "seats_max": 2, "buffer_after_minutes": 0},
    {"slug": "d", "seats_min": 1, "seats_max": 8},
]


def test_a_set_takes_the_sum_less_what_is_lost_between_neighbours():
    venue = venue_of(ROW)
    assert capacity(venue, ids(venue, "a")) == (2, 4)
    assert capacity(venue, ids(venue, "ba")) == (4, 6)
    assert capacity(venue, ids(venue, "abc")) == (5, 8)
    assert capacity(venue, ids(venue, "ad")) == (3, 12)
    assert capacity(venue, ids(venue, "aa")) == (2, 4)
    assert capacity(venue, []) == (0, 0)


def test_fewest_resources_come_first_then_fewest_wasted_seats():
    venue = venue_of(ROW)
    assert found(venue, 4) == ["a", "b", "d", "ab", "bc"]
    assert found(venue, 6) == ["d", "ab", "bc", "abc"]
    assert found(venue, 9) == []


def test_only_active_and_allowed_resources_are_used():
    venue = venue_of([*ROW[:2], {**ROW[2], "active": False}, ROW[3]])
    assert found(venue, 6) == ["d", "ab"]
    assert found(venue, 6, "abc") == ["ab"]
    assert found(venue, 6, "ad") == ["d"]


def test_the_policy_bounds_how_many_are_combined():
    assert found(venue_of(ROW, resources_max=1), 6) == ["d"]
    assert found(venue_of(ROW, resources_max=2), 8) == ["d"]


def test_a_resource_has_its_own_buffer_or_the_policys():
    venue = venue_of(ROW)
    assert [each.buffer_after_minutes for each in venue.resources.values()] == [10, 10, 0, 10]


def test_the_search_is_bounded():
    everyone = [f"t{n}" for n in range(60)]
    crowd = [
        {"slug": each, "seats_max": 2, "adjacent": [o for o in everyone if o > each]} for each in everyone
    ]
    venue = venue_of(crowd, resources_max=8)
    assert 0 < len(list(combinations(venue, venue.resources, 6))) <= SETS_EXAMINED_MAX


@settings(max_examples=60, deadline=None)
@given(
    st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")).filter(lambda e: e[0] < e[1])),
    st.lists(st.integers(1, 6), min_size=6, max_size=6),
    st.integers(1, 14),
    st.integers(1, 4),
)
def test_it_finds_just_what_trying_every_set_finds(
    edges: set[tuple[str, str]], seats: list[int], party_size: int, resources_max: int
):
    resources = [
        {"slug": slug, "seats_max": most, "adjacent": [high for low, high in sorted(edges) if low == slug]}
        for slug, most in zip("abcdef", seats, strict=True)
    ]
    venue = venue_of(resources, resources_max=resources_max)
    tried = [
        "".join(each)
        for size in range(1, resources_max + 1)
        for each in subsets("abcdef", size)
        if connected(venue, ids(venue, "".join(each)))
        and size <= party_size <= capacity(venue, ids(venue, "".join(each))).seats_max
    ]
    ranked = sorted(tried, key=lambda each: (len(each), capacity(venue, ids(venue, each)).seats_max, each))
    assert found(venue, party_size) == ranked
