"""An issuer on the network: a real HTTP server on loopback that rotates, fails, lies and dawdles."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from holdfast.identity import oidc
from holdfast.identity.oidc import FAMILIES, OidcIssuer, Unreachable, fetch_json, read_keys
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.errors import Unauthenticated
from tests.processes import PATIENT_S

NOW = 1_900_000_000.0
P256, P256_NEXT = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
RSA_SMALL = rsa.generate_private_key(65537, 1024)
ED = Ed25519PrivateKey.generate()


def ec_jwk(private: ec.EllipticCurvePrivateKey, kid: str, **more: Any) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(private.public_key(), as_dict=True) | {"kid": kid} | more


class Site:
    """The pages of the issuer's server, and what was asked of it."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.asked: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self.arrived = threading.Event()
        self.closed = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, *keys: dict[str, Any]) -> None:
        self.pages["/.well-known/openid-configuration"] = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
        }
        self.pages["/keys"] = {"keys": list(keys)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                site.arrived.set()
                site.hold.wait(PATIENT_S)
                if self.path == "/drip":
                    self._drip()
                    return
                page = site.pages.get(self.path)
                body = page if isinstance(page, bytes) else json.dumps(page).encode()
                redirect = isinstance(page, str)
                self.send_response(302 if redirect else 200 if page is not None else 404)
                if isinstance(page, str):
                    self.send_header("Location", page)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _drip(self) -> None:
                self.send_response(200)
                self.end_headers()
                while not site.closed.wait(0.02):
                    self.wfile.write(b" ")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(oidc, "REFRESH_TIMEOUT_S", PATIENT_S)
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    site.publish(ec_jwk(P256, "k1"))
    yield site
    site.hold.set()
    site.closed.set()
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def token_of(site: Site, kid: str = "k1", private: Any = P256, alg: str = "ES256", **claims: Any) -> str:
    payload = {
        "iss": site.url,
        "aud": "holdfast",
        "sub": "alice",
        "tenant": "osteria-nord",
        "roles": ["staff"],
        "exp": int(NOW) + 3600,
    }
    return jwt.encode(payload | claims, private, algorithm=alg, headers={"kid": kid, "typ": "at+jwt"})


def verifier_of(site: Site, *, family: str = "ES", **settings: Any) -> TokenVerifier:
    return TokenVerifier([OidcIssuer(site.url, "holdfast", family=family, **settings)])


async def settled(verifier: TokenVerifier) -> None:
    """The question asked in the background has been answered."""
    assert verifier._recheck is not None
    await verifier._recheck


async def test_a_token_of_a_published_key_is_good(site: Site) -> None:
    claims = await verifier_of(site).authenticate(token_of(site), NOW)
    assert (claims.subject, claims.tenant, claims.roles, claims.issuer) == (
        "alice",
        "osteria-nord",
        {"staff"},
        site.url,
    )
    assert site.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_the_keys_are_fetched_once_for_many_at_once(site: Site) -> None:
    verifier = verifier_of(site)
    tokens = [token_of(site, sub=f"guest-{number}") for number in range(20)]
    claims = await asyncio.gather(*(verifier.authenticate(token, NOW) for token in tokens))
    assert len({claim.subject for claim in claims}) == 20
    assert site.asked.count("/keys") == 1


async def test_a_new_key_is_found_but_asked_for_once_in_30_s(site: Site) -> None:
    verifier = verifier_of(site)
    await verifier.authenticate(token_of(site), NOW)
    site.publish(ec_jwk(P256, "k1"), ec_jwk(P256_NEXT, "k2"))
    fresh = token_of(site, "k2", P256_NEXT)
    for later in (0, 10, 29.9):
        with pytest.raises(Unauthenticated, match="an unknown key"):
            await verifier.authenticate(fresh, NOW + later)
    assert site.asked.count("/keys") == 1
    assert (await verifier.authenticate(fresh, NOW + 30)).subject == "alice"
    assert site.asked.count("/keys") == 2


async def test_a_clock_set_back_does_not_silence_the_question(site: Site) -> None:
    verifier = verifier_of(site)
    await verifier.authenticate(token_of(site), NOW)
    site.publish(ec_jwk(P256_NEXT, "k2"))
    assert await verifier.authenticate(token_of(site, "k2", P256_NEXT), NOW - 3600)


async def test_a_withdrawn_key_ends_the_tokens_remembered(site: Site) -> None:
    verifier, old = verifier_of(site), token_of(site)
    await verifier.authenticate(old, NOW)
    await settled(verifier)
    assert await verifier.authenticate(old, NOW + 1) is verifier.verify(old, NOW + 1)
    site.publish(ec_jwk(P256_NEXT, "k2"))
    await verifier.authenticate(token_of(site, "k2", P256_NEXT), NOW + 60)
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await verifier.authenticate(old, NOW + 61)


async def test_a_withdrawn_key_is_noticed_without_any_unknown_key(site: Site) -> None:
    verifier, old = verifier_of(site), token_of(site)
    await verifier.authenticate(old, NOW)
    site.publish(ec_jwk(P256_NEXT, "k2"))
    assert await verifier.authenticate(old, NOW + 600)  # Asks in the background, and does not wait.
    await settled(verifier)
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await verifier.authenticate(old, NOW + 601)


async def test_known_keys_go_on_while_the_issuer_is_away(site: Site) -> None:
    verifier = verifier_of(site)
    await verifier.authenticate(token_of(site), NOW)
    del site.pages["/keys"]
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await verifier.authenticate(token_of(site, "k2", P256_NEXT), NOW + 60)
    assert site.asked.count("/keys") == 2
    assert await verifier.authenticate(token_of(site, sub="bob"), NOW + 61)


async def test_an_issuer_that_was_never_there_lets_nobody_in(site: Site) -> None:
    issuer = OidcIssuer("http://127.0.0.1:9", "holdfast", family="ES")  # The port of discard: nobody.
    with pytest.raises(Unauthenticated):
        await TokenVerifier([issuer]).authenticate(token_of(site, iss="http://127.0.0.1:9"), NOW)


async def test_a_silent_issuer_blocks_nobody_else(site: Site) -> None:
    verifier = verifier_of(site)
    await verifier.authenticate(token_of(site), NOW)
    site.hold.clear()
    site.arrived.clear()
    waiting = asyncio.create_task(verifier.authenticate(token_of(site, "k2", P256_NEXT), NOW + 60))
    assert await asyncio.to_thread(site.arrived.wait, PATIENT_S)
    assert await verifier.authenticate(token_of(site, sub="bob"), NOW + 60)
    assert not waiting.done()
    site.hold.set()
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await waiting


async def test_a_silent_issuer_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = verifier_of(site)
    await verifier.authenticate(token_of(site), NOW)
    monkeypatch.setattr(oidc, "REFRESH_TIMEOUT_S", 0.05)
    site.hold.clear()
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await verifier.authenticate(token_of(site, "k2", P256_NEXT), NOW + 60)
    assert not site.hold.is_set()


async def test_one_who_goes_away_does_not_take_the_keys_from_the_others(site: Site) -> None:
    verifier = verifier_of(site)
    site.hold.clear()
    first = asyncio.create_task(verifier.authenticate(token_of(site), NOW))
    second = asyncio.create_task(verifier.authenticate(token_of(site, sub="bob"), NOW))
    assert await asyncio.to_thread(site.arrived.wait, PATIENT_S)
    first.cancel()
    site.hold.set()
    assert (await second).subject == "bob"
    with pytest.raises(asyncio.CancelledError):
        await first


@pytest.mark.parametrize(
    ("path", "page", "why"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://other.example"}, "another issuer"),
        ("/.well-known/openid-configuration", b"<html>", "response is not JSON"),
        ("/.well-known/openid-configuration", ["x"], "another issuer"),
        ("/.well-known/openid-configuration", "http://localhost:1/", "redirects to another host"),
        ("/keys", "https://attacker.example/keys", "redirects to another host"),
        ("/keys", "/keys", "302"),
        ("/keys", b"[" * 300_000, "longer than"),
        ("/keys", b"[" * 50_000, "response is not JSON"),
        ("/keys", {"keys": []}, "no usable key"),
        ("/keys", {"keys": "k1"}, "no usable key"),
        ("/keys", [1], "no usable key"),
    ],
)
async def test_an_odd_answer_is_logged_and_lets_nobody_in(
    path: str, page: Any, why: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.pages[path] = page
    with pytest.raises(Unauthenticated, match="an unknown key"):
        await verifier_of(site).authenticate(token_of(site), NOW)
    assert why in caplog.text


def test_a_sender_of_single_bytes_is_left_at_the_deadline(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock on which each look takes a tenth of the time there is."""
    looks = count()
    monkeypatch.setattr(oidc, "time", SimpleNamespace(monotonic=lambda: next(looks) * PATIENT_S / 10))
    with pytest.raises(Unreachable, match="too slowly"):
        fetch_json(f"{site.url}/drip", timeout_s=PATIENT_S)
    assert next(looks) > 10


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://keys.example/", "https://[x", 7, None])
async def test_a_jwks_uri_must_be_safe(address: Any, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.pages["/.well-known/openid-configuration"]["jwks_uri"] = address
    with pytest.raises(Unauthenticated):
        await verifier_of(site).authenticate(token_of(site), NOW)
    assert "jwks_uri is not an https address" in caplog.text


async def test_a_redirect_within_the_host_is_followed(site: Site) -> None:
    site.pages["/moved"] = site.pages["/keys"]
    site.pages["/keys"] = f"{site.url}/moved"
    assert await verifier_of(site).authenticate(token_of(site), NOW)


async def test_a_jwks_url_spares_the_discovery(site: Site) -> None:
    verifier = verifier_of(site, jwks_url=f"{site.url}/keys")
    assert await verifier.authenticate(token_of(site), NOW)
    assert site.asked == ["/keys"]


@pytest.mark.parametrize(
    ("private", "alg", "family", "jwk"),
    [
        (P256, "ES256", "ES", ec_jwk(P256, "k")),
        (P384, "ES384", "ES", ec_jwk(P384, "k")),
        (RSA, "RS256", "RS", RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "k"}),
        (RSA, "RS512", "RS", RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "k"}),
        (RSA, "PS256", "PS", RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "k"}),
        (ED, "EdDSA", "EdDSA", OKPAlgorithm.to_jwk(ED.public_key(), as_dict=True) | {"kid": "k"}),
    ],
)
async def test_each_family_and_no_other(private: Any, alg: str, family: str, jwk: Any, site: Site) -> None:
    site.publish(jwk)
    token = token_of(site, "k", private, alg)
    assert await verifier_of(site, family=family).authenticate(token, NOW)
    for other in FAMILIES.keys() - {family}:
        with pytest.raises(Unauthenticated, match="algorithm is not accepted"):
            await verifier_of(site, family=other).authenticate(token, NOW)


async def test_a_key_named_for_one_algorithm_serves_no_other(site: Site) -> None:
    site.publish(RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "k", "alg": "RS256"})
    verifier = verifier_of(site, family="RS")
    assert await verifier.authenticate(token_of(site, "k", RSA, "RS256"), NOW)
    with pytest.raises(Unauthenticated, match="does not match its key"):
        await verifier.authenticate(token_of(site, "k", RSA, "RS384"), NOW)


@pytest.mark.parametrize(
    "jwk",
    [
        {},
        {"kid": "k"},
        ec_jwk(P256, "k") | {"kid": 1},
        ec_jwk(P256, "k", use="enc"),
        ec_jwk(P256, "k", alg="ES384"),
        ec_jwk(P256, "k", alg="HS256"),
        ec_jwk(P256, "k", alg="none"),
        ec_jwk(P256, "k", crv="secp256k1"),
        ec_jwk(P256, "k", crv="P-384"),
        ec_jwk(P256, "k", x="AAAA"),
        ec_jwk(P256, "k", x=5),
        ec_jwk(P256, "k", y=ec_jwk(P384, "k")["y"]),
        ec_jwk(P256, "k", y=ec_jwk(P256_NEXT, "k")["y"]),
        ec_jwk(P256, "k", kty="RSA"),
        ec_jwk(P256, "k", kty=["EC"]),
        ECAlgorithm.to_jwk(P256, as_dict=True) | {"kid": "k"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "k", "alg": "HS256"},
        {"kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "k"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"},
        {"kty": "RSA", "n": "AQAB", "kid": "k"},
        RSAAlgorithm.to_jwk(RSA_SMALL.public_key(), as_dict=True) | {"kid": "k"},
        7,
        None,
    ],
)
def test_a_key_that_is_no_public_signing_key_is_left_out(jwk: Any) -> None:
    every = frozenset[str]().union(*FAMILIES.values())
    keys = read_keys({"keys": [jwk, ec_jwk(P256, "good")]}, every)
    assert set(keys) == {"good"}
    assert keys["good"].algorithms == {"ES256"}


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    keys = read_keys({"keys": [ec_jwk(P256, "k"), ec_jwk(P384, "k")]}, FAMILIES["ES"])
    assert keys["k"].algorithms == {"ES256"}


@pytest.mark.parametrize(
    ("settings", "claims", "roles"),
    [
        ({}, {"roles": ["staff", "offline_access"]}, {"staff"}),
        ({}, {"roles": ["offline_access"]}, {"guest"}),
        ({}, {"roles": None}, {"guest"}),
        ({"roles_claim": "realm_access.roles"}, {"realm_access": {"roles": ["admin"]}}, {"admin"}),
        ({"roles_claim": "realm_access.roles"}, {"realm_access": "admin"}, {"guest"}),
        (
            {"roles_claim": "https://holdfast.example/roles"},
            {"https://holdfast.example/roles": ["admin"]},
            {"admin"},
        ),
    ],
)
async def test_roles_are_found_and_strange_ones_dropped(
    settings: dict[str, str], claims: dict[str, Any], roles: set[str], site: Site
) -> None:
    assert (await verifier_of(site, **settings).authenticate(token_of(site, **claims), NOW)).roles == roles


@pytest.mark.parametrize("roles", ["admin", [1], {"admin": True}, ["admin", None]])
async def test_roles_of_a_wrong_type_are_refused(roles: Any, site: Site) -> None:
    with pytest.raises(Unauthenticated, match="list of strings"):
        await verifier_of(site).authenticate(token_of(site, roles=roles), NOW)


async def test_the_tenant_is_where_the_setting_says(site: Site) -> None:
    token = token_of(site, org={"slug": "charlies"})
    assert (await verifier_of(site, tenant_claim="org.slug").authenticate(token, NOW)).tenant == "charlies"
    with pytest.raises(Unauthenticated, match="names no tenant"):
        await verifier_of(site, tenant_claim="company").authenticate(token, NOW)
