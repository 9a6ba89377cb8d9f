"""`holdfast token`: tokens of the development issuer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.identity.issuer import DevIssuer, parse_ttl, trusted_issuers
from holdfast.kernel.config import Settings
from holdfast.main.outcome import Failed

DEMO_TTL_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody to try things as: a token, and a request (path and query) that it opens."""

    role: str
    token: str
    path: str


def mint(
    settings: Settings, *, tenant: str | None, roles: Sequence[str], subject: str | None, ttl: str
) -> str:
    """One token. `ttl`: `90s`, `30m`, `1h`, `2d`. Raises `InvalidRequest` or `Failed`."""
    return _issuer(settings).mint(tenant, roles, subject, ttl_s=parse_ttl(ttl))


def personas(settings: Settings, *, tenant: str, venue_id: str) -> list[Persona]:
    """The demo's cast, with tokens that are valid for a day; none when another issuer is trusted."""
    if settings.oidc_issuer:
        return []
    paths = {
        "guest": "/api/v1/venues",
        "staff": f"/api/v1/bookings/venue/{venue_id}",
        "manager": f"/api/v1/venues/{venue_id}/policy",
        "platform_admin": f"/api/v1/tenants/{tenant}",
    }
    issuer = _issuer(settings)
    return [
        Persona(role, issuer.mint(tenant, [role], f"demo-{role}", ttl_s=DEMO_TTL_S), path)
        for role, path in paths.items()
    ]


def check_issuer(settings: Settings) -> None:
    """Nothing, if the settings say in a sound way whose tokens count. Raises `InvalidRequest` or `Failed`."""
    if settings.oidc_issuer:
        trusted_issuers(settings)
    else:
        _issuer(settings)


def _issuer(settings: Settings) -> DevIssuer:
    if settings.oidc_issuer:
        raise Failed(f"HOLDFAST_OIDC_ISSUER is set, so that tokens come from {settings.oidc_issuer} alone.")
    try:
        return DevIssuer.load(settings.data_dir)
    except (OSError, ValueError) as error:
        raise Failed(f"There is no development issuer in {settings.data_dir}: {error}") from error
