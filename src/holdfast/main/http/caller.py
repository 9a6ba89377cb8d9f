"""What the request headers say: the caller, the request id and the trace."""

from __future__ import annotations

import random
import re
import time
from functools import lru_cache

from holdfast.identity.roles import actor_of
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.actor import ANONYMOUS, Actor
from holdfast.kernel.errors import Unauthenticated
from holdfast.place.places import Places

ACTORS_KEPT_MAX = 8192

# The verifier returns the same claims object for the same token, so each actor is built once.
_actor_of = lru_cache(ACTORS_KEPT_MAX)(actor_of)

REQUEST_ID_CHARS_MAX = 128
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,%d}" % REQUEST_ID_CHARS_MAX)
# W3C Trace Context, 3.2: version ff and all-zero ids are invalid; only later versions may have further parts.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


async def caller(header: bytes | None, *, verifier: TokenVerifier, places: Places) -> Actor:
    """Returns the actor who bears the token; anonymous without a header.

    Raises `Unauthenticated` for a header that is not a bearer token, an invalid token, or one for an unknown tenant;
    `Overloaded` when the tenant can't be looked up.
    """
    if header is None:
        return ANONYMOUS
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must read: Bearer <token>.")
    return (await bearer(token.strip(), verifier=verifier, places=places))[0]


async def bearer(token: str, *, verifier: TokenVerifier, places: Places) -> tuple[Actor, float]:
    """Returns the actor of a token, and when the token expires (seconds since 1970). Raises the same as `caller`."""
    claims = await verifier.authenticate(token, time.time())
    if claims.tenant is None:
        return _actor_of(claims, None), claims.expires_at
    tenant_id = await places.tenant_id(claims.tenant)
    if tenant_id is None:
        raise Unauthenticated("The token's tenant does not exist here.")
    return _actor_of(claims, tenant_id), claims.expires_at


def request_id(header: bytes | None) -> str:
    """Returns the caller's id if it is valid (up to 128 plain characters), otherwise a new one (32 hex digits)."""
    if header is not None and _REQUEST_ID.fullmatch(header):
        return header.decode("ascii")
    return f"{random.getrandbits(128):032x}"  # an identifier, not a secret


def traceparent(header: bytes | None) -> str | None:
    """Returns the header in the format of version 00 of the standard; None if it is missing or invalid."""
    found = _TRACEPARENT.fullmatch(header) if header is not None else None
    if found is None or (found[1] == b"00" and found[5] is not None):
        return None
    return b"-".join((b"00", found[2], found[3], found[4])).decode("ascii")


def trace_id(parent: str) -> str:
    """Returns the 32 hex digits shared by all spans of a trace."""
    return parent[3:35]
