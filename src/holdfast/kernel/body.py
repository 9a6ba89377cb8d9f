"""Request bodies: read strictly from the raw JSON, and told to the OpenAPI document.

FastAPI would parse the JSON to objects and validate those, where a datetime can't be told from its
text; validating the text itself is both stricter and faster.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema

from holdfast.kernel.validation import invalid_request

REF_TEMPLATE = "#/components/schemas/{model}"
_DOCUMENTED: set[type[BaseModel]] = set()


class Body(BaseModel):
    """A request body: unknown fields are refused, and a value of another type is not bent to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    unsaid: ClassVar[frozenset[str]] = frozenset()
    """Fields about a person: a refusal says that they are wrong, but does not repeat them."""


M = TypeVar("M", bound=Body)


def parse(raw: bytes, model: type[M]) -> M:
    """JSON text as the model, strictly. Raises InvalidRequest."""
    try:
        return model.model_validate_json(raw or b"{}", strict=True)
    except ValidationError as error:
        raise invalid_request(error, unsaid=model.unsaid) from error


def takes(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """`openapi_extra` of a route that reads this body."""
    _DOCUMENTED.add(model)
    schema = {"$ref": REF_TEMPLATE.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def body_schemas() -> dict[str, Any]:
    """JSON Schemas of all documented bodies, for `components.schemas`."""
    models = sorted(_DOCUMENTED, key=lambda model: model.__name__)
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=REF_TEMPLATE)
    return made.get("$defs", {})
