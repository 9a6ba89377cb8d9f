"""The OpenAPI document: what FastAPI derives from the routes, with our errors in place of its own.

And the pages to read it and to try the API, with everything they need: nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import RedirectResponse
from starlette.staticfiles import StaticFiles

from holdfast.kernel.body import body_schemas
from holdfast.kernel.http import PROBLEM_JSON, RETRY_AFTER_S

TITLE = "Holdfast"
DESCRIPTION = """One booking engine for tables, lanes, rooms and sections that never books twice.

Instants are RFC 3339 with an offset, money is a decimal string beside its currency, ids are UUIDs.
Lists have `items` and `next`, the cursor of the next page. Unknown fields are refused. A change says which
version it saw, as `expected_version` or in `If-Match`. What can't be done is answered with a problem
(RFC 9457), whose `code` is for programs and whose `detail` says what would be right."""

TAGS = [
    {"name": "Venues", "description": "Places with their opening hours, rules and resources."},
    {"name": "Bookings", "description": "Reservations: asking, holding, confirming, changing, cancelling."},
    {
        "name": "Series",
        "description": "Bookings that repeat: looked at, made, changed and cancelled together.",
    },
    {"name": "Waitlist", "description": "Queueing for what is taken; offers, which really hold a place."},
    {"name": "Blocks", "description": "Time off the inventory, once or again and again. For staff."},
    {"name": "Live", "description": "What changes, as it changes: snapshots and streams."},
    {
        "name": "Events",
        "description": "What happened, in the order of commits, and what failed because of it.",
    },
    {"name": "Operations", "description": "For whoever runs the service: health and metrics."},
]
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the configured issuer. Without one, only what is public is answered.",
}
# Asked with or without a token: what is public needs none.
SECURITY = [{}, {"bearer": []}]

REFUSALS = {
    "400": "Malformed, out of range, or against a rule of the venue.",
    "401": "The token is not valid, or one is needed.",
    "403": "The token's roles do not allow this.",
    "404": "There is no such thing, or it is not yours to see.",
    "409": "It is taken, was changed meanwhile, or the idempotency key was used for something else.",
    "429": "Too many at once.",
    "503": "It can't be taken right now, and nothing was done. Ask again with the same idempotency key.",
    "504": "The database's answer was lost: it was done or not. Ask again with the same idempotency key.",
}
TOO_LONG = "The body is longer than 256 KiB."

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "Why it was not done (RFC 9457). Some codes bring fields that say what would be right.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "The same for all problems of a kind."},
        "title": {"type": "string", "description": "The kind, in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was wrong, and what would be right."},
        "code": {"type": "string", "examples": ["INVALID_REQUEST", "TABLE_NOT_AVAILABLE"]},
        "instance": {"type": "string", "format": "uri-reference", "description": "The path that was asked."},
        "errors": {
            "type": "array",
            "description": "With INVALID_REQUEST: one entry for each thing to put right.",
            "items": {
                "type": "object",
                "required": ["field", "value", "problem"],
                "properties": {
                    "field": {"type": "string", "description": "Dotted path, such as `resources.0.slug`."},
                    "value": {"description": "What was sent."},
                    "problem": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}
_RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer"}, "description": f"Seconds; {RETRY_AFTER_S} or more."}
}
# Headers that stand in place of a field, by that field.
_HEADERS = {
    "expected_version": {
        "name": "If-Match",
        "in": "header",
        "description": "The version that was seen, as the ETag had it; in place of `expected_version`.",
        "schema": {"type": "string", "pattern": '^(W/)?"?[0-9]{1,9}"?$', "examples": ['"3"']},
    },
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key again gets the answer of the first time; in place of `idempotency_key`.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}
_FRAMEWORK_SCHEMAS = ("HTTPValidationError", "ValidationError")
ASSETS = "docs/assets"


def document(app: FastAPI) -> dict[str, Any]:
    """The document of the application."""
    made = get_openapi(
        title=TITLE, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
    )
    parts = made.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas.update(body_schemas())
    for path, operation in _operations(made):
        _put_refusals(operation, of_api=path.startswith("/api/"))
        _put_headers(operation, schemas)
    for name in _FRAMEWORK_SCHEMAS:
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    parts["securitySchemes"] = {"bearer": BEARER}
    made["security"] = SECURITY
    return made


def _operations(made: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in made.get("paths", {}).items():
        for part in item.values():
            if isinstance(part, dict) and "responses" in part:
                yield path, part


def _put_refusals(operation: dict[str, Any], *, of_api: bool) -> None:
    responses = operation["responses"]
    if "HTTPValidationError" in str(responses.get("422", {}).get("content")):
        del responses["422"]
    refusals = dict(REFUSALS) if of_api else {}
    if "requestBody" in operation:
        refusals["413"] = TOO_LONG
    for status, description in refusals.items():
        responses.setdefault(status, problem_response(status, description))


def _put_headers(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    parameters = operation.get("parameters", [])
    fields = {each["name"] for each in parameters} | _fields_of_body(operation, schemas)
    headers = [header for field, header in _HEADERS.items() if field in fields]
    if headers:
        operation["parameters"] = parameters + headers


def _fields_of_body(operation: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {})
    named = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
    return set(schemas.get(named, {}).get("properties", {}))


def problem_response(status: str, description: str) -> dict[str, Any]:
    """A response of the document that is a problem."""
    response: dict[str, Any] = {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return response | ({"headers": _RETRY_AFTER} if status in ("429", "503", "504") else {})


def serve_docs(app: FastAPI) -> None:
    """Adds /docs and its files, and leads there from /."""
    page = get_swagger_ui_html(
        # Relative, so that it also works behind a proxy that puts the service under a path.
        openapi_url="openapi.json",
        title=f"{TITLE} API",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
        swagger_ui_parameters={"filter": True, "persistAuthorization": False, "docExpansion": "none"},
    ).body

    async def get_docs() -> Response:
        return Response(bytes(page), media_type="text/html")

    async def get_root() -> Response:
        return RedirectResponse("docs")

    app.add_api_route("/docs", get_docs, include_in_schema=False)
    app.add_api_route("/", get_root, include_in_schema=False)
    # Only the files of that package are used.
    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs assets")
