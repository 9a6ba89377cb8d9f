"""Query parameters that an operation does not have are refused, whatever the operation: a typo never goes unnoticed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from .codes import check_problem
from .hostile import Values
from .nord import Nord
from .probe import Probe
from .raw import Answer
from .rules import OPERATED, THEIRS

PROBLEM = "is not a query parameter here: "
"""What follows is the parameter that was meant, or what to do."""


@pytest.fixture
def send(
    app: FastAPI, openapi: dict[str, Any], arrange_roomy: Callable[[], Awaitable[Nord]], roomy: Nord
) -> Callable[[str, str], Awaitable[Answer]]:
    async def sent(operation: str, more: str) -> Answer:
        return await Probe(app, openapi, operation, roomy, Values(), arrange=arrange_roomy).send(more=more)

    return sent


def named(answer: Answer) -> list[str]:
    problem = orjson.loads(answer.content)
    assert (answer.status_code, problem["code"]) == (400, "INVALID_REQUEST"), problem
    assert all(each["problem"].startswith(PROBLEM) for each in problem["errors"])
    assert all(each.keys() == {"field", "problem"} for each in problem["errors"])
    return [each["field"] for each in problem["errors"]]


@pytest.mark.parametrize("operation", [each for each, rule in THEIRS.items() if rule is not OPERATED])
async def test_they_are_refused_by_name(
    operation: str, send: Callable[[str, str], Awaitable[Answer]]
) -> None:
    answer = await send(operation, "&surprise=secret&Limit=3&surprise=2")
    check_problem(answer)
    assert named(answer) == ["surprise", "Limit"]


@pytest.mark.parametrize("operation", [each for each, rule in THEIRS.items() if rule is OPERATED])
async def test_the_operator_s_tools_may_send_any(
    operation: str, send: Callable[[str, str], Awaitable[Answer]]
) -> None:
    assert (await send(operation, "&surprise=1")).status_code < 300


async def test_so_many_are_named_and_no_more_of_a_name(
    send: Callable[[str, str], Awaitable[Answer]],
) -> None:
    more = "".join(f"&n{number}=" for number in range(60))
    assert named(await send("GET /api/v1/venues", more)) == [f"n{number}" for number in range(50)]
    assert named(await send("GET /api/v1/venues", f"&{'x' * 1000}=1")) == ["x" * 40]
    assert named(await send("GET /api/v1/venues", "&%00%ed%a0%80=1"))[0].startswith("\0")
