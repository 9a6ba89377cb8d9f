"""Request bodies: strict parsing of the raw JSON, readable error messages, and schemas for the OpenAPI document.

FastAPI would parse the JSON into objects first, where a datetime can't be told from a string. Validating the text
itself is stricter and faster. Routes leave it to the dependency `kernel.http.json_body`.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import InitErrorDetails, PydanticCustomError

from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.words.sentences import fields_around, nearest, sentence_of

REF_TEMPLATE = "#/components/schemas/{model}"
_DOCUMENTED: set[type[BaseModel]] = set()

ERRORS_MAX = 50
"""Maximum number of errors listed in one response."""
VALUE_CHARS_MAX = 100
"""Longer values are truncated."""

_short = reprlib.Repr()
_short.maxlevel = 2
_short.maxstring = _short.maxother = VALUE_CHARS_MAX


class Body(BaseModel):
    """A request body. Unknown fields are refused and types are not coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    unsaid: ClassVar[frozenset[str]] = frozenset()
    """Fields with personal data: an error names the field but does not repeat its value."""

    def said(self, *names: str, prefix: str = "") -> dict[str, Any]:
        """Of these fields those that were given, null or not. `prefix`: of their names in the body."""
        return {
            name: getattr(self, prefix + name) for name in names if prefix + name in self.model_fields_set
        }


M = TypeVar("M", bound=Body)


def takes(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Returns the `openapi_extra` of a route that reads this body itself."""
    _DOCUMENTED.add(model)
    schema = {"$ref": REF_TEMPLATE.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def body_schemas() -> dict[str, Any]:
    """Returns the JSON Schemas of all documented bodies, for `components.schemas`."""
    models = sorted(_DOCUMENTED, key=lambda model: model.__name__)
    _, made = models_json_schema([(model, "validation") for model in models], ref_template=REF_TEMPLATE)
    return made.get("$defs", {})


class Problem(NamedTuple):
    """One error to correct; `where` is the path from the validating model: ("resources", 0, "slug")."""

    where: tuple[str | int, ...]
    value: Any
    problem: str


class HasErrors(Protocol):
    """A Pydantic `ValidationError`, or anything whose errors have that shape."""

    def errors(self) -> Sequence[Any]: ...


# For these kinds of error the value is the enclosing object or text.
_UNSAID_KINDS = frozenset({"missing", "json_invalid"})


def invalid_request(
    exc: HasErrors, *, skip: int = 0, unsaid: Collection[str] = (), model: Any = None
) -> InvalidRequest:
    """Converts validation errors to the refusal; `errors`: [{field, value, problem}], at most `ERRORS_MAX`. A field
    that is not known has no value. `model`: of the body, to name the field that was meant.

    `field` is a dotted path (`resources.0.seats_min`), or empty when the body as a whole is wrong. `skip`: how many
    leading parts of the path to drop (1 when paths begin with `body`, `query` or `path`). `unsaid`: fields with
    personal data, whose values are not repeated. Objects and whole bodies are not repeated either, since they may
    contain such fields.
    """
    found = exc.errors()
    errors = [_entry(each, skip=skip, unsaid=unsaid, model=model) for each in found[:ERRORS_MAX]]
    first = errors[0]
    detail = f"{first['field']}: {first['problem']}" if first["field"] else first["problem"]
    if len(found) > 1:
        detail += f" (and {len(found) - 1} more)"
    return InvalidRequest(detail, errors=errors)


def refuse(model: str, problems: Iterable[Problem]) -> None:
    """Raises a ValidationError with all the problems, each at its own path. For use inside a model's validator."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("not_allowed", "{problem}", {"problem": each.problem}),
            loc=each.where,
            input=each.value,
        )
        for each in problems
    ]
    if details:
        raise ValidationError.from_exception_data(model, details)


def _entry(error: Mapping[str, Any], *, skip: int, unsaid: Collection[str], model: Any) -> dict[str, Any]:
    kind, where = error["type"], error["loc"][skip:]
    field = ".".join(map(str, where))
    if kind == "extra_forbidden":
        meant = nearest(str(where[-1]), fields_around(model, where)) if where else ""
        return {"field": field, "problem": unknown("field", meant)}
    is_unsaid = kind in _UNSAID_KINDS or not where or where[0] in unsaid
    value = None if is_unsaid else _shown(error.get("input"))
    return {"field": field, "value": value, "problem": sentence_of(error)}


def unknown(what: str, meant: str) -> str:
    """Returns the problem of a field or parameter that is not known; `meant`: from `nearest`."""
    return f"is not a {what} here{meant or ': remove it, or check its spelling'}"


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, str):
        return value if len(value) <= VALUE_CHARS_MAX else value[:VALUE_CHARS_MAX] + "…"
    if isinstance(value, Mapping | BaseModel) or (isinstance(value, list | tuple) and _has_objects(value)):
        return None
    return _short.repr(value)


def _has_objects(values: Sequence[Any]) -> bool:
    return any(isinstance(each, Mapping | BaseModel | list | tuple) for each in values)
