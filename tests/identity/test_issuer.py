from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest

from holdfast.identity import issuer
from holdfast.identity.claims import GROUPS_MAX, IssuerRules, read_claims
from holdfast.identity.issuer import DevIssuer, parse_ttl, trusted_issuers
from holdfast.identity.oidc import OidcIssuer
from holdfast.identity.token import TOKEN_CHARS_MAX, TokenVerifier
from holdfast.kernel.config import Settings
from holdfast.kernel.errors import InvalidRequest, Unauthenticated
from holdfast.kernel.files.acl import PathError
from holdfast.kernel.files.own import read_secret

NOW = datetime(2030, 3, 1, 12, tzinfo=UTC)


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    first = DevIssuer.load(tmp_path / "data")
    file = tmp_path / "data" / "dev-issuer.json"
    assert DevIssuer.load(tmp_path / "data").kid == first.kid
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_bytes())["kid"] == first.kid
    assert [path.name for path in file.parent.iterdir()] == ["dev-issuer.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o601])
def test_a_key_that_others_could_have_read_or_written_is_refused(tmp_path: Path, mode: int) -> None:
    DevIssuer.load(tmp_path)
    (tmp_path / "dev-issuer.json").chmod(mode)
    with pytest.raises(PathError, match=rf"mode {mode:04o}\): delete it .* or run chmod 600"):
        DevIssuer.load(tmp_path)


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from holdfast.identity.issuer import DevIssuer; sys.stdin.read();"
        f"print(DevIssuer.load(pathlib.Path({str(tmp_path)!r})).kid)"
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin
        racer.stdin.close()
    kids = set()
    for racer in racers:
        assert racer.stdout
        kids.add(racer.stdout.read())
        racer.stdout.close()
        assert racer.wait(30) == 0
    assert len(kids) == 1


def test_who_comes_second_takes_the_key_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = DevIssuer.load(tmp_path)
    looked: list[Path] = []

    def there_is_none_at_first(path: Path) -> bytes:
        looked.append(path)
        if len(looked) == 1:  # It looked before the first had written.
            raise FileNotFoundError(path)
        return read_secret(path)

    monkeypatch.setattr(issuer, "read_secret", there_is_none_at_first)
    assert DevIssuer.load(tmp_path).kid == first.kid
    assert len(looked) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["dev-issuer.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '"x"', '{"kty":"OKP","crv":"Ed25519","x":"AAAA"}'])
def test_a_broken_key_file_says_what_to_do(content: str, tmp_path: Path) -> None:
    (tmp_path / "dev-issuer.json").touch(mode=0o600)
    (tmp_path / "dev-issuer.json").write_text(content)
    with pytest.raises(ValueError, match=r"dev-issuer\.json holds no Ed25519 private key.*Delete it"):
        DevIssuer.load(tmp_path)


def test_the_private_key_shows_in_no_repr(tmp_path: Path) -> None:
    assert "Private" not in repr(DevIssuer.load(tmp_path))


def test_a_minted_token_says_what_was_asked(tmp_path: Path) -> None:
    issuer, venue = DevIssuer.load(tmp_path), uuid4()
    token = issuer.mint("osteria-nord", ["manager", "guest", "manager"], "alice", [str(venue)], 90, NOW)
    header = jwt.get_unverified_header(token)
    payload = jwt.decode(token, options={"verify_signature": False})
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": issuer.kid}
    assert payload.pop("jti")
    assert payload == {
        "iss": "holdfast-dev",
        "aud": "holdfast",
        "sub": "alice",
        "tenant": "osteria-nord",
        "roles": ["manager", "guest"],
        "venues": [str(venue)],
        "iat": int(NOW.timestamp()),
        "nbf": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 90,
    }
    claims = TokenVerifier([issuer]).verify(token, NOW.timestamp())
    assert claims.venues == {venue}
    assert claims.expires_at == NOW.timestamp() + 90


def test_a_token_names_the_groups_of_its_bearer(tmp_path: Path) -> None:
    issuer = DevIssuer.load(tmp_path)
    token = issuer.mint("osteria-nord", ["guest"], "gina", groups=["members", "over-60", "members"], now=NOW)
    assert TokenVerifier([issuer]).verify(token, NOW.timestamp()).groups == {"members", "over-60"}


@pytest.mark.parametrize(
    ("value", "groups"),
    [
        (None, set[str]()),
        ([], set[str]()),
        (["members", "/staff/All Users", "", "x" * 64], {"members"}),
        ([f"g{n}" for n in range(80)], {f"g{n}" for n in range(GROUPS_MAX)}),
    ],
)
def test_groups_that_no_rule_can_name_are_ignored(value: Any, groups: set[str]) -> None:
    payload = {
        "iss": "i",
        "aud": "a",
        "sub": "gina",
        "exp": 2_000_000_000,
        "tenant": "osteria",
        "roles": ["guest"],
    }
    rules = IssuerRules("i", "a", frozenset({"EdDSA"}), frozenset({"at+jwt"}))
    assert read_claims({**payload, "groups": value}, rules=rules, now=1_900_000_000).groups == groups
    with pytest.raises(Unauthenticated, match="list of strings"):
        read_claims({**payload, "groups": "members"}, rules=rules, now=1_900_000_000)


def test_bearers_without_a_name_are_different_people(tmp_path: Path) -> None:
    issuer = DevIssuer.load(tmp_path)
    verifier = TokenVerifier([issuer])
    minted = [issuer.mint("osteria-nord", ["guest"], None, now=NOW) for _ in range(2)]
    assert len({verifier.verify(token, NOW.timestamp()).subject for token in minted}) == 2


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"roles": ["superuser"]}, "role"),
        ({"roles": []}, "role"),
        ({"tenant": None}, "tenant"),
        ({"tenant": None, "roles": ["admin"]}, "tenant"),
        ({"tenant": "Osteria Nord"}, "tenant"),
        ({"subject": ""}, "subject"),
        ({"subject": "a\nb"}, "subject"),
        ({"subject": "a" * 256}, "subject"),
        ({"groups": ["Members"]}, "group"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": -5}, "ttl_s"),
        ({"ttl_s": 3601}, "ttl_s"),
        ({"venues": ["hall"]}, "venues"),
        ({"venues": [str(uuid4()) for _ in range(200)]}, "venues"),
    ],
)
def test_mint_refuses_what_the_verifier_would(wanted: dict[str, Any], field: str, tmp_path: Path) -> None:
    good: dict[str, Any] = {"tenant": "osteria-nord", "roles": ["staff"], "subject": "bob"}
    with pytest.raises(InvalidRequest) as caught:
        DevIssuer.load(tmp_path).mint(**(good | wanted))
    assert [error["field"] for error in caught.value.fields["errors"]] == [field]


