"""The OpenAPI document as a document."""

from __future__ import annotations

from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator


def test_it_is_valid_openapi_3_1(app: FastAPI) -> None:
    document = app.openapi()
    assert document["openapi"].startswith("3.1.")
    wrong = [
        f"{'/'.join(map(str, error.absolute_path))}: {error.message}"
        for error in OpenAPIV31SpecValidator(document).iter_errors()
    ]
    assert not wrong, wrong


def test_the_validator_objects_to_what_is_wrong(app: FastAPI) -> None:
    document = {**app.openapi(), "info": {"title": "no version"}}
    assert list(OpenAPIV31SpecValidator(document).iter_errors())
