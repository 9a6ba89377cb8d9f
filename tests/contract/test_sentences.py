"""What is wrong with a value is said in our own words, in every place of every body and parameter that there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import core_schema

from holdfast.kernel.words.sentences import _BEGINNINGS, _FIXED, _LIMITS, _OUR_OWN, fields_around, nearest

from .leaves import Leaf, Schemas
from .nord import Nord

Json = dict[str, Any]
THEIRS = (
    "Input should",
    "Field required",
    "should be a",
    "should have",
    "should match",
    "Extra inputs",
    "Value error",
)
"""How Pydantic speaks."""


def wrong_values(leaf: Leaf) -> Iterator[Any]:
    """Values of other types, out of range, too long, too many, not among those that there are."""
    yield from ("", "no such thing", "x" * 70_000, [], [None] * 300, {}, {"colour": "red"}, None, True)
    yield from (-1, 0, 2**31, 2**63, 1e300, 1.5, -0.1)
    for found in ("minimum", "maximum"):
        if isinstance(limit := leaf.schema.get(found), int | float):
            yield limit + (1 if found == "maximum" else -1)


def operations(openapi: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            if path.startswith("/api/"):
                yield method, path, operation


def problems_in(answer: httpx.Response) -> Iterator[str]:
    body = answer.json()
    yield body["detail"]
    yield from (each["problem"] for each in body.get("errors", ()))


def check(answer: httpx.Response, what: str) -> None:
    if answer.status_code == 400:
        for text in problems_in(answer):
            assert not any(each in text for each in THEIRS), (what, text)


def with_ids(path: str, nord: Nord) -> str:
    path = path.removeprefix("/api/v1").replace("{venue_id}", nord.house.venue_id)
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + str(uuid4()) + path[end + 1 :]
    return path


async def test_in_every_place_of_every_body(openapi: Json, roomy: Nord) -> None:
    schemas, client, sent = Schemas(openapi), roomy.house.client, 0
    for method, path, operation in operations(openapi):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        schema, where = content["schema"], with_ids(path, roomy)
        body = schemas.sample(schema)
        for leaf in schemas.leaves(schema):
            for value in list(wrong_values(leaf))[sent % 13 :: 13]:
                made = schemas.placed(schema, body, leaf, value)
                answer = await client.request(method, where, json=_plain(made), headers=roomy.house.gina)
                check(answer, f"{method} {path} {leaf.name} {str(value)[:40]}")
                sent += 1
    assert sent > 300


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


async def test_in_every_parameter(openapi: Json, roomy: Nord) -> None:
    client = roomy.house.client
    for method, path, operation in operations(openapi):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] != "query" or path.endswith("/live"):
                continue
            for value in ("", "x", "-1", "9" * 30, "2027-02-30"):
                where = with_ids(path, roomy)
                answer = await client.request(
                    method, where, params={parameter["name"]: value}, headers=roomy.house.alice
                )
                check(answer, f"{method} {path} {parameter['name']} {value[:40]}")


def test_every_kind_of_error_has_a_sentence() -> None:
    kinds = set(core_schema.ErrorType.__args__)
    known = {*_FIXED, *_LIMITS, *_OUR_OWN}
    unknown = {each for each in kinds - known if not each.startswith(tuple(_BEGINNINGS))}
    # These are about Python's objects, which no JSON can be.
    assert {each for each in unknown if not each.startswith(_OF_PYTHON)} == set()


_OF_PYTHON = (
    "no_such_attribute", "get_attribute", "frozen", "is_", "callable", "arguments", "missing_", "unexpected_",
    "multiple_argument", "default_factory", "dataclass_exact", "complex", "needs_python", "iteration",
    "ordered_", "named_", "ellipsis", "recursion_depth", "counter_", "fraction_", "deque_", "invalid_", "mapping",
    "model_class", "set_item", "bytes",
    "missing_sentinel",
)  # fmt: skip


class Inner(BaseModel):
    seats_max: int = Field(ge=1, le=8)


class Outer(BaseModel):
    model_config = {"extra": "forbid"}
    name: str
    resources: tuple[Inner, ...] | None = None


def test_the_field_that_was_meant_is_named() -> None:
    assert fields_around(Outer, ("nmae",)) == {"name", "resources"}
    assert fields_around(Outer, ("resources", 3, "seat_max")) == {"seats_max"}
    assert nearest("seat_max", {"seats_max", "seats_min"}) == ": did you mean seats_max?"
    assert nearest("colour", {"seats_max"}) == ""


async def test_a_field_that_is_not_known_has_no_value(roomy: Nord) -> None:
    client, house = roomy.house.client, roomy.house
    body = {"venue_id": house.venue_id, "party_size": 2, "gest_name": "Gina", "start": "2027-01-01T18:00:00Z"}
    answer = await client.post("/bookings", json=body, headers=house.gina)
    assert answer.json()["errors"] == [
        {"field": "gest_name", "problem": "is not a field here: did you mean guest_name?"}
    ]
    path = f"/venues/{house.venue_id}/policy"
    body = {"expected_version": 1, "durations": [{"party_size_max": 2, "minute": 90}]}
    answer = await client.put(path, json=body, headers=house.alice)
    assert {
        "field": "durations.0.minute",
        "problem": "is not a field here: did you mean minutes?",
    } in answer.json()["errors"]
    document = {**house.document, "policy": {"slot_step": 15}}
    answer = await client.post("/venues/import", json=document, headers=house.alice)
    [error] = answer.json()["errors"]
    assert error == {
        "field": "policy.slot_step",
        "problem": "is not a field here: did you mean slot_step_minutes?",
    }
    answer = await client.get("/venues?limt=3", headers=house.alice)
    assert answer.json()["errors"] == [
        {"field": "limt", "problem": "is not a query parameter here: did you mean limit?"}
    ]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (int, "x", "must be a whole number"),
        (str, 5, "must be text"),
        (bool, 5, "must be true or false"),
        (list[int], 5, "must be a list"),
        (dict[str, int], 5, "must be an object"),
    ],
)
def test_types(kind: Any, value: Any, said: str) -> None:
    from holdfast.kernel.body import invalid_request

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value, strict=True)
    assert invalid_request(caught.value).fields["errors"][0]["problem"] == said
