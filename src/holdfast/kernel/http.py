"""What all routes share: the caller, the body, instants in it, the version that was seen, what makes two changes the
same, and how responses are written."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.requests import HTTPConnection
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ValidationError

from holdfast.kernel.actor import Actor
from holdfast.kernel.body import ERRORS_MAX, Body, invalid_request, unknown
from holdfast.kernel.db.idempotency import DONE, Keyed, Reply, StoredRefusal
from holdfast.kernel.encode import encode
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.value import value
from holdfast.kernel.words.sentences import nearest

M = TypeVar("M", bound=Body)
E = TypeVar("E")
JSON = "application/json"
KEY_CHARS_MAX = 255
INSTANT = "2026-12-24T18:00:00+01:00"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
NAME_CHARS_MAX = 40
"""Longer names of unknown query parameters are truncated."""


def answer(value: Any, *, status: int = 200, version: int | None = None) -> Response:
    """Returns a JSON response with the version as its ETag. `value`: bytes must be encoded JSON already."""
    body = value if isinstance(value, bytes) else encode(value)
    response = Response(body, status_code=status, media_type=JSON)
    if version is not None:
        response.headers["etag"] = f'"{version}"'
    return response


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

    @property
    def model_fields_set(self) -> set[str]: ...


class KeyScope(Protocol):
    """A venue, as far as a key is concerned: the tenant in which the key is unique, and for how long it is stored."""

    @property
    def tenant_id(self) -> UUID: ...

    @property
    def policy(self) -> _Rules: ...


@value()
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
        return request_hash(self.actor, about.encode() + meaning(body))

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


def meaning(body: KeyedBody) -> bytes:
    """Returns what the request says, without its idempotency key, as JSON with sorted keys.

    The same bytes for the same request: an instant is in UTC, an id in lower case, however the client wrote it.
    """
    said = {name: getattr(body, name) for name in body.model_fields_set if name != "idempotency_key"}
    return orjson.dumps(said, default=_said, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def _said(part: Any) -> dict[str, Any]:
    if isinstance(part, BaseModel):
        return part.model_dump(exclude_unset=True)
    raise TypeError(f"{type(part).__name__} has no JSON")


def request_hash(actor: Actor, request: bytes) -> bytes:
    """Returns the SHA-256 of actor and request, so that nobody can read a reply with somebody else's key."""
    return hashlib.sha256(str(actor).encode() + b"\0" + request).digest()


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


def _rfc_3339(value: Any) -> Any:
    # Pydantic alone would also take digits as seconds since 1970, and other forms of ISO 8601.
    if isinstance(value, datetime):
        return value
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be an instant in RFC 3339 such as '{INSTANT}'")
    if found[3] is None:
        raise ValueError(f"must have its offset from UTC, as in '{INSTANT}', or end in Z")
    try:
        return datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("must be a date, a time and an offset that exist") from None


def whole_minute(value: datetime) -> datetime:
    """Returns the instant in UTC. Raises ValueError if it has seconds or fractions of them."""
    if value.second or value.microsecond:
        raise ValueError("must be a whole minute, with seconds of 00")
    return value.astimezone(UTC)


InstantText = Annotated[AwareDatetime, BeforeValidator(_rfc_3339, json_schema_input_type=AwareDatetime)]
"""An instant in a request: RFC 3339, with the offset that it was written with."""
