"""Refusals in the OpenAPI document: one schema for all, with all codes, and the responses that have it."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from pydantic.json_schema import models_json_schema

from holdfast.booking.routes.shown import Conflict, SlotShown
from holdfast.kernel.body import REF_TEMPLATE
from holdfast.kernel.errors import refusals
from holdfast.kernel.problem import PROBLEM_JSON, RETRY_AFTER_S, status_of

Json = dict[str, Any]

REFUSALS = {
    "400": "Malformed, out of range, or against a rule of the venue.",
    "401": "A valid token is needed.",
    "403": "The token's roles do not allow this.",
    "404": "It does not exist, or you may not see it.",
    "409": "It is taken, somebody else changed it, or the idempotency key was used for another request.",
    "429": "Too many requests or connections at once.",
    "503": "Overloaded, and nothing was done. Retry with the same idempotency key.",
    "504": "The database's answer was lost: the outcome is unknown. Retry with the same idempotency key.",
}
TOO_LONG = "The body is longer than 256 KiB."

# Models of other responses, whose `code` is of a refusal too.
_WITH_A_CODE = ("ProblemShown",)


def _codes() -> Json:
    found = [(status_of(refusal), code) for code, refusal in refusals().items()]
    return {
        "type": "string",
        "title": "ProblemCode",
        "description": "The kind of a refusal, for programs. New ones may be added.",
        "enum": [code for _, code in sorted(found)],
    }


def _ref(name: str) -> Json:
    return {"$ref": REF_TEMPLATE.format(model=name)}


def _list_of(items: Json, description: str) -> Json:
    return {"type": "array", "items": items, "description": description}


_WRONG_FIELD = {
    "type": "object",
    "title": "WrongField",
    "description": "One thing to put right in a request.",
    "required": ["field", "problem"],
    "properties": {
        "field": {"type": "string", "description": "Dotted path, such as `resources.0.slug`."},
        "value": {"description": "What was sent; missing for a field that is not known."},
        "problem": {"type": "string"},
    },
}
_PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Why the request failed (RFC 9457). Some codes add fields that say what would be right.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Identifies the kind of problem."},
        "title": {"type": "string", "description": "The kind, in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was wrong, and what would be right."},
        "code": _ref("ProblemCode"),
        "instance": {"type": "string", "format": "uri-reference", "description": "The path of the request."},
        "errors": _list_of(_ref("WrongField"), "With INVALID_REQUEST: one entry for each error."),
        "current_version": {
            "type": "integer",
            "description": "With VERSION_CONFLICT: the version it has now.",
        },
        "conflicts": _list_of(_ref("Conflict"), "With ..._NOT_AVAILABLE: what is in the way."),
        "suggested_slots": _list_of(_ref("SlotShown"), "With ..._NOT_AVAILABLE: what is free instead."),
        "can_join_waitlist": {
            "type": "boolean",
            "description": "With ..._NOT_AVAILABLE: whether the venue has a waitlist.",
        },
        "rule_exceeded": {
            "type": "object",
            "additionalProperties": True,
            "description": "With PACING_EXCEEDED and QUOTA_EXCEEDED: the rule of the venue's policy.",
        },
        "bound": {"type": "string", "description": "With QUOTA_EXCEEDED: the name of the bound in the rule."},
        "used": {"type": "number", "description": "With QUOTA_EXCEEDED: what is used of it already."},
        "allowed": _list_of({"type": "string"}, "With INVALID_TRANSITION: where it can go."),
        "needed_roles": _list_of({"type": "string"}, "With FORBIDDEN: the roles that may do it."),
    },
    "additionalProperties": True,
}
_RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer"}, "description": f"Seconds; {RETRY_AFTER_S} or more."}
}


def put_problem(schemas: Json) -> None:
    """Adds the schema of all problems, and those it refers to."""
    _, parts = models_json_schema(
        [(Conflict, "validation"), (SlotShown, "validation")], ref_template=REF_TEMPLATE
    )
    schemas |= parts["$defs"]
    schemas |= {"Problem": deepcopy(_PROBLEM), "ProblemCode": _codes(), "WrongField": deepcopy(_WRONG_FIELD)}
    for name in schemas.keys() & set(_WITH_A_CODE):
        schemas[name]["properties"]["code"] = _ref("ProblemCode")


def put_refusals(operation: Json, *, of_api: bool) -> None:
    """Adds the responses of refusals to the operation."""
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", {}).get("content")):
        del responses["422"]
    added = dict(REFUSALS) if of_api else {}
    if "requestBody" in operation:
        added["413"] = TOO_LONG
    for status, description in added.items():
        responses.setdefault(status, _response(status, description))


def _response(status: str, description: str) -> Json:
    response: Json = {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": _ref("Problem")}},
    }
    return response | ({"headers": _RETRY_AFTER} if status in ("429", "503", "504") else {})
