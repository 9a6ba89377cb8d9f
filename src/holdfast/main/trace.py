"""Names of a request: its id, and the trace it belongs to."""

from __future__ import annotations

import random
import re

REQUEST_ID_CHARS_MAX = 128

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,%d}" % REQUEST_ID_CHARS_MAX)
# W3C Trace Context, 3.2: version ff and all-zero ids are invalid; only later versions may have more parts.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


def request_id(header: bytes | None) -> str:
    """The caller's id, if it is a plain token of up to 128 characters, or else a new one (32 hex digits)."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # a name, not a secret


def traceparent(header: bytes | None) -> str | None:
    """The header as version 00 of the standard writes it, None when there is none or it is invalid."""
    found = _TRACEPARENT.fullmatch(header) if header is not None else None
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    return b"-".join((b"00", found[2], found[3], found[4])).decode("ascii")


def trace_id(parent: str) -> str:
    """The 32 hex digits that all spans of a trace share."""
    return parent[3:35]