def test_the_platform_needs_no_tenant_and_the_longest_token_is_accepted(tmp_path: Path) -> None:
    issuer = DevIssuer.load(tmp_path)
    verifier = TokenVerifier([issuer])
    token = issuer.mint(None, ["platform_admin"], "root", now=NOW)
    assert verifier.verify(token, NOW.timestamp()).tenant is None
    venues = [str(uuid4()) for _ in range(145)]
    token = issuer.mint("osteria-nord", ["staff"], "bob", venues, now=NOW)
    assert TOKEN_CHARS_MAX - 500 < len(token) <= TOKEN_CHARS_MAX
    assert len(verifier.verify(token, NOW.timestamp()).venues or ()) == 145


@pytest.mark.parametrize(
    ("text", "ttl_s"),
    [("90s", 90), ("30m", 1800), ("1h", 3600), ("60m", 3600), (" 1h ", 3600), ("3600s", 3600)],
)
def test_parse_ttl(text: str, ttl_s: int) -> None:
    assert parse_ttl(text) == ttl_s


@pytest.mark.parametrize(
    "text",
    ["", "1", "h", "1w", "1 h", "-1h", "1.5h", "1h30m", "0s", "61m", "2h", "1d", "٣h", "9999999999s", "1H"],
)
def test_parse_ttl_says_what_would_be_right(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"30m or 1h|from 1s to 1h"):
        parse_ttl(text)


def test_the_development_issuer_is_off_once_another_is_configured(tmp_path: Path) -> None:
    assert [type(issuer) for issuer in trusted_issuers(Settings(data_dir=tmp_path))] == [DevIssuer]
    there = tmp_path / "other"
    oidc = Settings(
        data_dir=there, oidc_issuer="https://id.example", oidc_audience="holdfast", oidc_algorithms="ES"
    )
    issuers = trusted_issuers(oidc)
    assert [type(issuer) for issuer in issuers] == [OidcIssuer]
    assert issuers[0].rules.algorithms == {"ES256", "ES384", "ES512"}
    assert not there.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"oidc_audience": None}, "oidc_audience"),
        ({"oidc_algorithms": "HS"}, "oidc_algorithms"),
        ({"oidc_algorithms": "none"}, "oidc_algorithms"),
        ({"oidc_issuer": "http://id.example"}, "oidc_issuer"),
        ({"oidc_issuer": "id.example"}, "oidc_issuer"),
        ({"oidc_issuer": "https://"}, "oidc_issuer"),
        ({"oidc_issuer": "https://[x"}, "oidc_issuer"),
        ({"oidc_jwks_url": "file:///etc/passwd"}, "oidc_jwks_url"),
    ],
)
def test_settings_that_would_weaken_the_check_are_refused(
    wrong: dict[str, Any], field: str, tmp_path: Path
) -> None:
    good: dict[str, Any] = {"oidc_issuer": "https://id.example", "oidc_audience": "holdfast"}
    unchecked = Settings.model_construct(data_dir=tmp_path, **(good | wrong))
    with pytest.raises(InvalidRequest) as caught:
        trusted_issuers(unchecked)
    assert caught.value.fields["errors"][0]["field"] == field
