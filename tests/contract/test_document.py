"""The OpenAPI document as a document."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator

from holdfast.kernel.config import Settings
from holdfast.main.http.app import create_app

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


def test_no_two_operations_have_the_same_summary(operations: Json) -> None:
    summaries = [operation["summary"] for operation in operations.values()]
    assert len(set(summaries)) == len(summaries)
