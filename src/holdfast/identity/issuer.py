"""The development issuer, which needs no other service; and the choice of trusted issuers."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from holdfast.identity.claims import GROUP, ROLES, SUBJECT_CHARS_MAX, TENANT_SLUG, IssuerRules
from holdfast.identity.oidc import OidcIssuer
from holdfast.identity.token import TOKEN_CHARS_MAX, TrustedIssuer, VerifyingKey
from holdfast.kernel.config import Settings
from holdfast.kernel.errors import InvalidRequest
from holdfast.kernel.files.own import own_directory, read_secret, resolved

KEY_FILE = "dev-issuer.json"
TTL_S_MAX = 3600
"""A token can't be revoked, so one that leaks into a log or a shell history is usable for an hour at most."""
DEV_RULES = IssuerRules(
    issuer="holdfast-dev",
    audience="holdfast",
    algorithms=frozenset({"EdDSA"}),
    types=frozenset({"at+jwt"}),
    required=frozenset({"roles", "iat", "nbf", "jti"}),
    unknown_roles="refuse",
)
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def trusted_issuers(settings: Settings) -> list[TrustedIssuer]:
    """Returns the trusted issuers: the configured OIDC issuer, or the development issuer if none is configured.

    Raises `InvalidRequest` for invalid settings.
    """
    if not settings.oidc_issuer:
        return [DevIssuer.load(settings.data_dir)]
    return [
        OidcIssuer(
            settings.oidc_issuer,
            settings.oidc_audience or "",
            family=settings.oidc_algorithms,
            jwks_url=settings.oidc_jwks_url,
            tenant_claim=settings.oidc_tenant_claim,
            roles_claim=settings.oidc_roles_claim,
            groups_claim=settings.oidc_groups_claim,
        )
    ]


@dataclass(frozen=True, slots=True)
class DevIssuer:
    """Issues and verifies tokens with its own key; for laptops, demos and tests."""

    private: Ed25519PrivateKey = field(repr=False)
    kid: str
    rules: IssuerRules = DEV_RULES

    @classmethod
    def load(cls, data_dir: Path) -> DevIssuer:
        """Loads the directory's issuer; on first use creates its key in `dev-issuer.json` (mode 0600).

        Processes that start at the same time get the same key. Raises `ValueError` for a file that contains no
        Ed25519 private key, `PathError` for one that somebody else may have planted or read.
        """
        path = own_directory(data_dir) / KEY_FILE
        try:
            return cls._of(path, read_secret(path))
        except FileNotFoundError:
            _make_key_file(path)
            return cls._of(path, read_secret(path))

    @classmethod
    def existing(cls, data_dir: Path) -> DevIssuer:
        """Loads the directory's issuer and creates nothing. Raises the same, and FileNotFoundError or
        NotADirectoryError where there is none."""
        path = resolved(data_dir) / KEY_FILE
        return cls._of(path, read_secret(path))

    @classmethod
    def _of(cls, path: Path, content: bytes) -> DevIssuer:
        try:
            private = OKPAlgorithm.from_jwk(json.loads(content))
        except (ValueError, TypeError, AttributeError, jwt.PyJWTError):
            private = None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(
                f"{path} holds no Ed25519 private key (JWK). Delete it to have a new one made;"
                " existing tokens then stop working."
            )
        return cls(private=private, kid=_thumbprint(private))

    def key(self, kid: str) -> VerifyingKey | None:
        """Returns the public key if `kid` is its id."""
        if kid != self.kid:
            return None
        return VerifyingKey(public=self.private.public_key(), algorithms=DEV_RULES.algorithms)

    async def refresh(self, now: float) -> bool:
        """Returns False: the key never changes while the process runs."""
        return False

    def mint(
        self,
        tenant: str | None,
        roles: Sequence[str],
        subject: str | None,
        venues: Sequence[str] | None = None,
        ttl_s: int = 3600,
        now: datetime | None = None,
        groups: Sequence[str] = (),
    ) -> str:
        """Returns a signed token for `subject` (default: a new random one), valid for `ttl_s` seconds.

        `tenant`: slug, required for every role but platform_admin. `venues`: the only venues (ids) the bearer may
        access; None means all of the tenant's, an empty list none. `groups`: groups of guests. Raises `InvalidRequest`.
        """
        subject = subject if subject is not None else f"dev-{uuid4().hex[:12]}"
        check_wanted(tenant=tenant, roles=roles, subject=subject, ttl_s=ttl_s)
        issued_at = int((now or datetime.now(UTC)).timestamp())
        claims = {
            "iss": DEV_RULES.issuer,
            "aud": DEV_RULES.audience,
            "sub": subject,
            "roles": list(dict.fromkeys(roles)),
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + ttl_s,
            "jti": uuid4().hex,
        }
        claims |= {} if tenant is None else {"tenant": tenant}
        claims |= {} if venues is None else {"venues": _venue_ids(venues)}
        claims |= {"groups": _groups(groups)} if groups else {}
        token = jwt.encode(
            claims, self.private, algorithm="EdDSA", headers={"typ": "at+jwt", "kid": self.kid}
        )
        if len(token) > TOKEN_CHARS_MAX:
            raise InvalidRequest.of(
                "venues", len(venues or ()), "too many for one token; leave it out to allow all"
            )
        return token


