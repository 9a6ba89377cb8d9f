"""The OpenAPI document as a document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator

from holdfast.kernel.config import Settings
from holdfast.main.http.app import create_app
from holdfast.main.openapi.examples import EXAMPLES

from .codes import statuses
from .rules import THEIRS

Json = dict[str, Any]

WITHOUT_A_BODY = ("204", "304")
REFUSALS = {"400", "401", "403", "404", "409", "429", "503", "504"}


@pytest.fixture(scope="module")
def operations(openapi: Json) -> Json:
    return {
        f"{method.upper()} {path}": operation
        for path, item in openapi["paths"].items()
        for method, operation in item.items()
    }


@pytest.fixture(scope="module")
def made_up() -> set[str]:
    """What the framework makes of the names of functions."""
    routes = create_app(Settings()).routes
    return {str(route.name).replace("_", " ").title() for route in iter_route_contexts(routes)}


def test_it_is_valid_openapi_3_1(openapi: Json) -> None:
    assert openapi["openapi"].startswith("3.1.")
    wrong = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in OpenAPIV31SpecValidator(openapi).iter_errors()
    ]
    assert not wrong, wrong


def test_the_validator_objects_to_what_is_wrong(openapi: Json) -> None:
    document = {**openapi, "info": {"title": "no version"}, "paths": {}}
    assert next(OpenAPIV31SpecValidator(document).iter_errors(), None)


@pytest.mark.parametrize("name", THEIRS)
def test_an_operation_is_described_with_all_its_answers(
    name: str, openapi: Json, operations: Json, made_up: set[str]
) -> None:
    operation: Json = operations[name]
    of_api = name.partition(" ")[2].startswith("/api/")
    assert operation["summary"] not in made_up
    assert not of_api or operation["description"]
    assert {tag["name"] for tag in openapi["tags"]} >= set(operation["tags"])
    responses = operation["responses"]
    assert any(status.startswith("2") for status in responses)
    for status, response in responses.items():
        assert response["description"], status
        if of_api and status not in WITHOUT_A_BODY:
            assert all(content["schema"] for content in response["content"].values()), status
    assert not of_api or responses.keys() >= REFUSALS
    assert ("413" in responses) is ("requestBody" in operation)


VERBS = {
    "accept", "add", "cancel", "change", "check", "confirm", "create", "decline", "delete", "get", "import", "join",
    "leave", "list", "preview", "replace", "replay", "stream", "update",
}  # fmt: skip
"""What operations do; the rest of an operation id says what they do it to."""


@pytest.mark.parametrize("name", THEIRS)
def test_the_id_of_an_operation_is_a_verb_and_a_noun(name: str, operations: Json) -> None:
    verb, *noun = operations[name]["operationId"].split("_")
    assert verb in VERBS, operations[name]["operationId"]
    assert noun
    assert all(re.fullmatch("[a-z]+", word) for word in noun)


def test_no_two_operations_have_the_same_id(operations: Json) -> None:
    ids = Counter(operation["operationId"] for operation in operations.values())
    assert ids.most_common(1)[0][1] == 1, ids.most_common(3)


def parts_of(value: Any, where: str = "") -> Iterator[tuple[str, Json]]:
    """Every object in it that is not an example, with its place."""
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from parts_of(each, f"{where}.{number}")
    elif isinstance(value, dict):
        yield where, value
        for name, each in value.items():
            if name not in ("examples", "example"):
                yield from parts_of(each, f"{where}.{name}")


def test_each_model_has_one_schema(openapi: Json) -> None:
    schemas = openapi["components"]["schemas"]
    assert [name for name in schemas if not re.fullmatch("[A-Z][A-Za-z]+", name)] == []
    assert {
        name: schema["title"] for name, schema in schemas.items() if schema.get("title", name) != name
    } == {}
    shapes = Counter(
        repr({**schema, "title": "", "description": ""})
        for schema in schemas.values()
        if schema.keys() > {"type"}
    )
    assert [shape for shape, times in shapes.items() if times > 1] == []


def test_each_set_of_values_has_one_schema(openapi: Json) -> None:
    enums = Counter(str(part["enum"]) for _, part in parts_of(openapi) if isinstance(part.get("enum"), list))
    assert [values for values, times in enums.items() if times > 1] == []


def test_no_field_has_a_default_that_would_make_it_required_in_clients(openapi: Json) -> None:
    assert [where for where, part in parts_of(openapi["components"]) if "default" in part] == []
    nullable = [
        f"{operation} {each['name']}"
        for operation, item in openapi["paths"].items()
        for method in item.values()
        for each in method.get("parameters", ())
        if {"type": "null"} in each["schema"].get("anyOf", ())
    ]
    assert nullable == []


def test_only_a_field_that_is_always_needed_is_required(openapi: Json) -> None:
    schemas = openapi["components"]["schemas"]
    assert sorted(schemas["CreateBooking"]["required"]) == ["venue_id"]
    assert "required" not in schemas["UpdateBooking"]
    assert sorted(schemas["VenueDocument"]["required"]) == ["name", "resources", "slug", "timezone"]
    assert {"policy", "hours", "slots", "currency"} <= set(schemas["VenueShown"]["required"])
    assert "internal_notes" not in schemas["BookingShown"]["required"]


@pytest.mark.parametrize("name", THEIRS)
def test_every_refusal_is_a_problem(name: str, operations: Json) -> None:
    for status, response in operations[name]["responses"].items():
        if int(status) >= 400:
            [content] = response["content"].items()
            ref = {"$ref": "#/components/schemas/Problem"}
            assert content == ("application/problem+json", {"schema": ref}), status


def test_the_codes_are_those_of_the_table(openapi: Json) -> None:
    schemas = openapi["components"]["schemas"]
    assert schemas["Problem"]["properties"]["code"] == {"$ref": "#/components/schemas/ProblemCode"}
    codes = set(schemas["ProblemCode"]["enum"])
    assert {code for code in codes - statuses().keys() if not code.endswith("_NOT_AVAILABLE")} == set()
    assert {"TABLE_NOT_AVAILABLE", "SECTION_NOT_AVAILABLE", "RESOURCE_NOT_AVAILABLE"} <= codes
    assert "NOT_AVAILABLE" not in codes
    assert statuses().keys() - codes == set()


@pytest.mark.parametrize("operation_id", EXAMPLES)
def test_examples_are_what_the_operation_takes(operation_id: str, openapi: Json, operations: Json) -> None:
    [operation] = [each for each in operations.values() if each["operationId"] == operation_id]
    content = operation["requestBody"]["content"]["application/json"]
    assert content["examples"]
    schema = content["schema"] | {"components": openapi["components"]}
    for example in content["examples"].values():
        jsonschema.Draft202012Validator(schema).validate(example["value"])


def test_no_two_operations_have_the_same_summary(operations: Json) -> None:
    summaries = [operation["summary"] for operation in operations.values()]
    assert len(set(summaries)) == len(summaries)
