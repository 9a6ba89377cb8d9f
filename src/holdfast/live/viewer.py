"""Who wants to listen. Browsers can't send headers with an EventSource or a WebSocket: these two paths also take
the token from the address."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from holdfast.identity.roles import anonymous
from holdfast.kernel.actor import Actor
from holdfast.kernel.errors import Forbidden, InvalidRequest, Unauthenticated

TOKEN = "access_token"
ANONYMOUS = anonymous()

Identify = Callable[[str], Awaitable[tuple[Actor, float]]]
"""The bearer of a token, and when it ends (seconds since 1970). Raises Unauthenticated, Overloaded."""


def take_token(scope: Any) -> str | None:
    """The token of the request, from its header or its address; there it is removed, so that nobody logs it.

    Raises InvalidRequest for more than one, Unauthenticated for a header that is none of a bearer.
    """
    asked = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    given = [value for name, value in asked if name == TOKEN]
    if given:
        scope["query_string"] = urlencode([each for each in asked if each[0] != TOKEN]).encode("ascii")
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("The Authorization header must read: Bearer <token>.")
            given.append(token.strip())
    if len(given) > 1:
        raise InvalidRequest(f"Send one token: in the Authorization header, or as {TOKEN}.")
    return given[0] if given else None


async def viewer(scope: Any, identify: Identify) -> tuple[Actor, float | None]:
    """Who asks, and when that ends; anonymous without a token. Raises as `take_token` and `identify`."""
    token = take_token(scope)
    if token is None:
        return ANONYMOUS, None
    actor, expires_at = await identify(token)
    if expires_at <= time.time():
        raise Unauthenticated("The token has expired.")
    return actor, expires_at


def check_origin(headers: dict[bytes, bytes], allowed: Collection[str]) -> None:
    """Passes for pages of this very service, those that are allowed, and whoever is no page. Raises Forbidden:
    browsers let any page open a WebSocket anywhere."""
    origin = headers.get(b"origin")
    if origin is None:
        return
    text = origin.decode("latin-1").lower().rstrip("/")
    host = headers.get(b"host", b"").decode("latin-1").lower()
    try:
        same = urlsplit(text).netloc == host != ""
    except ValueError:
        same = False
    if not same and text not in allowed:
        raise Forbidden(
            "Pages of this origin may not connect: it must be the service's own, or one that "
            "HOLDFAST_ALLOWED_ORIGINS names."
        )


def origins(setting: str | None) -> frozenset[str]:
    """The origins that a setting lists, separated by commas."""
    listed = (each.strip().lower().rstrip("/") for each in (setting or "").split(","))
    return frozenset(each for each in listed if each)