def parse_ttl(text: str) -> int:
    """Parses `90s`, `30m` or `1h` to seconds, from 1 to TTL_S_MAX. Raises `InvalidRequest`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text.strip())
    if not found:
        raise InvalidRequest.of("ttl", text, "must be a whole number and s, m or h, such as 90s, 30m or 1h")
    ttl_s = int(found[1]) * _UNIT_S[found[2]]
    if not 1 <= ttl_s <= TTL_S_MAX:
        raise InvalidRequest.of("ttl", text, "must be from 1s to 1h: get a new token when it expires")
    return ttl_s


def _make_key_file(path: Path) -> None:
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".dev-issuer-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_new_jwk())
            file.flush()
            os.fsync(file.fileno())
        # The link appears atomically, and fails if there is one: the second process uses the first one's key.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(draft)


def _new_jwk() -> bytes:
    private = Ed25519PrivateKey.generate()
    jwk = OKPAlgorithm.to_jwk(private, as_dict=True)
    return json.dumps(jwk | {"alg": "EdDSA", "use": "sig", "kid": _thumbprint(private)}, indent=1).encode()


def _thumbprint(private: Ed25519PrivateKey) -> str:
    """Returns the key's thumbprint (RFC 7638)."""
    public = OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    canonical = json.dumps({name: public[name] for name in ("crv", "kty", "x")}, separators=(",", ":"))
    return urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).rstrip(b"=").decode()


def check_wanted(*, tenant: str | None, roles: Sequence[str], subject: str, ttl_s: int) -> None:
    """Raises `InvalidRequest` unless there can be such a token. `ttl_s`: from 1 to TTL_S_MAX."""
    unknown = sorted(set(roles) - ROLES)
    if unknown or not roles:
        raise InvalidRequest.of("role", unknown, f"must be one or more of {', '.join(sorted(ROLES))}")
    if tenant is None and "platform_admin" not in roles:
        raise InvalidRequest.of("tenant", None, "is required for every role but platform_admin")
    if tenant is not None and not TENANT_SLUG.fullmatch(tenant):
        raise InvalidRequest.of("tenant", tenant, "must be a slug: lower-case letters, digits, - and _")
    if not 0 < len(subject) <= SUBJECT_CHARS_MAX or not subject.isprintable():
        raise InvalidRequest.of("subject", subject, f"must be 1 to {SUBJECT_CHARS_MAX} printable characters")
    if not 1 <= ttl_s <= TTL_S_MAX:
        raise InvalidRequest.of("ttl_s", ttl_s, f"must be from 1 to {TTL_S_MAX} seconds")


def _venue_ids(venues: Sequence[str]) -> list[str]:
    try:
        return [str(UUID(venue)) for venue in venues]
    except ValueError:
        raise InvalidRequest.of("venues", list(venues), "must be venue ids (UUID)") from None


def _groups(groups: Sequence[str]) -> list[str]:
    if wrong := [each for each in groups if not GROUP.fullmatch(each)]:
        raise InvalidRequest.of("group", wrong, "must be slugs: lower-case letters, digits, - and _")
    return list(dict.fromkeys(groups))
