"""Tokens that must not be let in: each is one step away from the good one, and refused for that step.

`Forge` signs whatever it is asked to with the real key, so a vector that names a claim or a header
fails because of it and not because of a wrong signature.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import OKPAlgorithm

from holdfast.identity.issuer import DevIssuer
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.errors import Unauthenticated

NOW = 1_900_000_000
DROP = object()


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def as_json(value: Any) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()


class Forge:
    """Makes tokens by hand; as it is, `make()` gives a good one."""

    def __init__(self, issuer: DevIssuer) -> None:
        self.private = issuer.private
        self.public = issuer.private.public_key()
        self.header = {"alg": "EdDSA", "typ": "at+jwt", "kid": issuer.kid}
        self.claims = {
            "iss": "holdfast-dev",
            "aud": "holdfast",
            "sub": "alice",
            "tenant": "osteria-nord",
            "roles": ["manager"],
            "iat": NOW - 60,
            "nbf": NOW - 60,
            "exp": NOW + 60,
            "jti": "j-1",
        }

    def sign(self, header: Any, payload: Any, sign: Callable[[bytes], bytes] | None = None) -> str:
        signing_input = f"{b64(as_json(header))}.{b64(as_json(payload))}".encode()
        return f"{signing_input.decode()}.{b64((sign or self.private.sign)(signing_input))}"

    def make(self, header: dict[str, Any] | None = None, /, **claims: Any) -> str:
        return self.sign(_with(self.header, header or {}), _with(self.claims, claims))

    def raw(self, name: str, literal: str) -> str:
        """The good token with one claim written as that JSON literal."""
        text = json.dumps(_with(self.claims, {name: "@@"})).replace('"@@"', literal)
        return self.sign(self.header, text.encode())

    def hmac(self, secret: bytes, alg: str = "HS256") -> str:
        return self.sign(
            _with(self.header, {"alg": alg}),
            self.claims,
            lambda data: hmac.new(secret, data, hashlib.sha256).digest(),
        )

    def parts(self) -> list[str]:
        return self.make().split(".")

    def public_jwk(self) -> dict[str, Any]:
        return OKPAlgorithm.to_jwk(self.public, as_dict=True)


def _with(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (base | changes).items() if value is not DROP}


def _other_key(forge: Forge) -> str:
    return forge.sign(forge.header, forge.claims, Ed25519PrivateKey.generate().sign)


def _own_key_in_header(forge: Forge) -> str:
    mine = Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(mine.public_key(), as_dict=True)
    return forge.sign(forge.header | {"jwk": jwk}, forge.claims, mine.sign)


def _library_token(forge: Forge, private: Any, alg: str) -> str:
    return jwt.encode(
        forge.claims, private, algorithm=alg, headers={"typ": "at+jwt", "kid": forge.header["kid"]}
    )


def _tampered(forge: Forge, **claims: Any) -> str:
    header, _, signature = forge.parts()
    return f"{header}.{b64(as_json(_with(forge.claims, claims)))}.{signature}"


def _flipped(forge: Forge, at: int) -> str:
    header, payload, signature = forge.parts()
    swapped = "A" if signature[at] != "A" else "B"
    return f"{header}.{payload}.{signature[:at]}{swapped}{signature[at + 1 :]}"


def _tail_bits(forge: Forge) -> str:
    """The same 64 bytes of signature with the unused bits of the last character set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = forge.make()
    return token[:-1] + alphabet[alphabet.index(token[-1]) | 1]


def _standard_alphabet(forge: Forge) -> str:
    """Base64 with + and / instead of - and _ in the signature."""
    for number in range(100):
        token = forge.make(jti=f"j-{number}")
        head, signature = token.rsplit(".", 1)
        if "-" in signature or "_" in signature:
            return f"{head}.{signature.replace('-', '+').replace('_', '/')}"
    raise AssertionError("no signature with - or _")


def _duplicate(forge: Forge, name: str, value: Any) -> str:
    text = as_json(forge.claims).decode()
    return forge.sign(forge.header, f"{text[:-1]},{json.dumps(name)}:{json.dumps(value)}}}".encode())


def _pem(forge: Forge) -> bytes:
    return forge.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


HEADER, ALG = "parameter that is not accepted", "algorithm is not accepted"
SHAPE, UNREADABLE, SIGNATURE = "three parts", "can't be read", "signature is wrong"
TYP, KID, LONG = "(typ)", "(kid)", "too long, or not"
LACKS, NUMBER, RANGE = "lacks the claim", "must be a number of seconds", "out of range"
ISSUER, AUDIENCE, TENANT = "issuer that is not trusted", "another audience", "tenant"

