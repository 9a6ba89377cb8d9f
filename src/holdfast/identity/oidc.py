"""An OpenID Connect issuer, trusted for its published keys (OpenID Connect Discovery 1.0, RFC 7517)."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from http.client import HTTPException
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import jwt

from holdfast.identity.claims import IssuerRules
from holdfast.identity.token import VerifyingKey
from holdfast.kernel.errors import InvalidRequest

FAMILIES: dict[str, frozenset[str]] = {
    "EdDSA": frozenset({"EdDSA"}),
    "ES": frozenset({"ES256", "ES384", "ES512"}),
    "RS": frozenset({"RS256", "RS384", "RS512"}),
    "PS": frozenset({"PS256", "PS384", "PS512"}),
}
# Most issuers still set the type `JWT` in access tokens; RFC 9068 requires `at+jwt`.
TYPES = frozenset({"at+jwt", "jwt"})
REFRESH_TIMEOUT_S = 3.0
REFRESH_INTERVAL_S = 30.0
KEYS_MAX = 100
RSA_BITS_MIN = 2048

BYTES_MAX = 256 * 1024
CHUNK_BYTES = 16 * 1024

log = logging.getLogger(__name__)


class OidcIssuer:
    """A trusted issuer whose keys come from its JWKS.

    `url`: the issuer exactly as in its tokens' `iss`; https, or http on loopback. `jwks_url`: skips discovery.
    Fetched keys stay in use while the issuer can't be reached. Raises `InvalidRequest` for invalid settings.
    """

    def __init__(
        self,
        url: str,
        audience: str,
        *,
        family: str = "RS",
        jwks_url: str | None = None,
        tenant_claim: str = "tenant",
        roles_claim: str = "roles",
        groups_claim: str = "groups",
    ) -> None:
        for field, value in (("oidc_issuer", url), ("oidc_jwks_url", jwks_url)):
            if value is not None and not is_safe_url(value):
                raise InvalidRequest.of(field, value, "must be an https address, or http on loopback")
        if not audience:
            raise InvalidRequest.of(
                "oidc_audience", audience, "must name the audience of this service's tokens"
            )
        if family not in FAMILIES:
            raise InvalidRequest.of("oidc_algorithms", family, f"must be one of {', '.join(FAMILIES)}")
        self.rules = IssuerRules(
            issuer=url,
            audience=audience,
            algorithms=FAMILIES[family],
            types=TYPES,
            tenant_claim=tenant_claim,
            roles_claim=roles_claim,
            groups_claim=groups_claim,
        )
        self._jwks_url = jwks_url
        self._keys: dict[str, VerifyingKey] = {}
        self._jwks: Any = None
        self._asked_at: float | None = None
        self._asking: asyncio.Task[bool] | None = None

    def key(self, kid: str) -> VerifyingKey | None:
        """Returns the key with that id, if it has been fetched."""
        return self._keys.get(kid)

    async def refresh(self, now: float) -> bool:
        """Fetches the keys, at most once in 30 s and for 3 s. Returns whether they changed.

        Concurrent callers share one fetch. `now`: seconds since 1970. A failure is logged and keeps the keys as they
        are.
        """
        if self._asking is None or self._asking.done():
            # abs(): if the clock is set back, this must not stop fetching for hours.
            if self._asked_at is not None and abs(now - self._asked_at) < REFRESH_INTERVAL_S:
                return False
            self._asked_at = now
            self._asking = asyncio.create_task(self._ask())
        # Cancelling one caller must not cancel the fetch for the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> bool:
        try:
            jwks = await asyncio.wait_for(asyncio.to_thread(self._fetch), REFRESH_TIMEOUT_S)
        except (Unreachable, TimeoutError) as error:
            log.warning("The keys of issuer %s can't be fetched: %s", self.rules.issuer, error or "too slow")
            return False
        keys = read_keys(jwks, self.rules.algorithms)
        if not keys:
            log.warning("The issuer %s publishes no usable key", self.rules.issuer)
            return False
        changed = jwks != self._jwks
        self._keys, self._jwks = keys, jwks
        return changed

    def _fetch(self) -> Any:
        """Fetches the JWKS document; runs in a thread."""
        url = self._jwks_url or self._discover()
        return fetch_json(url, timeout_s=REFRESH_TIMEOUT_S)

    def _discover(self) -> str:
        base = self.rules.issuer.rstrip("/")
        found = fetch_json(f"{base}/.well-known/openid-configuration", timeout_s=REFRESH_TIMEOUT_S)
        if not isinstance(found, dict) or found.get("issuer") != self.rules.issuer:
            raise Unreachable("its configuration names another issuer")
        url = found.get("jwks_uri")
        if not isinstance(url, str) or not is_safe_url(url):
            raise Unreachable("its jwks_uri is not an https address")
        return url


def read_keys(jwks: Any, family: frozenset[str]) -> dict[str, VerifyingKey]:
    """Returns the JWKS's public signing keys of that family, by key id. The first of equal ids wins."""
    listed = jwks.get("keys") if isinstance(jwks, dict) else None
    keys: dict[str, VerifyingKey] = {}
    for jwk in listed[:KEYS_MAX] if isinstance(listed, list) else []:
        if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str) and jwk["kid"] not in keys:
            key = _read_key(jwk, family)
            if key is not None:
                keys[jwk["kid"]] = key
    return keys


