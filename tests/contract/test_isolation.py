"""Every operation of the OpenAPI document, asked for what is Nord's by those whom it is no business of:

Charlie, manager of another tenant; Mallory, another guest of Nord; and somebody without a token. Each is
answered as THEIRS says, sees nothing of Gina, and changes nothing. At the end those it is meant for ask the
same, and get it: so it was not the request that was wrong. An operation that is not in THEIRS fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from holdfast.kernel.config import Settings
from holdfast.main.http import create_app
from tests.booking.asking import DAY, at
from tests.conftest import House, venue_document

from .codes import check_problem

PERSONAL = {
    "guest_name": "Gina Hjalmarsdotter",
    "guest_email": "gina@nord.example",
    "guest_phone": "+46701740605",
    "special_requests": "a quiet corner",
    "internal_notes": "tips well",
}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in create_app(Settings()).openapi()["paths"].items()
    for method, operation in item.items()
}


@dataclass(frozen=True)
class Rule:
    """What outsiders are answered; `None`: anybody may, for the reason given in `public`."""

    charlie: int | None
    mallory: int | None
    anonymous: int | None
    owner: str = "alice"
    public: str = ""


STAFF_ONLY = Rule(404, 403, 401)
OWN_BOOKING = Rule(404, 404, 404, owner="gina")
SHOWN = Rule(None, None, None, public="what a venue is and when it is open is for all to see")
# Other tenants' people are not guests here: they see what is free without their token.
BOOKABLE = Rule(404, None, None, public="guests, known or not, ask what is free and book")
REPEATED = Rule(404, None, 401, public="guests book series for themselves, and come back to them")
OPERATED = Rule(None, None, None, public="for the operator's own tools; has nothing of any tenant")

THEIRS: Mapping[str, Rule] = {
    "POST /api/v1/bookings": BOOKABLE,
    "POST /api/v1/walk-ins": STAFF_ONLY,
    "POST /api/v1/bookings/availability/check": BOOKABLE,
    "GET /api/v1/venues/{venue_id}/availability/day": BOOKABLE,
    "GET /api/v1/venues/{venue_id}/availability/month": BOOKABLE,
    "GET /api/v1/bookings/reference/{reference}": OWN_BOOKING,
    # Charlie's own list of a guest of that name is empty, which `test_lists_...` looks at.
    "GET /api/v1/bookings/guest/{guest_id}": Rule(None, 404, 401, owner="gina", public="see below"),
    "GET /api/v1/bookings/venue/{venue_id}": STAFF_ONLY,
    "GET /api/v1/bookings/{booking_id}": OWN_BOOKING,
    "PUT /api/v1/bookings/{booking_id}": OWN_BOOKING,
    "GET /api/v1/bookings/{booking_id}/history": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/cancel": OWN_BOOKING,
    "POST /api/v1/bookings/{booking_id}/status": Rule(404, 404, 404),
    "POST /api/v1/series/preview": REPEATED,
    "POST /api/v1/series": REPEATED,
    "GET /api/v1/series": STAFF_ONLY,
    "GET /api/v1/series/{series_id}": OWN_BOOKING,
    "PATCH /api/v1/series/{series_id}": OWN_BOOKING,
    "POST /api/v1/series/{series_id}/cancel": OWN_BOOKING,
    "POST /api/v1/tenants": Rule(403, 403, 401, owner="root"),
    "GET /api/v1/tenants/{slug}": Rule(
        404, None, 401, public="a guest of the tenant knows whose guest it is"
    ),
    "POST /api/v1/venues/import": STAFF_ONLY,
    "GET /api/v1/venues": SHOWN,
    "GET /api/v1/venues/{venue_id}": SHOWN,
    "PATCH /api/v1/venues/{venue_id}": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/document": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/hours": SHOWN,
    "PUT /api/v1/venues/{venue_id}/hours": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/hours/effective": SHOWN,
    "POST /api/v1/venues/{venue_id}/hours/holidays": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/policy": SHOWN,
    "PUT /api/v1/venues/{venue_id}/policy": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/slots": SHOWN,
    "PUT /api/v1/venues/{venue_id}/slots": STAFF_ONLY,
    "GET /api/v1/venues/{venue_id}/resources": SHOWN,
    "POST /api/v1/venues/{venue_id}/resources": STAFF_ONLY,
    "GET /api/v1/resources/{resource_id}": SHOWN,
    "PATCH /api/v1/resources/{resource_id}": STAFF_ONLY,
    "DELETE /api/v1/resources/{resource_id}": STAFF_ONLY,
    "GET /healthz": OPERATED,
    "GET /readyz": OPERATED,
    "GET /metrics": OPERATED,
}


@dataclass(frozen=True)
class Nord:
    """Gina's booking and series there, and how each operation is asked for it."""

    house: House
    booking: dict[str, Any]
    series: dict[str, Any]
    charlie: dict[str, str]

    def headers(self, who: str) -> dict[str, str]:
        if who == "mallory":
            return self.house.headers("guest", subject="mallory")
        if who == "root":
            return {"authorization": f"Bearer {self.house.mint(None, ['platform_admin'], 'root')}"}
        return {"charlie": self.charlie, "anonymous": {}}.get(who) or getattr(self.house, who, {})

    async def ask(self, operation: str, who: str) -> httpx.Response:
        method, _, path = operation.partition(" ")
        ids = {
            "venue_id": self.house.venue_id,
            "resource_id": self.house.resources["s1"],
            "booking_id": self.booking["id"],
            "series_id": self.series["id"],
            "reference": self.booking["booking_reference"],
            "guest_id": "gina",
            "slug": self.house.tenant,
        }
        url = httpx.URL(f"http://holdfast.test{path.format(**ids)}", params=self._query(operation))
        return await self.house.client.request(
            method, url, headers=self.headers(who), json=self._body(operation)
        )

    def _query(self, operation: str) -> dict[str, Any]:
        return {
            "GET /api/v1/venues/{venue_id}/availability/day": {"date": DAY, "party_size": 2},
            "GET /api/v1/venues/{venue_id}/availability/month": {"month": f"{DAY:%Y-%m}"},
            "GET /api/v1/venues/{venue_id}/hours/effective": {"from": DAY},
            "GET /api/v1/series": {"venue_id": self.house.venue_id},
            "GET /api/v1/venues": {"tenant": self.house.tenant},
            "POST /api/v1/venues/import": {"tenant": self.house.tenant},
            "DELETE /api/v1/resources/{resource_id}": {"expected_version": 1},
        }.get(operation, {})

    def _body(self, operation: str) -> Any:
        venue = {"venue_id": self.house.venue_id, "party_size": 2}
        version = {"expected_version": self.booking["version"]}
        place = {"expected_version": self.house.venue["version"]}
        weekly = {**venue, "start": at("12:00"), "rrule": "FREQ=WEEKLY;COUNT=2"}
        series = {"expected_version": self.series["version"], "scope": "all"}
        return {
            "POST /api/v1/bookings": {**venue, "start": at("12:00")},
            "POST /api/v1/walk-ins": venue,
            "POST /api/v1/bookings/availability/check": {**venue, "start": at("12:00")},
            "PUT /api/v1/bookings/{booking_id}": {**version, "guest_name": "Somebody"},
            "POST /api/v1/bookings/{booking_id}/cancel": version,
            "POST /api/v1/bookings/{booking_id}/status": {**version, "to": "CANCELLED"},
            "POST /api/v1/series/preview": weekly,
            "POST /api/v1/series": weekly,
            "PATCH /api/v1/series/{series_id}": {**series, "changes": {"guest_name": "Somebody"}},
            "POST /api/v1/series/{series_id}/cancel": series,
            "POST /api/v1/tenants": {"slug": f"{self.house.tenant}-new", "name": "New"},
            "POST /api/v1/venues/import": venue_document(name="Another"),
            "PATCH /api/v1/venues/{venue_id}": {**place, "name": "Another"},
            "PUT /api/v1/venues/{venue_id}/hours": {**place, "weekly": []},
            "POST /api/v1/venues/{venue_id}/hours/holidays": {**place, "country": "SE", "years": [DAY.year]},
            "PUT /api/v1/venues/{venue_id}/policy": {**place, "slot_step_minutes": 30},
            "PUT /api/v1/venues/{venue_id}/slots": {**place, "items": []},
            "POST /api/v1/venues/{venue_id}/resources": {"slug": "new"},
            "PATCH /api/v1/resources/{resource_id}": {"expected_version": 1, "name": "Another"},
        }.get(operation)


