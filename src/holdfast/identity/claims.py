"""The claims of a token, read strictly from the decoded JSON (RFC 7519, RFC 8725)."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard
from uuid import UUID

from holdfast.kernel.actor import GROUP_PATTERN
from holdfast.kernel.errors import Unauthenticated

ROLES = frozenset(
    {
        "guest",
        "staff",
        "manager",
        "admin",
        "host_admin",
        "security_officer",
        "government_clearance",
        "platform_admin",
    }
)
TENANT_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
GROUP = re.compile(GROUP_PATTERN)
GROUPS_MAX = 50
"""The most groups that are read from a token."""
LEEWAY_S = 10
SUBJECT_CHARS_MAX = 255
# 9999-12-31: the last date that both Python and PostgreSQL support.
INSTANT_MAX = 253_402_300_799


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a verified token.

    `tenant` is a slug; None only for a platform administrator. `venues`: the only venues the bearer may access; None
    means all of the tenant's, the empty set none. `groups`: groups of guests that the bearer is in, such as `members`.
    `expires_at`: seconds since 1970. `subject` is unique only within `issuer`.
    """

    subject: str
    tenant: str | None
    roles: frozenset[str]
    venues: frozenset[UUID] | None
    expires_at: float
    issuer: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class IssuerRules:
    """What tokens of one issuer must look like.

    `algorithms`: one family, never `none` or a symmetric one. `types`: accepted `typ` headers, in lower case.
    `required`: mandatory claims besides `iss`, `aud`, `sub` and `exp`. `unknown_roles`: `drop` ignores unknown roles;
    a bearer without any known role is a guest. The claim names may be dotted paths (`realm_access.roles`).
    """

    issuer: str
    audience: str
    algorithms: frozenset[str]
    types: frozenset[str]
    required: frozenset[str] = frozenset()
    unknown_roles: Literal["refuse", "drop"] = "drop"
    tenant_claim: str = "tenant"
    roles_claim: str = "roles"
    groups_claim: str = "groups"


def read_claims(payload: Mapping[str, Any], *, rules: IssuerRules, now: float) -> Claims:
    """Reads the claims of a payload whose signature was verified; `now`: seconds since 1970.

    Raises `Unauthenticated` for a claim that is missing or of the wrong type, and for a token that is not valid now.
    """
    for name in ("iss", "aud", "sub", "exp", *sorted(rules.required)):
        if name not in payload:
            raise Unauthenticated(f"The token lacks the claim {name}.")
    if payload["iss"] != rules.issuer:
        raise Unauthenticated("The token is from an issuer that is not trusted here.")
    audiences = [payload["aud"]] if isinstance(payload["aud"], str) else payload["aud"]
    if not _is_text_list(audiences) or rules.audience not in audiences:
        raise Unauthenticated("The token is meant for another audience.")
    expires_at = _check_instants(payload, now)
    if not _is_text(payload.get("jti", "-")):
        raise Unauthenticated("The claim jti must be a string.")
    if not _is_text(payload["sub"]):
        raise Unauthenticated(f"The claim sub must be a string of 1 to {SUBJECT_CHARS_MAX} characters.")
    roles = _roles(_lookup(payload, rules.roles_claim), rules)
    return Claims(
        subject=payload["sub"],
        tenant=_tenant(_lookup(payload, rules.tenant_claim), roles),
        roles=roles,
        venues=_venues(payload),
        expires_at=expires_at,
        issuer=rules.issuer,
        groups=_groups(_lookup(payload, rules.groups_claim)),
    )


def _check_instants(payload: Mapping[str, Any], now: float) -> float:
    """Returns `exp`. Raises unless the token is valid now: `nbf`, `iat` <= now < `exp`, give or take 10 s."""
    expires_at = _instant(payload, "exp")
    if expires_at <= now - LEEWAY_S:
        raise Unauthenticated("The token has expired.")
    for name in ("nbf", "iat"):
        if name not in payload:
            continue
        instant = _instant(payload, name)
        if instant > now + LEEWAY_S:
            raise Unauthenticated(f"The token is not valid yet ({name}).")
        if instant >= expires_at:
            raise Unauthenticated(f"The token expires before it is valid ({name}).")
    return expires_at


def _instant(payload: Mapping[str, Any], name: str) -> float:
    value = payload[name]
    # In Python a bool is an int, and JSON's 1e999 becomes infinity.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"The claim {name} must be a number of seconds.")
    if not 0 <= value <= INSTANT_MAX or not math.isfinite(value):
        raise Unauthenticated(f"The claim {name} is out of range.")
    return float(value)


def _roles(value: Any, rules: IssuerRules) -> frozenset[str]:
    if value is None and rules.unknown_roles == "drop":
        return frozenset({"guest"})
    if not _is_text_list(value):
        raise Unauthenticated("The roles of the token must be a list of strings.")
    named = frozenset(value)
    if rules.unknown_roles == "drop":
        return named & ROLES or frozenset({"guest"})
    if not named or named - ROLES:
        raise Unauthenticated("The token carries no role, or one that does not exist.")
    return named


def _groups(value: Any) -> frozenset[str]:
    # Issuers list groups of all kinds. Rules of venues can name only those that are slugs.
    if value is None:
        return frozenset()
    if not _is_text_list(value):
        raise Unauthenticated("The groups of the token must be a list of strings.")
    return frozenset([each for each in value if GROUP.fullmatch(each)][:GROUPS_MAX])


def _tenant(value: Any, roles: frozenset[str]) -> str | None:
    if value is None:
        if "platform_admin" not in roles:
            raise Unauthenticated("The token names no tenant.")
        return None
    if not isinstance(value, str) or not TENANT_SLUG.fullmatch(value):
        raise Unauthenticated("The tenant of the token must be a slug.")
    return value


def _venues(payload: Mapping[str, Any]) -> frozenset[UUID] | None:
    # null is refused: a missing allow-list opens every venue, so leaving it out must be deliberate.
    if "venues" not in payload:
        return None
    if not _is_text_list(payload["venues"]):
        raise Unauthenticated("The venues of the token must be a list of ids.")
    try:
        return frozenset(UUID(venue) for venue in payload["venues"])
    except ValueError:
        raise Unauthenticated("The venues of the token must be a list of ids.") from None


def _lookup(payload: Mapping[str, Any], name: str) -> Any:
    """Returns the claim of that name or dotted path; None if there is none."""
    if name in payload or "." not in name:
        return payload.get(name)
    value: Any = payload
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _is_text(value: Any) -> TypeGuard[str]:
    # isprintable() also excludes NUL and lone surrogates, which PostgreSQL can't store.
    return isinstance(value, str) and 0 < len(value) <= SUBJECT_CHARS_MAX and value.isprintable()


def _is_text_list(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
