"""One JSON document over HTTP, with every wait and size bounded."""

from __future__ import annotations

import json
import time
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

BYTES_MAX = 256 * 1024
CHUNK_BYTES = 16 * 1024


class Unreachable(Exception):
    """A document could not be had; the text says why."""


class _SameOrigin(HTTPRedirectHandler):
    """Follows redirects within one origin: elsewhere an open redirect would choose our keys."""

    max_redirections = 3

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            fp.close()
            raise Unreachable("it redirects to another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_json(url: str, *, timeout_s: float) -> Any:
    """The parsed document, at most 256 KiB; blocks for about `timeout_s` at most.

    Raises `Unreachable`. The address must have been checked: this opens what it is given.
    """
    deadline = time.monotonic() + timeout_s
    request = Request(url, headers={"Accept": "application/json"})
    try:
        with build_opener(_SameOrigin).open(request, timeout=timeout_s) as response:
            return json.loads(_read(response, deadline))
    except HTTPError as error:
        error.close()
        raise Unreachable(f"it answers {error.code}") from None
    except (OSError, HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    except (ValueError, RecursionError):
        raise Unreachable("it does not answer with JSON") from None


def _read(response: Any, deadline: float) -> bytes:
    # The socket's timeout is for each read: a sender of single bytes needs a deadline of its own.
    body = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        body += chunk
        if len(body) > BYTES_MAX:
            raise Unreachable(f"its answer is longer than {BYTES_MAX} bytes")
        if time.monotonic() > deadline:
            raise Unreachable("it answers too slowly")
    return bytes(body)
