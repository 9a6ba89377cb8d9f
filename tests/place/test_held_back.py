"""What a document may hold back; which resources that are, for whom, and for which visits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.ids import new_id
from holdfast.place.document import parse_document
from holdfast.place.kept import snapshot
from holdfast.place.policies.withhold import held_back, kept_from
from holdfast.place.venue import Venue
from tests.conftest import House

NOW = datetime(2026, 6, 3, 12, tzinfo=UTC)
MINUTE, INSTANT = timedelta(minutes=1), timedelta(microseconds=1)
TEN: list[dict[str, Any]] = [{"slug": f"t{n}", "group": "four"} for n in range(1, 11)]


def document(held: list[dict[str, Any]], resources: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    policy = {"held_back": held}
    return {"slug": "v", "name": "V", "timezone": "UTC", "policy": policy, "resources": resources or TEN}


def venue_of(held: list[dict[str, Any]], resources: list[dict[str, Any]] | None = None) -> Venue:
    parsed = parse_document(document(held, resources))
    ids = {each.slug: UUID(int=n) for n, each in enumerate(parsed.resources)}
    # The caches go by the id of the venue.
    return snapshot(parsed, id=new_id(), tenant_id=UUID(int=1), tenant_slug="alice", resource_ids=ids)


def slugs(venue: Venue, *names: str) -> list[str]:
    kept = kept_from(venue, frozenset(names))
    return [each.slug for each in venue.resources.values() if each.id in kept]


@pytest.mark.parametrize(
    ("rule", "field", "says"),
    [
        ({"for": "walk_in"}, "policy.held_back.0.group", "either group or resources"),
        ({"for": "x", "group": "four", "resources": ["t1"]}, "policy.held_back.0.group", "either"),
        ({"group": "four"}, "policy.held_back.0.for", "required"),
        ({"for": "x", "group": "five"}, "policy.held_back.0.group", "group of a resource"),
        ({"for": "x", "resources": ["t1", "t0"]}, "policy.held_back.0.resources.1", "slug of a resource"),
        (
            {"for": "x", "resources": ["t1"], "share_percent": 5},
            "policy.held_back.0.share_percent",
            "omit it",
        ),
        ({"for": "x", "group": "four", "share_percent": 0}, "policy.held_back.0.share_percent", "1"),
        ({"for": "x", "group": "four", "share_percent": 101}, "policy.held_back.0.share_percent", "100"),
        ({"for": "x", "group": "four", "until_minutes": -1}, "policy.held_back.0.until_minutes", "0"),
        ({"for": "Not A Name", "group": "four"}, "policy.held_back.0.for", "lower-case"),
    ],
)
def test_what_is_wrong_is_said(rule: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_document(document([rule]))
    [error] = caught.value.fields["errors"]
    assert error["field"] == field
    assert says in error["problem"]


def test_shares_of_a_type_are_at_most_all_of_it() -> None:
    shares = [
        {"group": "four", "share_percent": 60, "for": "a"},
        {"group": "four", "share_percent": 41, "for": "b"},
    ]
    with pytest.raises(InvalidRequest) as caught:
        parse_document(document(shares))
    [error] = caught.value.fields["errors"]
    assert (error["field"], error["value"]) == ("policy.held_back.1.share_percent", 41)
    assert "at most 40" in error["problem"]


def test_a_document_is_read_back_as_it_was() -> None:
    rules = [
        {"resources": ["t1"], "for": "members"},
        {"group": "four", "share_percent": 20, "for": "walk_in"},
    ]
    stored = parse_document(document(rules)).model_dump(mode="json")
    assert parse_document(stored).model_dump(mode="json") == stored
    assert stored["policy"]["held_back"][1]["for"] == "walk_in"


@pytest.mark.parametrize(("percent", "last"), [(1, 1), (19, 1), (20, 2), (29, 2), (99, 9), (100, 10)])
def test_a_share_is_the_last_ones_rounded_down(percent: int, last: int) -> None:
    venue = venue_of([{"group": "four", "share_percent": percent, "for": "walk_in"}])
    assert slugs(venue, "web") == [f"t{n}" for n in range(11 - last, 11)]


def test_shares_of_one_type_never_overlap() -> None:
    first = {"group": "four", "share_percent": 20, "for": "walk_in"}
    venue = venue_of([first, {"group": "four", "share_percent": 30, "for": "members"}])
    assert slugs(venue, "walk_in") == ["t6", "t7", "t8"]
    assert slugs(venue, "members", "api") == ["t9", "t10"]
    assert slugs(venue, "walk_in", "members") == []


def test_what_is_out_of_use_is_in_no_share() -> None:
    resources = [*TEN[:9], {**TEN[9], "active": False}]
    assert slugs(venue_of([{"group": "four", "share_percent": 20, "for": "x"}], resources)) == ["t9"]


def test_a_hall_is_held_back_with_its_courts_and_they_with_it() -> None:
    hall = [{"slug": "a"}, {"slug": "b"}, {"slug": "c"}, {"slug": "hall", "parts": ["a", "b"]}]

    def kept(held: str) -> list[str]:
        venue = venue_of([{"resources": [held], "for": "x"}], hall)
        return [
            e.slug for e in venue.resources.values() if any(leaf.id in held_back(venue) for leaf in e.claimed)
        ]

    assert kept("a") == ["a", "hall"]
    assert kept("hall") == ["a", "b", "hall"]


@pytest.mark.parametrize("until", [0, 60])
def test_it_is_kept_until_so_long_before(until: int) -> None:
    venue = venue_of([{"resources": ["t1"], "for": "walk_in", "until_minutes": until}])
    [ahead] = kept_from(venue, frozenset({"api"})).values()
    released = NOW + until * MINUTE
    assert not ahead.holds(released, NOW)
    assert ahead.holds(released + INSTANT, NOW)
    times = [released - MINUTE, released, released + INSTANT, released + MINUTE]
    assert ahead.bits(times, NOW) == 0b1100
    assert ahead.asked(released).end == NOW


def test_first_for_members_then_for_walk_ins_then_for_all() -> None:
    members = {"resources": ["t1"], "for": "members", "until_minutes": 600}
    venue = venue_of([members, {"resources": ["t1"], "for": "walk_in", "until_minutes": 60}])
    times = [NOW + each * MINUTE for each in (60, 61, 600, 601)]

    def kept(name: str) -> int:
        ahead = kept_from(venue, frozenset({name})).get(UUID(int=0))
        if ahead is None:
            return 0
        assert ahead.bits(times, NOW) == sum(ahead.holds(at, NOW) << n for n, at in enumerate(times))
        return ahead.bits(times, NOW)

    assert (kept("web"), kept("members"), kept("walk_in")) == (0b1110, 0b0110, 0)


async def test_what_is_held_back_is_renamed_and_can_not_go(open_house: Any) -> None:
    tables = [{"slug": "a", "group": "four"}, {"slug": "b"}]
    held = [{"group": "four", "for": "x"}, {"resources": ["b"], "for": "y"}]
    house: House = await open_house(resources=tables, policy={"held_back": held})
    who = house.alice | {"if-match": '"1"'}
    b = f"/resources/{house.resources['b']}"
    renamed = await house.client.patch(b, json={"slug": "bee"}, headers=who)
    assert renamed.status_code == 200, renamed.text
    policy = (await house.client.get(f"/venues/{house.venue_id}/policy")).json()
    assert policy["held_back"][1]["resources"] == ["bee"]
    gone = await house.client.delete(b, headers=house.alice | {"if-match": renamed.headers["etag"]})
    assert gone.status_code == 400, gone.text
    assert gone.json()["errors"][0]["field"] == "policy.held_back.1.resources.0"
    untyped = await house.client.patch(
        f"/resources/{house.resources['a']}", json={"group": None}, headers=who
    )
    assert untyped.status_code == 400, untyped.text
    assert untyped.json()["errors"][0]["field"] == "policy.held_back.0.group"
    assert "change the policy first" in untyped.json()["detail"]
