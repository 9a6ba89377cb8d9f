"""What the headers of a request say of it: whose it is, its id, and the trace it belongs to."""

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

# The verifier gives the same claims for the same token, so that its bearer is worked out once.
_actor_of = lru_cache(ACTORS_KEPT_MAX)(actor_of)

REQUEST_ID_CHARS_MAX = 128
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,%d}" % REQUEST_ID_CHARS_MAX)
# W3C Trace Context, 3.2: version ff and all-zero ids are invalid; only later versions may have more parts.
_TRACEPARENT = re.compile(
    rb"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)


async def caller(header: bytes | None, *, verifier: TokenVerifier, places: Places) -> Actor:
    """Who the bearer of the token is; anonymous without a header.

    Raises `Unauthenticated` for a header that is no bearer token, a token that is not valid, or one of
    a tenant that is not here; `Overloaded` when the tenant can't be looked up.
    """
    if header is None:
        return ANONYMOUS
    scheme, _, token = header.decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must read: Bearer <token>.")
    return (await bearer(token.strip(), verifier=verifier, places=places))[0]


async def bearer(token: str, *, verifier: TokenVerifier, places: Places) -> tuple[Actor, float]:
    """The bearer of a token, and when it ends (seconds since 1970). Raises as `caller`."""
    claims = await verifier.authenticate(token, time.time())
    if claims.tenant is None:
        return _actor_of(claims, None), claims.expires_at
    tenant_id = await places.tenant_id(claims.tenant)
    if tenant_id is None:
        raise Unauthenticated("The token's tenant does not exist here.")
    return _actor_of(claims, tenant_id), claims.expires_at


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