Vector = tuple[Callable[[Forge], Any], str]
VECTORS: dict[str, Vector] = {
    # shape
    "empty": (lambda f: "", SHAPE),
    "two dots only": (lambda f: "..", SHAPE),
    "one dot": (lambda f: ".".join(f.parts()[:2]), SHAPE),
    "no dot": (lambda f: f.parts()[0], SHAPE),
    "three dots": (lambda f: f.make() + ".x", SHAPE),
    "jwe: five parts": (lambda f: ".".join([f.parts()[0], "a", "b", "c", "d"]), SHAPE),
    "empty header": (lambda f: "." + ".".join(f.parts()[1:]), SHAPE),
    "empty payload": (lambda f: f"{f.parts()[0]}..{f.parts()[2]}", SHAPE),
    "empty signature": (lambda f: ".".join([*f.parts()[:2], ""]), SHAPE),
    "space before": (lambda f: " " + f.make(), SHAPE),
    "newline after": (lambda f: f.make() + "\n", SHAPE),
    "tab inside": (lambda f: f.make().replace(".", ".\t", 1), SHAPE),
    "NUL after": (lambda f: f.make() + "\0", SHAPE),
    "scheme left on": (lambda f: "Bearer " + f.make(), SHAPE),
    "quoted": (lambda f: f'"{f.make()}"', SHAPE),
    "padded": (lambda f: f.make() + "==", SHAPE),
    "padded header": (lambda f: "=.".join([f.parts()[0], ".".join(f.parts()[1:])]), SHAPE),
    "standard base64 alphabet": (_standard_alphabet, SHAPE),
    "non-ASCII after": (lambda f: f.make() + "é", LONG),
    "full-width dots": (lambda f: f.make().replace(".", "．"), LONG),
    "lone surrogate": (lambda f: f.make() + "\ud800", LONG),
    "huge": (lambda f: f.make(note="x" * 9000), LONG),
    "huge rubbish": (lambda f: "a" * 1_000_000, LONG),
    "rubbish": (lambda f: "a.b.c", UNREADABLE),
    "header not JSON": (lambda f: f.sign(b"hello", f.claims), UNREADABLE),
    "header a list": (lambda f: f.sign([f.header], f.claims), UNREADABLE),
    "header duplicate alg": (
        lambda f: f.sign(as_json({"alg": "none"})[:-1] + b"," + as_json(f.header)[1:], f.claims),
        UNREADABLE,
    ),
    "payload not JSON": (lambda f: f.sign(f.header, b"hello"), UNREADABLE),
    "payload a list": (lambda f: f.sign(f.header, [f.claims]), UNREADABLE),
    "payload null": (lambda f: f.sign(f.header, b"null"), UNREADABLE),
    "payload not UTF-8": (lambda f: f.sign(f.header, b'{"sub":"\xff"}'), UNREADABLE),
    "payload UTF-16": (lambda f: f.sign(f.header, json.dumps(f.claims).encode("utf-16")), UNREADABLE),
    "payload with BOM": (lambda f: f.sign(f.header, b"\xef\xbb\xbf" + as_json(f.claims)), UNREADABLE),
    "payload nested deeply": (lambda f: f.sign(f.header, b"[" * 5000), UNREADABLE),
    "payload followed by more": (lambda f: f.sign(f.header, as_json(f.claims) + b"{}"), UNREADABLE),
    "duplicate exp": (lambda f: _duplicate(f, "exp", NOW + 999), UNREADABLE),
    "duplicate roles": (lambda f: _duplicate(f, "roles", ["admin"]), UNREADABLE),
    "duplicate tenant, escaped": (lambda f: f.raw("tenant", '"a","\\u0074enant":"b"'), UNREADABLE),
    "nested JWT": (lambda f: f.sign(f.header, f.make().encode()), UNREADABLE),
    "number of 5000 digits": (lambda f: f.raw("exp", "9" * 5000), UNREADABLE),
    # header
    "nested JWT, cty": (lambda f: f.make({"cty": "JWT"}), HEADER),
    "crit unknown": (lambda f: f.make({"crit": ["exp"], "exp": 1}), HEADER),
    "crit empty": (lambda f: f.make({"crit": []}), HEADER),
    "crit b64": (lambda f: f.make({"crit": ["b64"], "b64": True}), HEADER),
    "b64 false": (lambda f: f.make({"b64": False}), HEADER),
    "b64 false with crit": (lambda f: f.make({"b64": False, "crit": ["b64"]}), HEADER),
    "zip": (
        lambda f: f.sign(f.header | {"zip": "DEF"}, as_json({"iss": "holdfast-dev"})),
        HEADER,
    ),
    "zip, deflated": (
        lambda f: f.sign(f.header | {"zip": "DEF"}, zlib.compress(as_json(f.claims))),
        UNREADABLE,
    ),
    "enc": (lambda f: f.make({"enc": "A128GCM"}), HEADER),
    "own key embedded": (_own_key_in_header, HEADER),
    "real key embedded": (lambda f: f.make({"jwk": f.public_jwk()}), HEADER),
    "jku": (lambda f: f.make({"jku": "https://attacker.example/keys"}), HEADER),
    "x5u": (lambda f: f.make({"x5u": "https://attacker.example/cert"}), HEADER),
    "x5c": (lambda f: f.make({"x5c": ["MIIB"]}), HEADER),
    "typ missing": (lambda f: f.make({"typ": DROP}), TYP),
    "typ JWT": (lambda f: f.make({"typ": "JWT"}), TYP),
    "typ of an id token": (lambda f: f.make({"typ": "id+jwt"}), TYP),
    "typ a list": (lambda f: f.make({"typ": ["at+jwt"]}), TYP),
    "typ empty": (lambda f: f.make({"typ": ""}), TYP),
    "kid missing": (lambda f: f.make({"kid": DROP}), KID),
    "kid a number": (lambda f: f.make({"kid": 1}), KID),
    "kid null": (lambda f: f.make({"kid": None}), KID),
    "kid empty": (lambda f: f.make({"kid": ""}), KID),
    "kid unknown": (lambda f: f.make({"kid": "other"}), "an unknown key"),
    "kid a path": (lambda f: f.make({"kid": "../../dev/null"}), "an unknown key"),
    "kid an injection": (lambda f: f.make({"kid": "' OR 1=1 --"}), "an unknown key"),
    "alg missing": (lambda f: f.make({"alg": DROP}), ALG),
    "alg null": (lambda f: f.make({"alg": None}), ALG),
    "alg a list": (lambda f: f.make({"alg": ["EdDSA"]}), ALG),
    "alg lower case": (lambda f: f.make({"alg": "eddsa"}), ALG),
    "alg none, signed": (lambda f: f.make({"alg": "none"}), ALG),
    "alg none, rubbish signature": (
        lambda f: f.sign(f.header | {"alg": "none"}, f.claims, lambda _: b"x"),
        ALG,
    ),
    "alg None": (lambda f: f.make({"alg": "None"}), ALG),
    "alg NONE": (lambda f: f.make({"alg": "NONE"}), ALG),
    "alg nOnE": (lambda f: f.make({"alg": "nOnE"}), ALG),
    "alg none, unsigned": (
        lambda f: f.sign(f.header | {"alg": "none"}, f.claims, lambda _: b""),
        SHAPE,
    ),
    "HS256 with PEM": (lambda f: f.hmac(_pem(f)), ALG),
    "HS256 with stripped PEM": (lambda f: f.hmac(_pem(f).strip()), ALG),
    "HS256 with DER": (
        lambda f: f.hmac(f.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        ALG,
    ),
    "HS256 with raw key": (lambda f: f.hmac(f.public.public_bytes_raw()), ALG),
    "HS256 with JWK": (lambda f: f.hmac(as_json(f.public_jwk())), ALG),
    "HS256 with empty secret": (lambda f: f.hmac(b""), ALG),
    "HS256 with kid": (lambda f: f.hmac(f.header["kid"].encode()), ALG),
    "HS512 by name": (lambda f: f.hmac(_pem(f), "HS512"), ALG),
    "ES256 with another key": (
        lambda f: _library_token(f, ec.generate_private_key(ec.SECP256R1()), "ES256"),
        ALG,
    ),
    "RS256 with another key": (
        lambda f: _library_token(f, rsa.generate_private_key(65537, 2048), "RS256"),
        ALG,
    ),
    "alg renamed to ES256": (lambda f: f.make({"alg": "ES256"}), ALG),
    # signature
    "other key": (_other_key, SIGNATURE),
    "first bit of signature": (lambda f: _flipped(f, 0), SIGNATURE),
    "middle of signature": (lambda f: _flipped(f, 40), SIGNATURE),
    "unused bits of signature": (_tail_bits, SIGNATURE),
    "signature truncated": (lambda f: f.make()[:-4], SIGNATURE),
    "signature of one character": (lambda f: ".".join([*f.parts()[:2], "A"]), SIGNATURE),
    "signature longer": (lambda f: f.make() + "AAAA", SIGNATURE),
    "signature all zero": (lambda f: f.sign(f.header, f.claims, lambda _: bytes(64)), SIGNATURE),
    "signature of another token": (
        lambda f: ".".join([*f.make(sub="bob").split(".")[:2], f.parts()[2]]),
        SIGNATURE,
    ),
    "payload tampered: role": (lambda f: _tampered(f, roles=["admin"]), SIGNATURE),
    "payload tampered: tenant": (lambda f: _tampered(f, tenant="charlies"), SIGNATURE),
    "payload tampered: exp": (lambda f: _tampered(f, exp=NOW + 9999), SIGNATURE),
    # claims
    **{
        f"{name} missing": (lambda f, name=name: f.make(**{name: DROP}), LACKS)
        for name in ("aud", "sub", "exp", "iat", "nbf", "jti", "roles")
    },
    "iss missing": (lambda f: f.make(iss=DROP), ISSUER),
    "iss other": (lambda f: f.make(iss="https://issuer.example"), ISSUER),
    "iss with a slash": (lambda f: f.make(iss="holdfast-dev/"), ISSUER),
    "iss a list": (lambda f: f.make(iss=["holdfast-dev"]), ISSUER),
    "iss null": (lambda f: f.make(iss=None), ISSUER),
    "aud other": (lambda f: f.make(aud="elsewhere"), AUDIENCE),
    "aud with more behind": (lambda f: f.make(aud="holdfast-admin"), AUDIENCE),
    "aud empty list": (lambda f: f.make(aud=[]), AUDIENCE),
    "aud list of others": (lambda f: f.make(aud=["a", "b"]), AUDIENCE),
    "aud list with a number": (lambda f: f.make(aud=["holdfast", 1]), AUDIENCE),
    "aud an object": (lambda f: f.make(aud={"holdfast": 1}), AUDIENCE),
    "aud null": (lambda f: f.make(aud=None), AUDIENCE),
    "sub a number": (lambda f: f.make(sub=7), "claim sub"),
    "sub empty": (lambda f: f.make(sub=""), "claim sub"),
    "sub null": (lambda f: f.make(sub=None), "claim sub"),
    "sub long": (lambda f: f.make(sub="a" * 256), "claim sub"),
    "sub with NUL": (lambda f: f.make(sub="alice\0"), "claim sub"),
    "sub with newline": (lambda f: f.make(sub="alice\nbob"), "claim sub"),
    "sub a lone surrogate": (lambda f: f.raw("sub", r'"\ud800"'), "claim sub"),
    "jti a number": (lambda f: f.make(jti=1), "claim jti"),
    "exp past": (lambda f: f.make(exp=NOW - 11), "expired"),
    "exp past by the leeway": (lambda f: f.make(exp=NOW - 10), "expired"),
    "exp zero": (lambda f: f.make(exp=0), "expired"),
    "exp negative": (lambda f: f.make(exp=-1), RANGE),
    "exp huge": (lambda f: f.make(exp=10**12), RANGE),
    "exp beyond a float": (lambda f: f.raw("exp", "1" + "0" * 400), RANGE),
    "exp 1e999": (lambda f: f.raw("exp", "1e999"), RANGE),
    "exp Infinity": (lambda f: f.raw("exp", "Infinity"), UNREADABLE),
    "exp NaN": (lambda f: f.raw("exp", "NaN"), UNREADABLE),
    "exp a text": (lambda f: f.make(exp=str(NOW + 60)), NUMBER),
    "exp true": (lambda f: f.make(exp=True), NUMBER),
    "exp null": (lambda f: f.make(exp=None), NUMBER),
    "exp a list": (lambda f: f.make(exp=[NOW + 60]), NUMBER),
    "exp before nbf": (lambda f: f.make(exp=NOW + 5, nbf=NOW + 5), "before it is valid"),
    "nbf future": (lambda f: f.make(nbf=NOW + 11), "not valid yet"),
    "nbf a text": (lambda f: f.make(nbf="0"), NUMBER),
    "nbf false": (lambda f: f.make(nbf=False), NUMBER),
    "nbf null": (lambda f: f.make(nbf=None), NUMBER),
    "nbf negative": (lambda f: f.make(nbf=-1), RANGE),
    "iat future": (lambda f: f.make(iat=NOW + 11), "not valid yet"),
    "iat a text": (lambda f: f.make(iat="now"), NUMBER),
    "tenant missing": (lambda f: f.make(tenant=DROP), TENANT),
    "tenant null": (lambda f: f.make(tenant=None), TENANT),
    "tenant empty": (lambda f: f.make(tenant=""), TENANT),
    "tenant a list": (lambda f: f.make(tenant=["osteria-nord"]), TENANT),
    "tenant not a slug": (lambda f: f.make(tenant="osteria nord'"), TENANT),
    "tenant with newline": (lambda f: f.make(tenant="osteria-nord\n"), TENANT),
    "tenant a number for the platform": (lambda f: f.make(tenant=1, roles=["platform_admin"]), TENANT),
    "roles a text": (lambda f: f.make(roles="manager"), "list of strings"),
    "roles null": (lambda f: f.make(roles=None), "list of strings"),
    "roles an object": (lambda f: f.make(roles={"manager": True}), "list of strings"),
    "roles a list of numbers": (lambda f: f.make(roles=["manager", 1]), "list of strings"),
    "roles a list of lists": (lambda f: f.make(roles=[["manager"]]), "list of strings"),
    "roles empty": (lambda f: f.make(roles=[]), "no role"),
    "roles unknown": (lambda f: f.make(roles=["manager", "superuser"]), "no role"),
    "roles upper case": (lambda f: f.make(roles=["Manager"]), "no role"),
    "roles system": (lambda f: f.make(roles=["system"]), "no role"),
    "venues null": (lambda f: f.make(venues=None), "list of ids"),
    "venues a text": (lambda f: f.make(venues="*"), "list of ids"),
    "venues a list of numbers": (lambda f: f.make(venues=[1]), "list of ids"),
    "venues not ids": (lambda f: f.make(venues=["*"]), "list of ids"),
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> DevIssuer:
    return DevIssuer.load(Path(tmp_path_factory.mktemp("issuer")))


@pytest.fixture(scope="module")
def verifier(issuer: DevIssuer) -> TokenVerifier:
    return TokenVerifier([issuer])


@pytest.mark.parametrize("name", VECTORS)
async def test_bad_token_is_refused_for_what_is_bad(
    name: str, issuer: DevIssuer, verifier: TokenVerifier
) -> None:
    make, sentence = VECTORS[name]
    token = make(Forge(issuer))
    for _ in range(2):  # The second time nothing may have been remembered.
        with pytest.raises(Unauthenticated) as caught:
            verifier.verify(token, NOW)
        assert sentence in caught.value.detail
        with pytest.raises(Unauthenticated):
            await verifier.authenticate(token, NOW)
        assert not caught.value.fields
        assert len(caught.value.detail) < 120


def test_the_good_token_that_all_of_these_differ_from(issuer: DevIssuer) -> None:
    claims = TokenVerifier([issuer]).verify(Forge(issuer).make(), NOW)
    assert (claims.subject, claims.tenant, claims.roles) == ("alice", "osteria-nord", {"manager"})
    assert len(VECTORS) >= 60


@pytest.mark.parametrize(
    "change",
    [
        {"aud": ["elsewhere", "holdfast"]},
        {"exp": NOW - 9.5},
        {"exp": NOW + 0.25},
        {"nbf": NOW + 10},
        {"roles": ["platform_admin"], "tenant": DROP},
        {"venues": []},
        {"sub": "a" * 255},
        {"note": {"anything": ["else"]}},
    ],
)
def test_on_the_good_side_of_each_border(change: dict[str, Any], issuer: DevIssuer) -> None:
    assert TokenVerifier([issuer]).verify(Forge(issuer).make(**change), NOW).issuer == "holdfast-dev"


def test_messages_repeat_nothing_of_the_token(issuer: DevIssuer) -> None:
    canary = "CANARY-7f3a"
    forge, verifier = Forge(issuer), TokenVerifier([issuer])
    for token in (
        f"{canary}.{canary}.{canary}",
        forge.make({"alg": canary}),
        forge.make({"kid": canary}),
        forge.make({"typ": canary}),
        *(forge.make(**{name: canary}) for name in forge.claims if name not in ("sub", "jti")),
        forge.make(sub=canary + "\0"),
        forge.make(venues=[canary]),
    ):
        with pytest.raises(Unauthenticated) as caught:
            verifier.verify(token, NOW)
        assert canary not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.fields}"
