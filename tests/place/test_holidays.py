"""Public holidays as exceptions, with one call."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from holdfast.place.opening.holidays_of import chosen, holidays_of

from .conftest import Ask, Cast, thing
from .test_import_venue import imported

YEAR = datetime.now(UTC).year + 1
SWEDEN = {"country": "SE", "years": [YEAR], "language": "en_US"}
CHRISTMAS, NEW_YEAR = f"{YEAR}-12-25", f"{YEAR}-01-01"


async def added(ask: Ask, cast: Cast, path: str, **body: Any) -> httpx.Response:
    return await ask(cast.alice, "POST", f"{path}/hours/holidays", json=SWEDEN | body)


@pytest.fixture
async def path(ask: Ask, cast: Cast, osteria: dict[str, Any]) -> str:
    """A venue that has hours of its own for one day of Christmas."""
    osteria["hours"]["exceptions"] = [{"date": CHRISTMAS, "spans": [{"open": "12:00", "close": "15:00"}]}]
    return f"/venues/{(await imported(ask, cast, osteria))['id']}"


def dates(answer: httpx.Response, which: str) -> list[str]:
    return [each["date"] for each in answer.json()[which]]


async def test_they_become_exceptions_by_their_names(ask: Ask, cast: Cast, path: str) -> None:
    done = await added(ask, cast, path, expected_version=1)
    assert done.status_code == 200, done.text
    assert done.headers["etag"] == '"2"'
    assert {"date": NEW_YEAR, "name": "New Year's Day"} in done.json()["added"]
    assert dates(done, "kept") == [CHRISTMAS]
    assert done.json()["replaced"] == []
    hours = (await ask(cast.nobody, "GET", f"{path}/hours")).json()
    assert {**hours, **{each: done.json()[each] for each in ("added", "kept", "replaced")}} == thing(done)
    by_date = {each["date"]: each for each in hours["exceptions"]}
    assert by_date[NEW_YEAR] == {
        "date": NEW_YEAR,
        "closed": True,
        "spans": [],
        "name": "New Year's Day",
        "source": "holiday",
    }
    assert by_date[CHRISTMAS]["spans"] == [{"open": "12:00", "close": "15:00"}]
    assert by_date.keys() == {*dates(done, "added"), CHRISTMAS}
    assert hours["weekly"] != []
    effective = await ask(cast.nobody, "GET", f"{path}/hours/effective?from={NEW_YEAR}")
    assert effective.json()["items"][0]["openings"] == []


async def test_a_second_time_they_change_nothing(ask: Ask, cast: Cast, path: str) -> None:
    first = await added(ask, cast, path, expected_version=1)
    again = await added(ask, cast, path, expected_version=2)
    assert again.headers["etag"] == '"2"'
    assert again.json()["added"] == []
    assert dates(again, "kept") == sorted([*dates(first, "added"), CHRISTMAS])
    assert again.json()["exceptions"] == first.json()["exceptions"]


async def test_exceptions_are_replaced_when_asked(ask: Ask, cast: Cast, path: str) -> None:
    spans = [{"open": "10:00", "close": "11:00"}]
    names = ["CHRISTMAS DAY", "New Year's Day"]
    done = await added(ask, cast, path, expected_version=1, replace=True, spans=spans, names=names)
    assert (dates(done, "added"), dates(done, "replaced")) == ([NEW_YEAR], [CHRISTMAS])
    assert [(each["date"], each["spans"]) for each in done.json()["exceptions"]] == [
        (NEW_YEAR, spans),
        (CHRISTMAS, spans),
    ]


async def test_they_have_the_names_of_the_country_unless_told(ask: Ask, cast: Cast, path: str) -> None:
    done = await added(ask, cast, path, expected_version=1, language=None)
    assert {"date": NEW_YEAR, "name": "Nyårsdagen"} in done.json()["added"]


def test_parts_of_a_country_have_their_own() -> None:
    everywhere = {each.on for each in holidays_of("DE", years={YEAR})}
    in_bavaria = {each.on for each in holidays_of("DE", years={YEAR}, subdivision="BY")}
    assert everywhere < in_bavaria


def test_one_observed_in_another_year_is_that_years() -> None:
    # New Year of 2028 is a Saturday, and observed on the Friday before.
    assert {each.on.year for each in holidays_of("US", years={2027, 2028})} == {2027, 2028}
    [observed] = [
        each for each in holidays_of("US", years={2027}) if each.on.month == 12 and each.on.day == 31
    ]
    assert chosen([observed], ["new year's day (observed)"]) == [observed]


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({"country": "SX", "subdivision": "A"}, "subdivision", "must be left out"),
        ({"country": "ZZ"}, "country", "ZA, ZM, ZW"),
        ({"country": "se"}, "country", "pattern"),
        ({"country": "DE", "subdivision": "XX"}, "subdivision", "BW, BY"),
        ({"language": "xx"}, "language", "en_US, sv"),
        ({"names": ["Thanksgiving"]}, "names", "Christmas Day"),
        ({"years": []}, "years", "at least 1"),
        ({"years": [YEAR] * 6}, "years", "at most 5"),
        ({"years": [YEAR + 10]}, "years", "must be"),
        ({"years": [YEAR - 3]}, "years", "must be"),
        ({"years": [10**12]}, "years.0", "at most 2200"),
        ({"closed": True, "spans": [{"open": "10:00", "close": "11:00"}]}, "", "closed: true or spans"),
        ({"closed": False}, "", "closed: true or spans"),
        ({"spans": [{"open": "10:00", "close": "12:00"}] * 2}, "spans.1", "must not overlap"),
        ({"expected_version": None}, "expected_version", "is required"),
    ],
)
async def test_what_can_not_be_is_refused(
    ask: Ask, cast: Cast, path: str, body: dict[str, Any], field: str, said: str
) -> None:
    refused = await added(ask, cast, path, **({"expected_version": 1} | body))
    assert (refused.status_code, refused.json()["code"]) == (400, "INVALID_REQUEST")
    assert refused.json()["errors"][0]["field"] == field
    assert said in refused.json()["errors"][0]["problem"]
    assert (await ask(cast.nobody, "GET", f"{path}/hours")).headers["etag"] == '"1"'


async def test_it_is_for_the_managers_who_saw_the_hours(ask: Ask, cast: Cast, path: str) -> None:
    call = ("POST", f"{path}/hours/holidays")
    body = SWEDEN | {"expected_version": 1}
    for who, status in ((cast.nobody, 401), (cast.gina, 403), (cast.bob, 403), (cast.charlie, 404)):
        assert (await ask(who, *call, json=body)).status_code == status
    stale = await ask(cast.alice, *call, json=SWEDEN, headers={"if-match": '"7"'})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 1)
