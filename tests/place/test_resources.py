"""Resources over HTTP: adding, listing, changing, removing."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.kernel.db.database import Database
from holdfast.kernel.paging import LIMIT_MAX

from .conftest import Ask, Cast, thing
from .test_import_venue import by_slug, claim, imported


async def test_a_resource_is_added(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    venue = await imported(ask, cast, osteria)
    body = {"slug": "t3", "adjacent": [{"slug": "t2", "seats_lost": 1}, by_slug(venue)["t1"]["id"]]}
    answer = await ask(cast.alice, "POST", f"/venues/{venue['id']}/resources", json=body)

    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    added = thing(answer)
    assert (added["name"], added["venue_id"], added["seats_max"]) == ("t3", venue["id"], 4)
    assert [(each["slug"], each["seats_lost"]) for each in added["adjacent"]] == [("t1", 0), ("t2", 1)]
    assert (await ask(cast.nobody, "GET", f"/resources/{added['id']}")).json() == added
    again = await ask(cast.alice, "POST", f"/venues/{venue['id']}/resources", json=body)
    assert (again.status_code, again.json()["errors"][0]["field"]) == (400, "slug")


async def test_lists_are_in_order_and_in_pages(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    osteria["resources"] = [{"slug": f"t{n}", "sort_order": 9 - n} for n in range(4)] + [{"slug": "a"}]
    venue = await imported(ask, cast, osteria)
    found: list[str] = []
    query = "?limit=2"
    while query:
        page = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}/resources{query}")).json()
        found += [each["slug"] for each in page["items"]]
        query = f"?limit=2&cursor={page['next']}" if page["next"] else ""
    assert found == ["a", "t3", "t2", "t1", "t0"]
    bad = await ask(cast.nobody, "GET", f"/venues/{venue['id']}/resources?cursor=1")
    assert bad.json()["errors"][0]["field"] == "cursor"


LANES = [f"lane-{n}" for n in range(1, 13)]
ORDERS = [LANES, LANES[::-1], ["z", "a", "m9", "m10", "b", "01", "1", "y"]]


async def listed(ask: Ask, cast: Cast, venue: dict[str, Any]) -> list[str]:
    page = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}/resources")).json()
    return [each["slug"] for each in page["items"]]


@pytest.mark.parametrize("slugs", ORDERS, ids=["lanes", "backwards", "as it comes"])
async def test_resources_keep_the_order_of_the_document(
    ask: Ask, cast: Cast, osteria: dict[str, Any], slugs: list[str]
) -> None:
    osteria["resources"] = [{"slug": slug, "kind": "lane"} for slug in slugs]
    osteria["slots"] = []
    venue = await imported(ask, cast, osteria)
    assert [each["slug"] for each in venue["resources"]] == slugs
    assert await listed(ask, cast, venue) == slugs
    exported = (await ask(cast.alice, "GET", f"/venues/{venue['id']}/document")).json()
    assert [each["slug"] for each in exported["resources"]] == slugs
    again = (await ask(cast.alice, "POST", "/venues/import", json=exported)).json()
    assert (again["resources"], again["version"]) == (venue["resources"], venue["version"])
    picture = f"/clubs/{venue['tenant']}/venues/{venue['slug']}/availability?date=2027-03-01&slotId=day"
    answer = await ask(cast.nobody, "GET", picture)
    assert answer.status_code == 200, answer.text
    assert [each["sectionId"] for each in answer.json()["sections"]] == [
        each["id"] for each in venue["resources"]
    ]


async def test_what_is_added_comes_last_and_numbers_count_as_numbers(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    osteria["resources"] = [{"slug": slug, "kind": "lane"} for slug in LANES[:9]]
    venue = await imported(ask, cast, osteria)
    for slug in (LANES[11], LANES[9], LANES[10]):
        added = await ask(cast.alice, "POST", f"/venues/{venue['id']}/resources", json={"slug": slug})
        assert added.status_code == 201
    assert await listed(ask, cast, venue) == LANES
    body = {"slug": "first", "sort_order": -1}
    await ask(cast.alice, "POST", f"/venues/{venue['id']}/resources", json=body)
    assert await listed(ask, cast, venue) == ["first", *LANES]


async def test_a_venue_of_before_is_in_order_too(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    osteria["resources"] = [{"slug": slug, "sort_order": 0} for slug in LANES[::-1]]
    venue = await imported(ask, cast, osteria)
    assert await listed(ask, cast, venue) == LANES


async def test_a_large_venue_shows_its_first_resources_and_where_the_others_are(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    osteria["resources"] = [{"slug": f"t{n:03}"} for n in range(LIMIT_MAX + 2)]
    venue = await imported(ask, cast, osteria)
    assert len(venue["resources"]) == LIMIT_MAX + 2  # who wrote it gets all of it back
    assert venue["resources_next"] is None
    shown = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}")).json()
    assert [each["slug"] for each in shown["resources"]] == [f"t{n:03}" for n in range(LIMIT_MAX)]
    path = f"/venues/{venue['id']}/resources?cursor={shown['resources_next']}"
    rest = (await ask(cast.nobody, "GET", path)).json()
    assert [each["slug"] for each in rest["items"]] == [f"t{LIMIT_MAX}", f"t{LIMIT_MAX + 1}"]
    gone = by_slug(venue)[f"t{LIMIT_MAX + 1}"]["id"]
    assert (await ask(cast.alice, "DELETE", f"/resources/{gone}?expected_version=1")).status_code == 204
    gone = by_slug(venue)["t000"]["id"]
    assert (await ask(cast.alice, "DELETE", f"/resources/{gone}?expected_version=1")).status_code == 204
    whole = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}")).json()
    assert (len(whole["resources"]), whole["resources_next"]) == (LIMIT_MAX, None)


async def test_a_change_touches_the_fields_given_and_no_others(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    t2 = by_slug(venue)["t2"]
    change = {"seats_min": 3, "zone": "garden", "expected_version": 1}
    answer = await ask(cast.alice, "PATCH", f"/resources/{t2['id']}", json=change)
    assert answer.headers["etag"] == '"2"'
    assert thing(answer) == t2 | {"seats_min": 3, "zone": "garden", "version": 2}
    null = {"zone": None, "position": None, "expected_version": 2}
    answer = await ask(cast.alice, "PATCH", f"/resources/{t2['id']}", json=null)
    assert thing(answer) == t2 | {"seats_min": 3, "zone": None, "position": None, "version": 3}
    old = await ask(cast.alice, "PATCH", f"/resources/{t2['id']}", json=change)
    assert (old.status_code, old.json()["current_version"]) == (409, 3)


async def test_a_resource_gets_another_slug_and_keeps_its_neighbours(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    venue = await imported(ask, cast, osteria)
    t2 = by_slug(venue)["t2"]
    answer = await ask(
        cast.alice, "PATCH", f"/resources/{t2['id']}", json={"slug": "round", "expected_version": 1}
    )
    assert answer.json()["id"] == t2["id"]
    assert answer.json()["adjacent"] == t2["adjacent"]
    taken = await ask(
        cast.alice, "PATCH", f"/resources/{t2['id']}", json={"slug": "t1", "expected_version": 2}
    )
    assert taken.json()["errors"][0]["field"] == "slug"


async def test_neighbours_are_replaced_whoever_named_them(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    found = by_slug(await imported(ask, cast, osteria))
    t1, t2, bar = (found[slug]["id"] for slug in ("t1", "t2", "bar"))
    answer = await ask(
        cast.alice,
        "PATCH",
        f"/resources/{t2}",
        json={"adjacent": [{"slug": bar, "seats_lost": 2}], "expected_version": 1},
    )
    assert answer.json()["adjacent"] == [{"slug": "bar", "seats_lost": 2, "id": bar}]
    assert (await ask(cast.nobody, "GET", f"/resources/{t1}")).json()["adjacent"] == []
    none = await ask(cast.alice, "PATCH", f"/resources/{t2}", json={"adjacent": [], "expected_version": 2})
    assert none.json()["adjacent"] == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seats_min": 5}, "seats_min"),
        ({"seats_max": 1}, "seats_min"),
        ({"kind": "sofa"}, "kind"),
        ({"units": 0}, "units"),
        ({"adjacent": ["t9"]}, "adjacent.0"),
        ({"adjacent": ["t2"]}, "adjacent.0"),
        ({"slug": ""}, "slug"),
        ({"name": "\0"}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bad_changes_name_the_field(
    ask: Ask, cast: Cast, osteria: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    t2 = by_slug(await imported(ask, cast, osteria))["t2"]
    answer = await ask(cast.alice, "PATCH", f"/resources/{t2['id']}", json={"expected_version": 1} | change)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field
    assert (await ask(cast.alice, "GET", f"/resources/{t2['id']}")).json() == t2


async def test_a_neighbour_of_another_tenant_is_refused(
    ask: Ask, cast: Cast, osteria: dict[str, Any]
) -> None:
    mine = by_slug(await imported(ask, cast, osteria))["t1"]
    theirs = await ask(cast.charlie, "POST", "/venues/import", json=osteria)
    other = by_slug(theirs.json())["t2"]["id"]
    answer = await ask(
        cast.alice, "PATCH", f"/resources/{mine['id']}", json={"adjacent": [other], "expected_version": 1}
    )
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert (error["field"], error["value"]) == ("adjacent.0", other)


async def test_a_removed_resource_is_gone(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> None:
    venue = await imported(ask, cast, osteria)
    path = f"/resources/{by_slug(venue)['t2']['id']}"
    assert (await ask(cast.alice, "DELETE", path)).status_code == 400
    assert (await ask(cast.alice, "DELETE", f"{path}?expected_version=2")).status_code == 409
    gone = await ask(cast.alice, "DELETE", path, headers={"if-match": '"1"'})
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await ask(cast.alice, "DELETE", path, headers={"if-match": '"1"'})).status_code == 404
    left = (await ask(cast.nobody, "GET", f"/venues/{venue['id']}")).json()["resources"]
    assert [(each["slug"], each["adjacent"]) for each in left] == [("t1", []), ("bar", [])]


async def test_a_resource_that_is_held_stays(
    ask: Ask, cast: Cast, osteria: dict[str, Any], db: Database
) -> None:
    bar = by_slug(await imported(ask, cast, osteria))["bar"]["id"]
    for unit in (1, 2, 3):
        await claim(db, cast, bar, unit=unit)
    gone = await ask(cast.alice, "DELETE", f"/resources/{bar}?expected_version=1")
    assert (gone.status_code, gone.json()["errors"][0]["value"]) == (400, "bar")
    fewer = await ask(cast.alice, "PATCH", f"/resources/{bar}", json={"units": 2, "expected_version": 1})
    assert (fewer.status_code, fewer.json()["errors"][0]["field"]) == (400, "units")
    enough = await ask(cast.alice, "PATCH", f"/resources/{bar}", json={"units": 3, "expected_version": 1})
    assert enough.status_code == 200
