"""Complete responses as bytes, for errors on a connection that has no valid request."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from holdfast.kernel.errors import HoldfastError, InvalidRequest
from holdfast.kernel.problem import problem
from holdfast.main.http.refusals import RequestTimeout, TooManyConnections


def _whole(refusal: HoldfastError) -> bytes:
    response = problem(refusal, instance="/")
    response.headers["connection"] = "close"
    lines = [name + b": " + value + b"\r\n" for name, value in response.raw_headers]
    return b"".join([STATUS_LINE[response.status_code], *lines, b"\r\n", bytes(response.body)])


MALFORMED = _whole(InvalidRequest("This is not an HTTP/1.1 request (RFC 9112)."))
TOO_SLOW = _whole(RequestTimeout())
TOO_MANY = _whole(TooManyConnections())
TOO_LARGE = STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n"
