"""What all routes share: the caller, the body, paging, versions, and how responses and errors are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import quote
from uuid import UUID

import orjson
from fastapi import Depends, Query, Request, Response

from holdfast.kernel.actor import Actor
from holdfast.kernel.body import Body, parse
from holdfast.kernel.db.keyset import Keyset
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind

M = TypeVar("M", bound=Body)
T = TypeVar("T")
K = TypeVar("K")

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE = "urn:holdfast:problem:"
LIMIT_DEFAULT = 50
LIMIT_MAX = 500
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


def answer(value: Any, *, status: int = 200, version: int | None = None) -> Response:
    """Returns a JSON response with the version as its ETag. `value`: bytes must be encoded JSON already."""
    body = value if isinstance(value, bytes) else encode(value)
    response = Response(body, status_code=status, media_type=JSON)
    if version is not None:
        response.headers["etag"] = f'"{version}"'
    return response


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
    if status in (429, 503, 504):
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


async def _actor(request: Request) -> Actor:
    return request.state.actor


async def _expected_version(request: Request) -> int | None:
    return if_match(request)


Caller = Annotated[Actor, Depends(_actor)]
IfMatch = Annotated[int | None, Depends(_expected_version)]
SeenVersion = Annotated[
    int | None,
    Query(ge=1, le=2**31 - 1, description="The version that was seen; needed unless If-Match says it."),
]
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Maximum number of items.")]
Cursor = Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")]


def json_body(model: type[Body]) -> Any:
    """Returns a dependency that parses the body: `body: Annotated[CreateBlock, json_body(CreateBlock)]`."""
    return Depends(partial(_read_body, model))


async def _read_body(model: type[M], request: Request) -> M:
    return parse(await request.body(), model)


def model_read_by(dependency: Any) -> type[Body] | None:
    """Returns the model of a `json_body` dependency; None for any other."""
    is_body = isinstance(dependency, partial) and dependency.func is _read_body
    return dependency.args[0] if is_body else None


@dataclass(frozen=True, slots=True)
class Page:
    """The requested page of a list: up to `limit` items after `cursor`."""

    limit: int
    cursor: str | None

    @property
    def read_max(self) -> int:
        """How many items to read: one more than the page holds tells whether there is a next page."""
        return self.limit + 1

    def after(self, order: Keyset[K]) -> K | None:
        """Returns the key that the page starts after; None for the first page. Raises InvalidRequest."""
        return order.key(self.cursor)

    def answer(
        self, found: Sequence[T], show: Callable[[T], Any], order: Keyset[K], key: Callable[[T], K]
    ) -> Response:
        """Returns the page as JSON. `found`: up to `read_max` items after the cursor. `key`: an item's sort key."""
        items, following = order.page(found, key, limit=self.limit)
        return answer({"items": [show(each) for each in items], "next": following})


BY_ID: Keyset[UUID] = Keyset(UUID)
"""Lists sorted by id, that is by time of creation."""


async def _page(limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> Page:
    return Page(limit, cursor)


AskedPage = Annotated[Page, Depends(_page)]


def if_match(request: Request) -> int | None:
    """Returns the version in `If-Match` (RFC 9110, 13.1.1), or None without one. Raises InvalidRequest."""
    header = request.headers.get("if-match")
    if header is None:
        return None
    version = header.strip().removeprefix("W/").strip('"')
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise InvalidRequest.of("If-Match", header[:40], 'give the version as the ETag had it, such as "3"')
    return int(version)


def required_version(expected_version: int | None, header: int | None) -> int:
    """Returns the version from the body or the header; one is required and both must agree. Raises InvalidRequest."""
    if None not in (expected_version, header) and expected_version != header:
        raise InvalidRequest.of(
            "expected_version", expected_version, f"differs from If-Match, {header}: give one of them"
        )
    version = header if expected_version is None else expected_version
    if version is None:
        raise InvalidRequest.of(
            "expected_version", None, "is required (or If-Match): the version of the object you saw"
        )
    return version
