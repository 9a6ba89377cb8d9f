"""Whatever the OpenAPI document allows and forbids is sent: no failure, and no answer it does not describe.

Schemathesis makes up the requests, first each boundary of each schema, then some at random. In half of
them the ids are those of a venue that is there, so that they get further than to a 404. A failure says how
to repeat the request; HOLDFAST_SEED=<the seed printed> repeats all of them.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from holdfast.kernel.config import Settings
from holdfast.kernel.db import Database
from holdfast.main.http import create_app
from tests.processes import PATIENT_S

from .codes import check_problem
from .filling import Filling, There
from .served import Api

SEED = int(os.environ.get("HOLDFAST_SEED") or random.randrange(2**32))
EXAMPLES = 4
EXAMPLES_SOAK = 300

CHECKS = {
    # A body that is too long is refused before anybody looks at what is in it.
    "negative_data_rejection": {
        "expected-statuses": [400, 401, 403, 404, 405, 409, 413, 429],
    },
}
# A schema can't say all that makes a request right: that one of several fields says the start, that the
# day is a year of this age, that a slug is of a resource of the same document, that a version is needed in
# body or header, and which cursors there are. That valid requests are accepted is counted instead.
LEFT_OUT = [positive_data_acceptance]

NEVER_DONE = {
    "POST /api/v1/tenants": "only platform administrators add tenants",
}
"""Operations that a manager has no success with, and why."""
NEVER_ASKED = {
    "/api/v1/live": "a stream never ends by itself: tests/live reads it, and test_told.py by the AsyncAPI document",
}
"""Paths that are not asked, and why. The WebSocket beside them is not in the document."""

DOCUMENT = create_app(Settings()).openapi()


def made_up(examples: int, *, boundaries: bool) -> Any:
    """The operations of the document with so many requests at random each, beside those at boundaries."""
    config = {
        "seed": SEED,
        "suppress-health-check": ["all"],
        "generation": {"max-examples": examples, "database": "none"},
        "phases": {"coverage": {"enabled": boundaries}},
        "checks": CHECKS,
    }
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(config))
    return schema.exclude(path=list(NEVER_ASKED))


@dataclass
class Asking:
    """Somebody who sends what was made up, and looks at what is answered."""

    url: str
    headers: dict[str, str]
    filling: Filling
    session: requests.Session
    answered: Counter[int] = field(default_factory=Counter)

    def ask(self, case: schemathesis.Case) -> None:
        self.filling.fill(case)
        response = case.call(base_url=self.url, session=self.session, headers=self.headers)
        self.answered[response.status_code] += 1
        self.filling.learn(case, response)
        case.validate_response(response, excluded_checks=_left_out(case), headers=self.headers)
        if response.status_code >= 400:
            check_problem(response)


def _left_out(case: schemathesis.Case) -> list[Any]:
    # /venues/import is also a /venues/{venue_id}, which knows other methods: "import" is no id for them.
    return [*LEFT_OUT, unsupported_method] if _is_of_another(case) else LEFT_OUT


def _is_of_another(case: schemathesis.Case) -> bool:
    return any(
        case.method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), case.path)
        for path, item in DOCUMENT["paths"].items()
        if path != case.path
    )


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="session")
async def arrange(api: Api) -> AsyncIterator[Callable[[], Awaitable[Filling]]]:
    """Makes a house, with all that there can be in it."""
    db = await Database.connect(api.database_url, pool_max=2, deadline_s=PATIENT_S)
    owner = await asyncpg.connect(api.database_url)

    async def arranged() -> Filling:
        return Filling(await There.at(await api.house(), db=db, owner=owner))

    yield arranged
    await owner.close()
    await db.close()


@pytest.fixture
async def manager(api: Api, session: requests.Session, arrange: Callable[[], Awaitable[Filling]]) -> Asking:
    filling = await arrange()
    return Asking(api.url, filling.house.alice, filling, session)


@pytest.fixture(scope="session")
async def anonymous(api: Api, session: requests.Session, arrange: Callable[[], Awaitable[Filling]]) -> Asking:
    return Asking(api.url, {}, await arrange(), session)


@pytest.fixture(autouse=True)
def told() -> None:
    print(f"HOLDFAST_SEED={SEED}")


@pytest.fixture
async def successful(manager: Asking, request: pytest.FixtureRequest) -> AsyncIterator[Asking]:
    """The manager, with some of whose requests something must have been done at the end."""
    yield manager
    operation = request.node.name.partition("[")[2].rstrip("]")
    done = sum(count for status, count in manager.answered.items() if status < 300)
    assert bool(done) is (operation not in NEVER_DONE), dict(manager.answered)


@made_up(EXAMPLES, boundaries=True).parametrize()
def test_for_a_manager(case: schemathesis.Case, successful: Asking) -> None:
    successful.ask(case)


@made_up(EXAMPLES, boundaries=False).parametrize()
def test_without_a_token(case: schemathesis.Case, anonymous: Asking) -> None:
    anonymous.ask(case)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@made_up(EXAMPLES_SOAK, boundaries=True).parametrize()
def test_for_a_manager_at_length(case: schemathesis.Case, successful: Asking) -> None:
    successful.ask(case)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@made_up(EXAMPLES_SOAK, boundaries=True).parametrize()
def test_without_a_token_at_length(case: schemathesis.Case, anonymous: Asking) -> None:
    anonymous.ask(case)
