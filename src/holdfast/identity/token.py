"""Verification of bearer tokens (RFC 7519, 8725, 9068); fast, since every request needs it.

1. The SHA-256 of a token is the key to its cached claims, while they are valid.
2. Otherwise the header must be plain: `alg`, `kid` and `typ` as the issuer sets them, no parameters that change how the
   rest is read (`crit`, `b64`, `zip`, ...) or that bring their own key.
3. The payload's `iss` selects the issuer; only that issuer's keys and algorithms are accepted.
4. Then the signature and the claims are verified.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import jwt

from holdfast.identity.claims import LEEWAY_S, Claims, IssuerRules, read_claims
from holdfast.kernel.errors import Unauthenticated

TOKEN_CHARS_MAX = 8192
CACHED_TOKENS_MAX = 8192
KEYS_RECHECK_S = 600.0

_COMPACT = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"})
_JWS = jwt.PyJWS(
    algorithms=["EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
)


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms it may be used with."""

    public: Any
    algorithms: frozenset[str]


class TrustedIssuer(Protocol):
    """An issuer whose tokens are accepted."""

    @property
    def rules(self) -> IssuerRules:
        """What its tokens must look like."""
        ...

    def key(self, kid: str) -> VerifyingKey | None:
        """Returns the key with that id, if it is known now; never waits."""
        ...

    async def refresh(self, now: float) -> bool:
        """Fetches the issuer's keys, within its own limits. Returns whether they changed. Never raises."""
        ...


class UnknownKey(Unauthenticated):
    """The token is signed with an unknown key."""

    def __init__(self, issuer: TrustedIssuer) -> None:
        super().__init__()
        self.issuer = issuer


class TokenVerifier:
    """Verifies tokens of the trusted issuers. Use it from one event loop only.

    Caches the claims of `cached_max` tokens; evicts the least recently used. Fetches the issuers' keys again every 10
    minutes while requests come in, and when a key is unknown; when keys have changed, it clears the cache.
    """

    def __init__(self, issuers: Iterable[TrustedIssuer], *, cached_max: int = CACHED_TOKENS_MAX) -> None:
        self._issuers = {issuer.rules.issuer: issuer for issuer in issuers}
        self._cached_max = cached_max
        self._cache: OrderedDict[bytes, tuple[Claims, float, float]] = OrderedDict()
        self._recheck_at: float | None = None
        self._recheck: asyncio.Task[None] | None = None

    async def authenticate(self, token: str, now: float) -> Claims:
        """Like `verify`, but for an unknown key it first asks the issuer: for 3 s at most, once in 30 s."""
        if self._recheck_at is None or now >= self._recheck_at:
            # In the background: tokens with known keys never wait for an issuer.
            self._recheck_at = now + KEYS_RECHECK_S
            self._recheck = asyncio.create_task(self._refresh_all(now))
        try:
            return self.verify(token, now)
        except UnknownKey as unknown:
            if await unknown.issuer.refresh(now):
                self._cache.clear()
        return self.verify(token, now)

    def verify(self, token: str, now: float) -> Claims:
        """Returns the claims of a token that is valid at `now` (seconds since 1970), using the keys known now.

        Raises `Unauthenticated`; its message repeats nothing from the token.
        """
        if len(token) > TOKEN_CHARS_MAX or not token.isascii():
            raise Unauthenticated("The token is too long, or not a JSON web token.")
        raw = token.encode("ascii")
        digest = hashlib.sha256(raw).digest()
        cached = self._cache.get(digest)
        if cached is not None and cached[1] <= now < cached[2]:
            self._cache.move_to_end(digest)
            return cached[0]
        claims = self._check(raw, now)
        # Cached from now on, not from `nbf`: if the clock steps back, the token is verified again.
        self._cache[digest] = (claims, now, claims.expires_at + LEEWAY_S)
        if len(self._cache) > self._cached_max:
            self._cache.popitem(last=False)
        return claims

    def _check(self, raw: bytes, now: float) -> Claims:
        parts = _COMPACT.fullmatch(raw)
        if parts is None:
            raise Unauthenticated("This is not a JSON web token with three parts.")
        header, payload = _json_object(parts[1]), _json_object(parts[2])  # not verified yet
        iss = payload.get("iss")
        issuer = self._issuers.get(iss) if isinstance(iss, str) else None
        if issuer is None:
            raise Unauthenticated("The token is from an issuer that is not trusted here.")
        _check_header(header, issuer.rules)
        key = issuer.key(header["kid"])
        if key is None:
            raise UnknownKey(issuer)
        _check_signature(raw, algorithm=header["alg"], key=key)
        return read_claims(payload, rules=issuer.rules, now=now)

    async def _refresh_all(self, now: float) -> None:
        for issuer in self._issuers.values():
            if await issuer.refresh(now):
                self._cache.clear()


def _json_object(part: bytes) -> dict[str, Any]:
    try:
        value = _DECODER.decode(urlsafe_b64decode(part + b"=" * (-len(part) % 4)).decode())
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise Unauthenticated("The token can't be read.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Parsers disagree on which of two equal names counts; RFC 7519, section 4, allows refusing both.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _check_header(header: dict[str, Any], rules: IssuerRules) -> None:
    if not _REFUSED_HEADERS.isdisjoint(header):
        raise Unauthenticated("The token's header has a parameter that is not accepted here.")
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in rules.algorithms:
        raise Unauthenticated("The token's algorithm is not accepted here.")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in rules.types:
        raise Unauthenticated("The token is not an access token (typ).")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("The token does not name its key (kid).")


def _check_signature(raw: bytes, *, algorithm: str, key: VerifyingKey) -> None:
    if algorithm not in key.algorithms:
        raise Unauthenticated("The token's algorithm does not match its key.")
    try:
        _JWS.decode_complete(raw, key.public, algorithms=[algorithm])
    except jwt.PyJWTError:
        raise Unauthenticated("The token's signature is wrong.") from None
