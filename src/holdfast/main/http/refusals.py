"""Turns every refusal and every malformed request into a problem (RFC 9457). Nothing else does.

No request body may be longer than 256 KiB, with or without a Content-Length.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from holdfast.kernel.body import invalid_request
from holdfast.kernel.errors import Forbidden, HoldfastError, InvalidRequest, Kind, NotFound, Unauthenticated
from holdfast.kernel.failure import InternalError
from holdfast.kernel.problem import HttpError, problem

Handler = Callable[[Request, Any], Awaitable[Response]]

BODY_BYTES_MAX = 256 * 1024


class MethodNotAllowed(HttpError):
    """This path does not support that method; the Allow header lists the methods it supports."""

    code = "METHOD_NOT_ALLOWED"
    status = 405


class PayloadTooLarge(HttpError):
    """A request body must not be longer than 262144 bytes (256 KiB)."""

    code = "PAYLOAD_TOO_LARGE"
    status = 413


class RequestTimeout(HttpError):
    """The request took too long to arrive: its head has 10 s, its body 30 s."""

    code = "REQUEST_TIMEOUT"
    status = 408


class TooManyConnections(HoldfastError):
    """Your address has too many open connections: close some, or send several requests over one."""

    kind = Kind.TOO_MANY
    code = "RATE_LIMITED"


_BY_STATUS: dict[int, type[HoldfastError]] = {
    401: Unauthenticated,
    403: Forbidden,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
}


def answer_refusals(app: FastAPI) -> None:
    """Makes the application answer all errors with problems."""
    handlers: dict[type[Exception], Handler] = {
        HoldfastError: _refused,
        RequestValidationError: _malformed,
        HTTPException: _by_framework,
        Exception: _failed,
    }
    app.exception_handlers.update(handlers)


async def _refused(request: Request, refusal: HoldfastError) -> Response:
    request.state.about.code = refusal.code
    return problem(refusal, instance=request.scope["path"])


async def _failed(request: Request, _error: Exception) -> Response:
    # The middleware logs it: the framework raises it again after this response.
    return await _refused(request, InternalError(request_id=request.state.request_id))


async def _malformed(request: Request, error: RequestValidationError) -> Response:
    return await _refused(
        request, _body_problem(error) or invalid_request(error, skip=1, model=_body_model(request))
    )


def _body_model(request: Request) -> Any:
    params = request.scope["route"].dependant.body_params
    return params[0].field_info.annotation if params else None


def _body_problem(error: RequestValidationError) -> InvalidRequest | None:
    """Returns a plainer message if the body as a whole is wrong, otherwise None."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return InvalidRequest.of(
            "body", None, f"is not JSON: {first['ctx']['error']} (at {first['loc'][-1]})"
        )
    if first["loc"] == ("body",) and isinstance(error.body, bytes):
        return InvalidRequest.of("body", None, "send JSON, with the header Content-Type: application/json")
    if first["loc"] == ("body",) and first["type"] == "missing":
        return InvalidRequest.of("body", None, "is required: a JSON object")
    return None


async def _by_framework(request: Request, error: HTTPException) -> Response:
    # Raised while the body was read: the framework turns any such error into a 400.
    if isinstance(error.__cause__, HoldfastError):
        return await _refused(request, error.__cause__)
    response = await _refused(request, _refusal_of(error, request))
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    if error.status_code == 405:
        response.headers["allow"] = ", ".join(sorted(_methods_at(request)))
    return response


def _methods_at(request: Request) -> set[str]:
    """Returns the methods of all routes with the matched path; the framework lists only those of the first."""
    routes = [route for route in iter_route_contexts(request.app.routes) if route.methods]
    matched = next((each for each in routes if each.path_regex.match(request.scope["path"])), None)
    found = [each.methods or () for each in routes if matched and each.path == matched.path]
    return {method for methods in found for method in methods}


def _refusal_of(error: HTTPException, request: Request) -> HoldfastError:
    if error.status_code == 404:
        return NotFound("There is nothing at this path; see /docs for what there is.")
    if error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code]()
    if error.status_code < 500:
        return InvalidRequest.of("body", None, "can't be read: send JSON in UTF-8")
    return InternalError(request_id=request.state.request_id)


def parameters_of(app: FastAPI) -> dict[Any, frozenset[str]]:
    """Returns the names of each route's query parameters, by the `endpoint` in a matched scope."""
    found: dict[Any, frozenset[str]] = {}
    for route in iter_route_contexts(app.routes):
        dependant = getattr(route, "dependant", None)  # the framework's own routes have none
        if dependant is not None:
            found[route.endpoint] = frozenset(_query_names(dependant))
    return found


def _query_names(dependant: Any) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for each in dependant.dependencies:
        yield from _query_names(each)


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: HoldfastError) -> None:
    """Responds with a refusal that was raised outside of the framework."""
    scope["state"]["about"].code = refusal.code
    response = problem(refusal, instance=scope["path"])
    if refusal.code == "PAYLOAD_TOO_LARGE":
        # The rest of the body is not read, so the connection can't be reused.
        response.headers["connection"] = "close"
    await response(scope, receive, send)


def counting(receive: Receive) -> Receive:
    """Returns a `receive` that raises PayloadTooLarge when the body gets too long."""
    left = BODY_BYTES_MAX

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise PayloadTooLarge
        return message

    return counted
