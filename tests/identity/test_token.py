"""What is remembered of a token, and for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

import jwt
import pytest

from holdfast.identity import token as token_module
from holdfast.identity.claims import IssuerRules, read_claims
from holdfast.identity.issuer import DevIssuer
from holdfast.identity.token import TokenVerifier, VerifyingKey
from holdfast.kernel.errors import Unauthenticated

START = datetime(2030, 3, 1, 12, tzinfo=UTC)
NOW = START.timestamp()


@pytest.fixture
def issuer(tmp_path: Path) -> DevIssuer:
    return DevIssuer.load(tmp_path)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each signature that is really checked."""
    seen: list[str] = []
    check = token_module._check_signature

    def counted(raw: bytes, *, algorithm: str, key: VerifyingKey) -> None:
        seen.append(algorithm)
        check(raw, algorithm=algorithm, key=key)

    monkeypatch.setattr(token_module, "_check_signature", counted)
    return seen


def mint(
    issuer: DevIssuer, subject: str = "alice", roles: Sequence[str] = ("staff",), ttl_s: int = 60
) -> str:
    return issuer.mint("osteria-nord", roles, subject, ttl_s=ttl_s, now=START)


def test_a_token_is_checked_once(issuer: DevIssuer, checks: list[str]) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer)
    assert verifier.verify(token, NOW) is verifier.verify(token, NOW + 30)
    assert len(checks) == 1


def test_a_remembered_token_expires_all_the_same(issuer: DevIssuer) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer, ttl_s=60)
    verifier.verify(token, NOW)
    verifier.verify(token, NOW + 69.9)
    with pytest.raises(Unauthenticated, match="expired"):
        verifier.verify(token, NOW + 70)


def test_a_clock_that_steps_back_finds_it_not_valid_yet(issuer: DevIssuer) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer)
    verifier.verify(token, NOW)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verifier.verify(token, NOW - 11)


def test_the_memory_is_bounded_and_keeps_what_is_used(issuer: DevIssuer, checks: list[str]) -> None:
    verifier = TokenVerifier([issuer], cached_max=2)
    alice, bob, charlie = (mint(issuer, name) for name in ("alice", "bob", "charlie"))
    for token in (alice, bob, alice, charlie):
        verifier.verify(token, NOW)
    assert len(checks) == 3
    verifier.verify(alice, NOW)
    assert len(checks) == 3
    assert verifier.verify(bob, NOW).subject == "bob"
    assert len(checks) == 4


def test_a_refused_token_is_not_remembered(issuer: DevIssuer) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer)
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verifier.verify(token, NOW - 3600)
    assert verifier.verify(token, NOW).subject == "alice"


def test_a_neighbour_of_a_remembered_token_is_not_let_in(issuer: DevIssuer) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer)
    verifier.verify(token, NOW)
    head, payload, signature = token.split(".")
    swapped = "A" if signature[10] != "A" else "B"
    for other in (f"{head}.{payload}.{signature[:10]}{swapped}{signature[11:]}", token + "A", token[:-1]):
        with pytest.raises(Unauthenticated):
            verifier.verify(other, NOW)


def test_the_key_of_one_issuer_does_not_sign_for_another(issuer: DevIssuer, tmp_path: Path) -> None:
    stranger = DevIssuer.load(tmp_path / "stranger")
    forged = DevIssuer(private=stranger.private, kid=issuer.kid)
    verifier = TokenVerifier([issuer])
    with pytest.raises(Unauthenticated, match="an unknown key"):
        verifier.verify(mint(stranger), NOW)
    with pytest.raises(Unauthenticated, match="signature is wrong"):
        verifier.verify(mint(forged), NOW)


class _WrongKeys:
    """An issuer of EdDSA tokens whose key may only be used with another algorithm."""

    def __init__(self, issuer: DevIssuer) -> None:
        self.rules: IssuerRules = issuer.rules
        self._issuer = issuer

    def key(self, kid: str) -> VerifyingKey | None:
        return VerifyingKey(public=self._issuer.private.public_key(), algorithms=frozenset({"ES256"}))

    async def refresh(self, now: float) -> bool:
        return False


def test_the_algorithm_must_fit_the_key(issuer: DevIssuer) -> None:
    with pytest.raises(Unauthenticated, match="does not match its key"):
        TokenVerifier([_WrongKeys(issuer)]).verify(mint(issuer), NOW)


def test_the_claims_are_only_read_by_the_rules_of_their_issuer(issuer: DevIssuer) -> None:
    payload = jwt.decode(mint(issuer), options={"verify_signature": False})
    assert read_claims(payload, rules=issuer.rules, now=NOW).subject == "alice"
    with pytest.raises(Unauthenticated, match="not trusted here"):
        read_claims(payload, rules=replace(issuer.rules, issuer="another"), now=NOW)


def test_nobody_is_trusted_when_nobody_is_configured(issuer: DevIssuer) -> None:
    with pytest.raises(Unauthenticated, match="not trusted here"):
        TokenVerifier([]).verify(mint(issuer), NOW)


async def test_authenticate_gives_what_verify_gives(issuer: DevIssuer) -> None:
    verifier, token = TokenVerifier([issuer]), mint(issuer)
    assert await verifier.authenticate(token, NOW) == TokenVerifier([issuer]).verify(token, NOW)


def test_a_repeated_token_is_far_cheaper_than_a_new_one(issuer: DevIssuer) -> None:
    verifier, tokens = TokenVerifier([issuer]), [mint(issuer, f"guest-{number}") for number in range(50)]

    def seconds() -> float:
        began = process_time()
        for token in tokens:
            verifier.verify(token, NOW)
        return process_time() - began

    fresh = seconds()
    assert min(seconds() for _ in range(5)) < fresh / 10
