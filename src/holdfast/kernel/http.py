"""What all routes share: the caller, the body, the version that was seen, what makes two changes the same, and how
responses and errors are written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Generic, Protocol, TypeVar
from urllib.parse import quote
from uuid import UUID

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.requests import HTTPConnection
from pydantic import ValidationError

from holdfast.kernel.actor import Actor
from holdfast.kernel.body import ERRORS_MAX, Body, invalid_request, unknown
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import HoldfastError, InvalidRequest, Kind
from holdfast.kernel.idempotency import DONE, Keyed, Reply, StoredRefusal, request_hash
from holdfast.kernel.words.sentences import nearest

M = TypeVar("M", bound=Body)
E = TypeVar("E")
JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
KEY_CHARS_MAX = 255
NAME_CHARS_MAX = 40
"""Longer names of unknown query parameters are truncated."""
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


async def only_known_parameters(connection: HTTPConnection) -> None:
    """A dependency of routes: raises InvalidRequest if the request has query parameters that the route does not have.

    Expects `parameters_of` on the application's state. WebSockets are left alone: a browser could not read the refusal.
    """
    scope = connection.scope
    if scope["type"] != "http" or not scope["query_string"]:
        return
    known = scope["app"].state.parameters[scope["endpoint"]]
    unknown_names = [name[:NAME_CHARS_MAX] for name in connection.query_params if name not in known]
    if unknown_names:
        errors = [
            {"field": name, "problem": unknown("query parameter", nearest(name, known))}
            for name in unknown_names[:ERRORS_MAX]
        ]
        raise InvalidRequest(f"{errors[0]['field']}: {errors[0]['problem']}", errors=errors)


def json_body(model: type[Body]) -> Any:
    """Returns a dependency that parses the body: `body: Annotated[CreateBlock, json_body(CreateBlock)]`."""
    return Depends(partial(_read_body, model))


async def _read_body(model: type[M], request: Request) -> M:
    return parse(await request.body(), model)


def model_read_by(dependency: Any) -> type[Body] | None:
    """Returns the model of a `json_body` dependency; None for any other."""
    is_body = isinstance(dependency, partial) and dependency.func is _read_body
    return dependency.args[0] if is_body else None


def if_match(request: Request) -> int | None:
    """Returns the version in `If-Match` (RFC 9110, 13.1.1), or None without one. Raises InvalidRequest.

    The ETag of a venue's document has more after a dot, which only an import compares.
    """
    header = request.headers.get("if-match")
    if header is None:
        return None
    version, dot, more = header.strip().removeprefix("W/").strip('"').partition(".")
    if dot and not (more.isascii() and more.isdigit()):
        version = ""
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise InvalidRequest.of("If-Match", header[:40], 'give the version as the ETag had it, such as "3"')
    return int(version)


def required_version(expected_version: int | None, header: int | None) -> int:
    """Returns the version from the body or the header; one is required and both must agree. Raises InvalidRequest."""
    version = seen_version(expected_version, header)
    if version is None:
        raise InvalidRequest.of(
            "expected_version", None, "is required (or If-Match): the version of the object you saw"
        )
    return version


def seen_version(expected_version: int | None, header: int | None) -> int | None:
    """Returns the version from the body or the header, which must agree; None if there is none. Raises
    InvalidRequest."""
    if None not in (expected_version, header) and expected_version != header:
        raise InvalidRequest.of(
            "expected_version", expected_version, f"differs from If-Match, {header}: give one of them"
        )
    return header if expected_version is None else expected_version


def parse(raw: bytes, model: type[M]) -> M:
    """Parses and validates JSON strictly. Raises InvalidRequest."""
    try:
        return model.model_validate_json(raw or b"{}", strict=True)
    except ValidationError as error:
        raise invalid_request(error, unsaid=model.unsaid, model=model) from error


class _Rules(Protocol):
    @property
    def idempotency_ttl_hours(self) -> int: ...


class KeyedBody(Protocol):
    """A body that may have the idempotency key."""

    @property
    def idempotency_key(self) -> str | None: ...

    def meant(self) -> bytes: ...


class KeyScope(Protocol):
    """A venue, as far as a key is concerned: the tenant in which the key is unique, and for how long it is stored."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def policy(self) -> _Rules: ...


@dataclass(frozen=True, slots=True)
class ChangeRequest(Generic[E]):
    """A request to change something.

    `engine`: this process's engine, which runs the change. `header`: `Idempotency-Key` as it was sent, bare or quoted;
    a field of the body may give the key instead. Key and what the body means decide whether two requests are the same.
    """

    engine: E
    actor: Actor
    traceparent: str | None
    header: str | None
    body: bytes

    def key(self, field: str | None) -> str | None:
        """Returns the idempotency key, if there is one. `field`: the key in the body. Raises InvalidRequest."""
        if self.header is None:
            return field
        key = self.header.strip()
        if len(key) >= 2 and key[0] == key[-1] == '"':
            key = key[1:-1]
        if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isprintable():
            raise InvalidRequest.of(
                "Idempotency-Key", self.header[:40], f"must be 1 to {KEY_CHARS_MAX} printable characters"
            )
        if field is not None and field != key:
            raise InvalidRequest.of(
                "idempotency_key", field[:40], "differs from the header Idempotency-Key: give one of them"
            )
        return key

    def hash(self, body: KeyedBody, about: str) -> bytes:
        """Returns a hash of what the request means, which does not depend on the key or on how the JSON is written.

        `about`: what else is part of the request, such as its path.
        """
        return request_hash(self.actor, about.encode() + body.meant())

    def keyed(self, scope: KeyScope, operation: str, body: KeyedBody, *, about: str = "") -> Keyed | None:
        """Returns the key with its scope and the request's hash, if there is a key. Raises InvalidRequest."""
        key = self.key(body.idempotency_key)
        if key is None:
            return None
        return Keyed(
            tenant_id=scope.tenant_id,
            operation=operation,
            key=key,
            request_hash=self.hash(body, about),
            ttl_hours=scope.policy.idempotency_ttl_hours,
        )


async def change_request(request: Request) -> ChangeRequest[Any]:
    """Reads the request; for a dependency too."""
    state, header = request.state, request.headers.get("idempotency-key")
    engine = request.app.state.engine
    return ChangeRequest(engine, state.actor, state.traceparent, header, await request.body())


def show_reply(reply: Reply, *, status: int = 200) -> Response:
    """Returns the reply as the response, whether it is new or stored. Raises StoredRefusal."""
    if reply.code != DONE:
        raise StoredRefusal(reply)
    return answer(reply.body.encode(), status=status, version=orjson.loads(reply.body)["version"])