@pytest.fixture
async def nord(open_house: Any) -> Nord:
    # Always open, so that a party can be at the door whenever the tests run.
    house = await open_house(hours={"weekly": []})
    booking = await house.booked(start=at("18:00"), guest_id="gina", resource_ids=house.ids("t3"), **PERSONAL)
    wanted = {"venue_id": house.venue_id, "party_size": 2, "start": at("15:00"), **PERSONAL}
    wanted |= {"guest_id": "gina", "rrule": "FREQ=WEEKLY;COUNT=2", "resource_ids": house.ids("t3")}
    series = await house.client.post("/series", json=wanted, headers=house.bob)
    assert series.status_code == 201, series.text
    return Nord(house, booking, series.json(), (await open_house()).headers("manager", subject="charlie"))


@pytest.fixture
async def owner(database_url: str) -> Any:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


TABLES = (
    "tenant", "venue", "resource", "booking", "claim", "booking_history", "event", "series", "series_booking",
)  # fmt: skip


async def state_of(owner: asyncpg.Connection, house: House) -> dict[str, list[str]]:
    """All rows of the tenant."""
    tenant = await owner.fetchval("SELECT tenant_id FROM venue WHERE id = $1", house.venue_id)
    return {
        table: sorted(
            str(tuple(row))
            for row in await owner.fetch(
                f"SELECT * FROM {table} WHERE {'id' if table == 'tenant' else 'tenant_id'} = $1", tenant
            )
        )
        for table in TABLES
    }


