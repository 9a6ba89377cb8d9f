"""Answers are what the OpenAPI document says they are."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI

from .conftest import Ask, Cast
from .test_import_venue import imported

READS = [
    "/tenants/{slug}",
    "/venues",
    "/venues/{venue_id}",
    "/venues/{venue_id}/document",
    "/venues/{venue_id}/resources",
    "/resources/{resource_id}",
    "/venues/{venue_id}/hours",
    "/venues/{venue_id}/hours/effective",
    "/venues/{venue_id}/policy",
    "/venues/{venue_id}/slots",
]


def check(app: FastAPI, path: str, value: Any, *, method: str = "get", status: str = "200") -> None:
    """The value is what the document says the operation answers."""
    document = app.openapi()
    operation = document["paths"]["/api/v1" + path][method]
    schema = operation["responses"][status]["content"]["application/json"]["schema"]
    components = {"components": document["components"]}
    jsonschema.Draft202012Validator(schema | components).validate(value)


@pytest.mark.parametrize("path", READS)
async def test_an_answer_fits_its_schema(
    ask: Ask, cast: Cast, app: FastAPI, osteria: dict[str, Any], path: str
) -> None:
    venue = await imported(ask, cast, osteria)
    ids = {"slug": cast.nord.slug, "venue_id": venue["id"], "resource_id": venue["resources"][1]["id"]}
    query = "?from=2026-12-24&to=2026-12-31" if path.endswith("effective") else ""
    answer = await ask(cast.alice, "GET", path.format(**ids) + query)
    assert answer.status_code == 200
    check(app, path, answer.json())


async def test_an_import_fits_its_schema(ask: Ask, cast: Cast, app: FastAPI, osteria: dict[str, Any]) -> None:
    for status in ("201", "200"):
        answer = await ask(cast.alice, "POST", "/venues/import", json=osteria)
        assert answer.status_code == int(status)
        check(app, "/venues/import", answer.json(), method="post", status=status)
    document = app.openapi()
    body = document["paths"]["/api/v1/venues/import"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "application/yaml"}
    components = {"components": document["components"]}
    validator = jsonschema.Draft202012Validator(body["application/json"]["schema"] | components)
    osteria["resources"][0]["adjacent"] = [{"slug": "t2"}]
    validator.validate(osteria)
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(osteria | {"slug": "Å"})


def test_every_operation_is_described(app: FastAPI) -> None:
    described = 0
    for path, item in app.openapi()["paths"].items():
        for method, operation in item.items():
            if operation.get("tags") != ["Venues"]:
                continue
            described += 1
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for status, response in operation["responses"].items():
                assert status == "204" or response["content"], (method, path, status)
    assert described == 20
