"""Tokens to try things with, and what `up` prints of them."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from holdfast.identity.issuer import DevIssuer
from holdfast.identity.token import TokenVerifier
from holdfast.kernel.config import Settings, load_settings
from holdfast.kernel.errors import InvalidRequest
from holdfast.main.process.outcome import Failed
from holdfast.main.process.tokens import issuers, mint, personas
from holdfast.main.process.up import welcome

pytestmark = pytest.mark.usefixtures("no_settings")
VENUE = "019aa000-0000-7000-8000-000000000001"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


def test_personas_come_with_the_command_that_prints_a_token_for_an_hour(settings: Settings) -> None:
    verifier = TokenVerifier([DevIssuer.load(settings.data_dir)])
    cast = personas(settings, tenant="nordlek", venue_id=VENUE)
    assert [each.role for each in cast] == ["guest", "staff", "manager", "platform_admin"]
    for each in cast:
        done = subprocess.run(shlex.split(each.command), capture_output=True, text=True, check=True)
        now = time.time()
        claims = verifier.verify(done.stdout.strip(), now)
        assert (claims.tenant, claims.roles) == ("nordlek", {each.role})
        assert now + 3600 - 120 < claims.expires_at <= now + 3600


def test_nothing_that_is_printed_is_a_token(settings: Settings) -> None:
    cast = personas(settings, tenant="nordlek", venue_id=VENUE)
    said = "\n".join(welcome(settings, base_url="http://127.0.0.1:8000", personas=cast))
    assert not re.search(r"eyJ|[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}", said)
    DevIssuer.load(settings.data_dir)
    assert re.search("eyJ", mint(settings, tenant="nordlek", roles=["staff"], subject=None, ttl="1h"))


def test_a_token_for_longer_than_an_hour_is_refused(settings: Settings) -> None:
    with pytest.raises(InvalidRequest, match="ttl: must be from 1s to 1h: get a new token"):
        mint(settings, tenant="nordlek", roles=["staff"], subject=None, ttl="61m")


def test_what_is_printed_can_be_pasted_into_a_shell(settings: Settings) -> None:
    cast = personas(settings, tenant="nordlek", venue_id=VENUE)
    lines = welcome(settings, base_url="http://127.0.0.1:8000", personas=cast)
    assert "  API docs  http://127.0.0.1:8000/docs" in lines
    staff = lines.index("As staff, for an hour:")
    assert lines[staff + 1] == f'export TOKEN="$({cast[1].command})"'
    url = f"http://127.0.0.1:8000/api/v1/bookings/venue/{VENUE}"
    assert lines[staff + 2] == f'curl -H "Authorization: Bearer $TOKEN" {url}'


def test_where_another_issuer_is_trusted_none_are_minted(tmp_path: Path) -> None:
    issuer = {"oidc_issuer": "https://id.example.org", "oidc_audience": "holdfast"}
    settings = load_settings(data_dir=tmp_path, **issuer)
    assert personas(settings, tenant="nordlek", venue_id=VENUE) == []
    with pytest.raises(Failed, match=r"only https://id\.example\.org can issue tokens"):
        mint(settings, tenant="nordlek", roles=["staff"], subject=None, ttl="1h")
    assert list(tmp_path.iterdir()) == []


def test_an_issuer_that_can_not_be_right_is_found_at_the_start(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, oidc_issuer="http://id.example.org", oidc_audience="holdfast")
    with pytest.raises(InvalidRequest, match="oidc_issuer: must be an https address"):
        issuers(settings)


def test_a_key_file_that_is_broken_is_named(settings: Settings) -> None:
    (settings.data_dir / "dev-issuer.json").touch(mode=0o600)
    (settings.data_dir / "dev-issuer.json").write_text("{}")
    with pytest.raises(Failed, match=r"dev-issuer\.json holds no Ed25519 private key"):
        issuers(settings)
