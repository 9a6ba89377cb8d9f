"""`holdfast token`: issues tokens of the development issuer."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.identity.issuer import DevIssuer, check_wanted, parse_ttl, trusted_issuers
from holdfast.identity.token import TrustedIssuer
from holdfast.kernel.config import Settings
from holdfast.kernel.files.acl import PathError
from holdfast.main.process.outcome import Failed


@dataclass(frozen=True, slots=True)
class Persona:
    """A persona for trying the demo: the command that prints its token, and a request (path and query) it may make."""

    role: str
    command: str
    path: str


def mint(
    settings: Settings,
    *,
    tenant: str | None,
    roles: Sequence[str],
    subject: str | None,
    ttl: str,
    groups: Sequence[str] = (),
) -> str:
    """Issues a token. `ttl`: `90s`, `30m`, `1h`. Never makes a key: a token of a new one would fit no server.

    Raises `InvalidRequest` or `Failed`.
    """
    ttl_s = parse_ttl(ttl)
    check_wanted(tenant=tenant, roles=roles, subject="new" if subject is None else subject, ttl_s=ttl_s)
    return _issuer(settings, DevIssuer.existing).mint(tenant, roles, subject, ttl_s=ttl_s, groups=groups)


def personas(settings: Settings, *, tenant: str, venue_id: str) -> list[Persona]:
    """Returns the demo's personas; none when another issuer is trusted.

    Without their tokens, since the output may end up in a log.
    """
    if settings.oidc_issuer:
        return []
    paths = {
        "guest": "/api/v1/venues",
        "staff": f"/api/v1/bookings/venue/{venue_id}",
        "manager": f"/api/v1/venues/{venue_id}/policy",
        "platform_admin": f"/api/v1/tenants/{tenant}",
    }
    return [Persona(role, _command(settings, tenant, role), path) for role, path in paths.items()]


def _command(settings: Settings, tenant: str, role: str) -> str:
    program = [sys.argv[0]] if Path(sys.argv[0]).name == "holdfast" else [sys.executable, "-m", "holdfast"]
    options = ["--tenant", tenant, "--role", role, "--subject", f"demo-{role}"]
    return shlex.join([*program, "token", *options, "--data-dir", str(settings.data_dir.resolve())])


def issuers(settings: Settings) -> list[TrustedIssuer]:
    """Returns the trusted issuers. Raises `InvalidRequest` or `Failed` if the settings or the key file are invalid."""
    return trusted_issuers(settings) if settings.oidc_issuer else [_issuer(settings, DevIssuer.load)]


def _issuer(settings: Settings, load: Callable[[Path], DevIssuer]) -> DevIssuer:
    if settings.oidc_issuer:
        raise Failed(f"HOLDFAST_OIDC_ISSUER is set, so only {settings.oidc_issuer} can issue tokens.")
    try:
        return load(settings.data_dir)
    except (FileNotFoundError, NotADirectoryError):
        raise Failed(
            f"There is no key of a development issuer in {settings.data_dir}: name the --data-dir of the server "
            "that is to accept the token. holdfast up and holdfast serve make the key when they start."
        ) from None
    except PathError as error:
        raise Failed(str(error)) from error
    except ValueError as error:
        raise Failed(f"There is no development issuer in {settings.data_dir}: {error}") from error
