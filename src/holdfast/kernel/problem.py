"""Refusals in responses: application/problem+json (RFC 9457), and the HTTP status of each kind."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Response

from holdfast.kernel.errors import HoldfastError, Kind

PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "urn:holdfast:problem:"
RETRY_AFTER_S = 1
_PATH_CHARS = "/:@!$&'()*+,;=~"
"""Characters besides letters and digits that a path may contain unescaped (RFC 3986)."""
STATUS = {
    Kind.INVALID: 400,
    Kind.UNAUTHENTICATED: 401,
    Kind.FORBIDDEN: 403,
    Kind.MISSING: 404,
    Kind.CONFLICT: 409,
    Kind.TOO_MANY: 429,
    Kind.INTERNAL: 500,
    Kind.OVERLOADED: 503,
    Kind.UNKNOWN: 504,
}


class HttpError(HoldfastError):
    """A refusal at the HTTP level, before the request reaches the domain."""

    kind = Kind.INVALID
    status: int


def status_of(error: HoldfastError | type[HoldfastError]) -> int:
    """Returns the HTTP status of a refusal or of a class of refusals."""
    return getattr(error, "status", None) or STATUS[error.kind]


def problem(error: HoldfastError, *, instance: str) -> Response:
    """Returns the refusal as application/problem+json (RFC 9457). `instance`: the decoded path of the request."""
    status = status_of(error)
    type_code = error.type_code or error.code
    content = {
        "type": PROBLEM_TYPE + type_code.lower().replace("_", "-"),
        "title": type_code.replace("_", " ").capitalize(),
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "instance": quote(instance, safe=_PATH_CHARS, errors="replace"),
        **error.fields,
    }
    response = Response(_dumps(content), status_code=status, media_type=PROBLEM_JSON)
    if status in (429, 503, 504) and error.passes_by_itself:
        response.headers["retry-after"] = str(error.fields.get("retry_after_seconds", RETRY_AFTER_S))
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    return response


def _dumps(content: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(content, default=str)
    except TypeError:
        # A repeated value that orjson can't encode: an integer of more than 64 bits, or a lone surrogate.
        return json.dumps(content, default=str, ensure_ascii=False).encode("utf-8", "replace")