def test_every_operation_is_classified() -> None:
    assert OPERATIONS.keys() == THEIRS.keys()
    for operation, rule in THEIRS.items():
        opened = None in (rule.charlie, rule.mallory, rule.anonymous)
        assert opened is bool(rule.public), operation


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_what_is_not_yours_is_not_seen_or_changed(
    nord: Nord, owner: asyncpg.Connection, operation: str
) -> None:
    rule = THEIRS[operation]
    before = await state_of(owner, nord.house)
    for who in ("charlie", "mallory", "anonymous"):
        expected = getattr(rule, who)
        if expected is None:
            continue
        answer = await nord.ask(operation, who)
        assert answer.status_code == expected, (who, answer.text)
        check_problem(answer)
        assert_nothing_of_gina(answer)
    assert await state_of(owner, nord.house) == before
    for who in ("charlie", "mallory", "anonymous"):
        if getattr(rule, who) is None:
            answer = await nord.ask(operation, who)
            assert answer.is_success, (who, answer.text)
            assert_nothing_of_gina(answer)
    answer = await nord.ask(operation, rule.owner)
    assert answer.is_success, answer.text


def assert_nothing_of_gina(answer: httpx.Response) -> None:
    told = answer.text + str(answer.headers)
    assert not [value for value in PERSONAL.values() if value in told], told


async def test_lists_of_a_guest_end_at_the_tenant(nord: Nord) -> None:
    answer = await nord.ask("GET /api/v1/bookings/guest/{guest_id}", "charlie")
    assert answer.json() == {"items": [], "next": None}


@pytest.mark.parametrize("operation", [each for each, rule in THEIRS.items() if rule is STAFF_ONLY])
async def test_a_manager_of_another_venue_is_an_outsider(
    nord: Nord, owner: asyncpg.Connection, operation: str
) -> None:
    """Of the same tenant, with a token that is limited to a venue that is not this one."""
    limited = nord.house.headers("manager", subject="dora", venues=["01890a5d-ac96-774b-bcce-b302099a8057"])
    before = await state_of(owner, nord.house)
    answer = await Nord(nord.house, nord.booking, nord.series, limited).ask(operation, "charlie")
    assert answer.status_code in (403, 404), answer.text
    check_problem(answer)
    assert await state_of(owner, nord.house) == before
