"""Verification of bearer tokens (RFC 7519, 8725, 9068): fast, since every request asks for it.

1. The SHA-256 of a token seen before leads straight to its claims, while it is in force.
2. Otherwise the header must be plain: `alg`, `kid`, `typ` as the issuer has them, nothing that
   changes how the rest is read (`crit`, `b64`, `zip`, ...) and nothing that brings its own key.
3. The payload's `iss` picks the issuer; only that issuer's keys and algorithms count.
4. The signature is checked, then the claims.
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
    """Someone whose tokens count here."""

    @property
    def rules(self) -> IssuerRules:
        """What its tokens must look like."""
        ...

    def key(self, kid: str) -> VerifyingKey | None:
        """The key of that id, if known now; never waits."""
        ...

    async def refresh(self, now: float) -> bool:
        """Ask the issuer for its keys, within bounds of its own; whether they have changed. Never raises."""
        ...


class UnknownKey(Unauthenticated):
    """The token is signed with a key that is not known here."""

    def __init__(self, issuer: TrustedIssuer) -> None:
        super().__init__()
        self.issuer = issuer


class TokenVerifier:
    """Turns tokens of the trusted issuers into claims; belongs to one event loop.

    Remembers `cached_max` tokens, the least recently used one is forgotten first. An issuer's keys
    are looked up again every 10 minutes while requests come in, and when a key is unknown; when
    they changed, every remembered token is checked afresh.
    """

    def __init__(self, issuers: Iterable[TrustedIssuer], *, cached_max: int = CACHED_TOKENS_MAX) -> None:
        self._issuers = {issuer.rules.issuer: issuer for issuer in issuers}
        self._cached_max = cached_max
        self._cache: OrderedDict[bytes, tuple[Claims, float, float]] = OrderedDict()
        self._recheck_at: float | None = None
        self._recheck: asyncio.Task[None] | None = None

    async def authenticate(self, token: str, now: float) -> Claims:
        """As `verify`; for an unknown key it first asks the issuer, at most 3 s and once in 30 s."""
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
        """The claims of a token in force at `now` (seconds since 1970), with the keys known now.

        Raises `Unauthenticated` with a sentence that repeats nothing of the token.
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
        # From now on, not from `nbf`: a clock that steps back has the token checked again.
        self._cache[digest] = (claims, now, claims.expires_at + LEEWAY_S)
        if len(self._cache) > self._cached_max:
            self._cache.popitem(last=False)
        return claims

    def _check(self, raw: bytes, now: float) -> Claims:
        parts = _COMPACT.fullmatch(raw)
        if parts is None:
            raise Unauthenticated("This is not a JSON web token of three parts.")
        header, payload = _json_object(parts[1]), _json_object(parts[2])  # not to be believed yet
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
    # Readers disagree on which of two equal names counts; RFC 7519 section 4 lets us refuse both.
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def _check_header(header: dict[str, Any], rules: IssuerRules) -> None:
    if not _REFUSED_HEADERS.isdisjoint(header):
        raise Unauthenticated("The token's header carries a parameter that is not accepted here.")
    alg, kid, typ = header.get("alg"), header.get("kid"), header.get("typ")
    if not isinstance(alg, str) or alg not in rules.algorithms:
        raise Unauthenticated("The token's algorithm is not accepted here.")
    if not isinstance(typ, str) or typ.lower().removeprefix("application/") not in rules.types:
        raise Unauthenticated("The token is not an access token (typ).")
    if not isinstance(kid, str) or not kid:
        raise Unauthenticated("The token does not name its key (kid).")


def _check_signature(raw: bytes, *, algorithm: str, key: VerifyingKey) -> None:
    if algorithm not in key.algorithms:
        raise Unauthenticated("The token's algorithm does not fit its key.")
    try:
        _JWS.decode_complete(raw, key.public, algorithms=[algorithm])
    except jwt.PyJWTError:
        raise Unauthenticated("The token's signature is wrong.") from None