def _read_key(jwk: dict[str, Any], family: frozenset[str]) -> VerifyingKey | None:
    algorithms = _algorithms(jwk) & family
    # A published private or symmetric key proves nothing.
    if not algorithms or "d" in jwk or "k" in jwk or jwk.get("use", "sig") != "sig":
        return None
    try:
        public = jwt.PyJWK(jwk, algorithm=min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if jwk["kty"] == "RSA" and public.key_size < RSA_BITS_MIN:
        return None
    return VerifyingKey(public=public, algorithms=algorithms)


def _algorithms(jwk: dict[str, Any]) -> frozenset[str]:
    """Returns the algorithms that the key's type and curve allow, narrowed to its own `alg`."""
    match jwk.get("kty"), jwk.get("crv"):
        case "OKP", "Ed25519":
            fit = FAMILIES["EdDSA"]
        case "EC", ("P-256" | "P-384" | "P-521") as curve:
            fit = frozenset({{"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}[curve]})
        case "RSA", _:
            fit = FAMILIES["RS"] | FAMILIES["PS"]
        case _:
            fit = frozenset[str]()
    return fit & {jwk["alg"]} if isinstance(jwk.get("alg"), str) else fit


def is_safe_url(url: str) -> bool:
    """Returns whether the connection can't be tampered with: https, or http on this machine."""
    try:
        parts = urlsplit(url)
        if parts.scheme == "https":
            return bool(parts.hostname)
        host = parts.hostname or ""
        return parts.scheme == "http" and (host == "localhost" or ip_address(host).is_loopback)
    except ValueError:
        return False


class Unreachable(Exception):
    """A document could not be fetched; the message says why."""


class _SameOrigin(HTTPRedirectHandler):
    """Follows redirects only within the same origin: otherwise an open redirect could choose our keys."""

    max_redirections = 3

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            fp.close()
            raise Unreachable("it redirects to another host")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_json(url: str, *, timeout_s: float) -> Any:
    """Fetches and parses a document of at most 256 KiB; blocks for about `timeout_s` at most.

    Raises `Unreachable`. The caller must have checked the URL.
    """
    deadline = time.monotonic() + timeout_s
    request = Request(url, headers={"Accept": "application/json"})
    try:
        with build_opener(_SameOrigin).open(request, timeout=timeout_s) as response:
            return json.loads(_read(response, deadline))
    except HTTPError as error:
        error.close()
        raise Unreachable(f"it responds with {error.code}") from None
    except (OSError, HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error
    except (ValueError, RecursionError):
        raise Unreachable("its response is not JSON") from None


def _read(response: Any, deadline: float) -> bytes:
    # The socket's timeout applies to each read; a sender that trickles bytes needs an overall deadline.
    body = bytearray()
    while chunk := response.read1(CHUNK_BYTES):
        body += chunk
        if len(body) > BYTES_MAX:
            raise Unreachable(f"its response is longer than {BYTES_MAX} bytes")
        if time.monotonic() > deadline:
            raise Unreachable("it responds too slowly")
    return bytes(body)
