"""Whatever the OpenAPI document allows and forbids is sent: no failure, and no answer it does not describe.

Schemathesis makes up the requests: at the boundaries of each schema, and some at random. In two of three
the ids are those of a venue that is there, so that they get further than to a 404. An ordinary run sends
the same sample of them each time; `make soak` sends all boundaries and many more at random, other ones each
time. A failure says how to repeat the request; HOLDFAST_SEED=<the seed printed> repeats all of them.
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
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.overrides import Override
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from tests.engines import connect
from tests.processes import PATIENT_S
from tests.soak import soaking

from .codes import check_problem
from .filling import Filling, There
from .rules import THEIRS
from .served import Api

Cases = list[schemathesis.Case]

SEED = int(os.environ.get("HOLDFAST_SEED") or (random.randrange(2**32) if soaking() else 1))
EXAMPLES = 4
EXAMPLES_SOAK = 300
BOUNDARIES_MAX = 12
"""Of the valid requests at boundaries and of the invalid ones, for each operation in an ordinary run."""

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

OPERATIONS = [operation for operation in THEIRS if operation.partition(" ")[2] not in NEVER_ASKED]


@pytest.fixture(scope="session")
def schema(openapi: dict[str, Any]) -> Any:
    """The document as what requests are made of."""
    config = SchemathesisConfig.from_dict({"seed": SEED, "checks": CHECKS})
    return schemathesis.openapi.from_dict(openapi, config=config)


def at_boundaries(schema: Any, operation: str, *, at_most: int | None = None) -> Cases:
    """Requests at the boundaries of the operation's schemas, spread evenly over all there are; `at_most` of the
    valid ones, and of the invalid ones."""
    meant = schema.find_operation_by_label(operation)
    generation = schema.config.generation_for(operation=meant, phase="coverage")
    found = list(
        CoverageGenerator(
            operation=meant,
            generation_modes=generation.modes,
            generation_config=generation,
            auth_storage=None,
            override=Override(),
            feedback=NO_FEEDBACK,
        )
    )
    kinds = [[case for case in found if case.meta.generation.mode is mode] for mode in GenerationMode]
    assert all(kinds), operation
    return [case for kind in kinds for case in kind[:: -(-len(kind) // (at_most or len(kind)))]]


def at_random(schema: Any, operation: str, examples: int, ask: Callable[[schemathesis.Case], None]) -> None:
    """Asks with so many requests made up at random, valid and invalid ones."""
    meant = schema.find_operation_by_label(operation)

    @seed(SEED)
    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.one_of([meant.as_strategy(generation_mode=mode) for mode in GenerationMode]))
    def asked(case: schemathesis.Case) -> None:
        ask(case)

    asked()


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
        response = case.call(base_url=self.url, session=self.session, headers=self.headers, timeout=PATIENT_S)
        self.answered[response.status_code] += 1
        self.filling.learn(case, response)
        case.validate_response(response, excluded_checks=_left_out(case), headers=self.headers)
        if response.status_code >= 400:
            check_problem(response)

    def assert_some_done(self, operation: str) -> None:
        """What was right with some of the requests, or the operation is none that a manager may do."""
        done = sum(count for status, count in self.answered.items() if status < 300)
        assert bool(done) is (operation not in NEVER_DONE), dict(self.answered)


def _left_out(case: schemathesis.Case) -> list[Any]:
    # /venues/import is also a /venues/{venue_id}, which knows other methods: "import" is no id for them.
    return [*LEFT_OUT, unsupported_method] if _is_of_another(case) else LEFT_OUT


def _is_of_another(case: schemathesis.Case) -> bool:
    return any(
        case.method.lower() in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), case.path)
        for path, item in case.operation.schema.raw_schema["paths"].items()
        if path != case.path
    )


@pytest.fixture(scope="session")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False  # spares each request a look at the environment
        yield session


@pytest.fixture(scope="session")
async def arrange(api: Api) -> AsyncIterator[Callable[[], Awaitable[Filling]]]:
    """Makes a house, with all that there can be in it."""
    db = await connect(api.database_url, pool_max=2, deadline_s=PATIENT_S)
    owner = await asyncpg.connect(api.database_url)

    async def arranged() -> Filling:
        # Always open, so that a party can be at the door whenever the tests run.
        house = await api.house(hours={"weekly": []})
        return Filling(await There.at(house, db=db, owner=owner))

    yield arranged
    await owner.close()
    await db.close()


@pytest.fixture(scope="session")
async def shared(arrange: Callable[[], Awaitable[Filling]]) -> Filling:
    """A house for those who only read, and for those who may do little."""
    return await arrange()


@pytest.fixture
async def manager(
    operation: str,
    api: Api,
    session: requests.Session,
    arrange: Callable[[], Awaitable[Filling]],
    shared: Filling,
) -> Asking:
    """Of a house that nothing was done to, since what one operation leaves can be in another's way."""
    filling = Filling(shared.there) if operation.startswith("GET ") else await arrange()
    return Asking(api.url, filling.house.alice, filling, session)


@pytest.fixture(scope="session")
def anonymous(api: Api, session: requests.Session, shared: Filling) -> Asking:
    return Asking(api.url, {}, shared, session)


@pytest.fixture(autouse=True)
def told() -> None:
    print(f"HOLDFAST_SEED={SEED}")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_for_a_manager(operation: str, schema: Any, manager: Asking) -> None:
    for case in at_boundaries(schema, operation, at_most=BOUNDARIES_MAX):
        manager.ask(case)
    at_random(schema, operation, EXAMPLES, manager.ask)
    manager.assert_some_done(operation)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_token(operation: str, schema: Any, anonymous: Asking) -> None:
    at_random(schema, operation, EXAMPLES, anonymous.ask)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_for_a_manager_at_length(operation: str, schema: Any, manager: Asking) -> None:
    for case in at_boundaries(schema, operation):
        manager.ask(case)
    at_random(schema, operation, EXAMPLES_SOAK, manager.ask)
    manager.assert_some_done(operation)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_a_token_at_length(operation: str, schema: Any, anonymous: Asking) -> None:
    for case in at_boundaries(schema, operation):
        anonymous.ask(case)
    at_random(schema, operation, EXAMPLES_SOAK, anonymous.ask)
