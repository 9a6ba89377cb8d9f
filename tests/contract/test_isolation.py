"""Every operation of the OpenAPI document, asked for what is Nord's by those whom it is no business of:

Charlie, manager of another tenant; Mallory, another guest of Nord; and somebody without a token. Each is
answered as THEIRS says, sees nothing of Gina, and changes nothing. At the end those it is meant for ask the
same of a house like it, and get it: so it was not the request that was wrong. An operation that is not in
THEIRS fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.db.database import Database
from holdfast.main.http.app import create_app
from tests.conftest import House, open_house_at

from .codes import check_problem
from .nord import REASON, SECRETS, Nord
from .rules import LISTED, OUTSIDE_THE_DOCUMENT, STAFF_ONLY, THEIRS

OUTSIDERS = ("charlie", "mallory", "anonymous")
ROUTED = {
    f"{method} {route.path_format}": str(route.path_format)
    for route in iter_route_contexts(create_app(Settings()).routes)
    for method in route.methods or ("ANY",)
}


def original_of(operation: str) -> str:
    """The operation of the document that one outside of it stands for."""
    method, _, path = operation.partition(" ")
    return f"{method} /api/v1{path.removeprefix('/v1')}"


ALIASES = {
    operation: original_of(operation)
    for operation, path in ROUTED.items()
    if operation not in THEIRS and path not in OUTSIDE_THE_DOCUMENT
}


@pytest.fixture(scope="module")
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def arrange(
    app: FastAPI, client: httpx.AsyncClient, issuer: DevIssuer, db: Database, owner: asyncpg.Connection
) -> Callable[[], Awaitable[Nord]]:
    """Makes a Nord."""
    charlie = (await open_house_at(client, issuer)).headers("manager", subject="charlie")

    async def arranged() -> Nord:
        # Always open, so that a party can be at the door whenever the tests run.
        house = await open_house_at(client, issuer, hours={"weekly": []})
        return await Nord.of(app, house, db=db, owner=owner, charlie=charlie)

    return arranged


@pytest.fixture(scope="module")
async def nord(arrange: Callable[[], Awaitable[Nord]]) -> Nord:
    """For those who may change nothing there, as each test sees to."""
    return await arrange()


@pytest.fixture
async def another(operation: str, nord: Nord, arrange: Callable[[], Awaitable[Nord]]) -> Nord:
    """For those who may do the operation: the same if it only reads, else one like it."""
    return nord if operation.startswith("GET ") else await arrange()


TABLES = (
    "tenant", "venue", "resource", "booking", "claim", "booking_history", "event", "series", "series_booking",
    "waitlist_entry", "block", "block_history", "channel", "job", "dead_letter",
)  # fmt: skip
STATE = " UNION ALL ".join(
    f"SELECT '{table}' AS of, {table}::text AS row FROM {table}"
    f" WHERE {'id' if table == 'tenant' else 'tenant_id'} = (SELECT tenant_id FROM venue WHERE id = $1)"
    for table in TABLES
)


async def state_of(owner: asyncpg.Connection, house: House) -> list[tuple[str, str]]:
    """All rows of the tenant."""
    found = sorted(tuple(row) for row in await owner.fetch(STATE, house.venue_id))
    assert {of for of, _ in found} >= {"tenant", "booking", "waitlist_entry", "block", "dead_letter"}
    return found


def test_every_operation_is_classified(openapi: dict[str, Any]) -> None:
    assert THEIRS.keys() == {
        f"{method.upper()} {path}" for path, item in openapi["paths"].items() for method in item
    }
    for operation, rule in THEIRS.items():
        opened = None in (rule.charlie, rule.mallory, rule.anonymous)
        assert opened is bool(rule.public), operation


def test_what_is_not_in_the_document_stands_for_what_is() -> None:
    assert ALIASES
    assert set(ALIASES.values()) <= THEIRS.keys()
    assert set(ROUTED.values()) >= OUTSIDE_THE_DOCUMENT.keys()


@pytest.mark.parametrize("operation", THEIRS)
async def test_what_is_not_yours_is_not_seen_or_changed(
    nord: Nord, another: Nord, owner: asyncpg.Connection, operation: str
) -> None:
    rule = THEIRS[operation]
    before = await state_of(owner, nord.house)
    for who in OUTSIDERS:
        expected = getattr(rule, who)
        if expected is None:
            continue
        answer = await nord.ask(operation, who)
        assert answer.status_code == expected, (who, answer.text)
        check_problem(answer)
        assert_nothing_of_gina(answer)
    assert await state_of(owner, nord.house) == before
    for who in OUTSIDERS:
        if getattr(rule, who) is None:
            answer = await another.ask(operation, who)
            assert answer.is_success, (who, answer.text)
            assert_nothing_of_gina(answer)
    answer = await another.ask(operation, rule.owner)
    assert answer.is_success, answer.text


def assert_nothing_of_gina(answer: httpx.Response) -> None:
    told = answer.text + str(answer.headers)
    assert not [value for value in SECRETS if value in told], told


@pytest.mark.parametrize("operation", ALIASES)
async def test_another_address_is_guarded_the_same(
    nord: Nord, another: Nord, owner: asyncpg.Connection, operation: str
) -> None:
    meant, path = ALIASES[operation], ROUTED[operation]
    before = await state_of(owner, nord.house)
    for who in OUTSIDERS:
        expected = getattr(THEIRS[meant], who)
        answer = await nord.ask(meant, who, alias=path)
        assert answer.status_code == (expected or 200), (who, answer.text)
        assert_nothing_of_gina(answer)
        if expected:
            check_problem(answer)
            assert await state_of(owner, nord.house) == before
    answer = await another.ask(meant, THEIRS[meant].owner, alias=path)
    assert answer.is_success, answer.text


@pytest.mark.parametrize(
    "operation",
    ["GET /api/v1/bookings/guest/{guest_id}", *(each for each, rule in THEIRS.items() if rule is LISTED)],
)
async def test_what_charlie_may_list_ends_at_his_tenant(nord: Nord, operation: str) -> None:
    answer = await nord.ask(operation, "charlie")
    told = answer.text
    assert not [mine for mine in (nord.house.tenant, nord.house.venue_id, nord.booking["id"]) if mine in told]
    assert bool(answer.json()["items"]) is (operation == "GET /api/v1/events")  # of his venue


async def test_bookings_are_followed_by_staff_alone(nord: Nord, owner: asyncpg.Connection) -> None:
    before = await state_of(owner, nord.house)
    for who in OUTSIDERS:
        answer = await nord.follow_bookings(who)
        assert answer.status_code == getattr(STAFF_ONLY, who), (who, answer.text)
        check_problem(answer)
    assert await state_of(owner, nord.house) == before
    assert (await nord.follow_bookings("bob")).status_code == 200


async def test_guests_are_not_told_why_it_is_closed(nord: Nord) -> None:
    operation = "GET /api/v1/clubs/{tenant}/venues/{venue}/availability"
    assert REASON in (await nord.ask(operation, "bob")).text
    for who in OUTSIDERS:
        answer = await nord.ask(operation, who)
        assert '"closed for maintenance"' in answer.text
        assert '"changedBy"' not in answer.text


@pytest.mark.parametrize("operation", [each for each, rule in THEIRS.items() if rule is STAFF_ONLY])
async def test_a_manager_of_another_venue_is_an_outsider(
    nord: Nord, owner: asyncpg.Connection, operation: str
) -> None:
    """Of the same tenant, with a token that is limited to a venue that is not this one."""
    limited = nord.house.headers("manager", subject="dora", venues=["01890a5d-ac96-774b-bcce-b302099a8057"])
    before = await state_of(owner, nord.house)
    answer = await replace(nord, charlie=limited).ask(operation, "charlie")
    assert answer.status_code in (403, 404), answer.text
    check_problem(answer)
    assert await state_of(owner, nord.house) == before
