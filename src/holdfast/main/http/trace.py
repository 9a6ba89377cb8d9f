"""What clients send so that they find a request in the logs: its id and its trace."""

from __future__ import annotations

import re

REQUEST_ID_CHARS_MAX = 128
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,%d}" % REQUEST_ID_CHARS_MAX)
# W3C Trace Context, 3.2: version ff and all-zero ids are invalid; only later versions may have further parts.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


def request_id(header: bytes) -> str | None:
    """Returns the client's id if it is valid (up to 128 plain characters), otherwise None."""
    return header.decode("ascii") if _REQUEST_ID.fullmatch(header) else None


def traceparent(header: bytes) -> str | None:
    """Returns the header in the format of version 00 of the standard; None if it is invalid."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    return b"-".join((b"00", found[2], found[3], found[4])).decode("ascii")


def trace_id(parent: str) -> str:
    """Returns the 32 hex digits shared by all spans of a trace."""
    return parent[3:35]
