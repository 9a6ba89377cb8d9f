"""Settings: all HOLDFAST_* environment variables, with units and defaults."""

from __future__ import annotations

import os
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "HOLDFAST_"
NOT_SETTINGS = frozenset({"require_services", "postgres15_bin", "soak", "hotel_data", "seed"})
"""Variables that only the tests read."""


class SettingsError(Exception):
    """Holdfast can't start with these settings; `problems`: one sentence for each error."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problems))


def _is_postgresql(url: str) -> str:
    problem = ValueError("must be an address such as postgresql://user:password@host:5432/holdfast")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise problem from None
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise problem
    return url


def _is_redis(url: str) -> str:
    problem = ValueError(
        "must be an address such as redis://host:6379/0, rediss://user:password@host:6379/0 or unix:///path?db=0"
    )
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise problem from None
    if parts.scheme == "unix":
        named, database = parts.path, parts.query.removeprefix("db=")
    else:
        named, database = parts.hostname, parts.path.strip("/") + parts.query
    if parts.scheme not in ("redis", "rediss", "unix") or not named or not (database or "0").isdecimal():
        raise problem
    return url


def _are_addresses(proxies: str) -> str:
    for each in proxies.split(","):
        try:
            _ = each.strip() == "*" or ip_network(each.strip())
        except ValueError:
            raise ValueError(
                f"{each.strip()!r} must be an address or a network such as 10.0.0.7 or 10.0.0.0/8, or * for all"
            ) from None
    return proxies


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


class Settings(BaseSettings):
    """How this process runs. `HOLDFAST_PORT=9000` sets `port`; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    database_url: Annotated[str, AfterValidator(_is_postgresql)] | None = Field(default=None, repr=False)
    """PostgreSQL 15 or later: `postgresql://user:password@host:5432/holdfast`.
    Default: none, which means the embedded server in `data_dir`."""

    data_dir: Path = Path("data")
    """Directory of the embedded server and of the development issuer's key. Default: `./data`."""

    host: str = Field(default="127.0.0.1", min_length=1)
    """Address the API listens on; `0.0.0.0` for all. Default: `127.0.0.1`, this machine only."""

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port of the API; 0: any free port. Default: 8000."""

    trusted_proxies: Annotated[str, AfterValidator(_are_addresses)] | None = None
    """Addresses or networks of proxies, separated by commas, whose X-Forwarded-For is trusted; `*` for all.
    Default: none: the connecting address is the client's. Holds are limited per client address."""

    connections_per_address_max: int = Field(default=500, ge=1, le=1_000_000)
    """Maximum number of open connections from one address (for IPv6, from a /64) to a process, live streams included;
    no limit for trusted proxies. Default: 500."""

    worker_metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port on `host` where `holdfast work` serves its metrics; 0: any free port.
    Default: none, no metrics."""

    pool_max: int = Field(default=10, ge=1, le=1000)
    """Maximum number of database connections per process. An API process uses a fifth of them for creating bookings,
    three tenths for other changes and two fifths for reads, at least one each. Default: 10."""

    request_deadline_s: float = Field(default=1.8, ge=0.1, le=600)
    """Seconds a request may wait in total, for its turn, a lock, a connection or the database, before the response is
    503. Each of these waits gets a share of it. Default: 1.8."""

    redis_url: Annotated[str, AfterValidator(_is_redis)] | None = Field(default=None, repr=False)
    """Redis as a shared cache for availability snapshots: `redis://host:6379/0`, `rediss://`, `unix://`.
    Default: none, which means that each process caches them only in its memory."""

    unsafe_database: bool = False
    """Run on a database that may lose acknowledged bookings (fsync or full_page_writes off).
    For tests only. Default: false."""

    oidc_issuer: str | None = None
    """The trusted token issuer, exactly as in its tokens' `iss`: an https address. Default: none, which means the
    development issuer, whose key is in `data_dir`."""

    oidc_audience: str | None = None
    """The `aud` that tokens for this service carry; needed with `oidc_issuer`. Default: none."""

    oidc_algorithms: Literal["EdDSA", "ES", "RS", "PS"] = "RS"
    """The family of signature algorithms that the issuer uses. Default: `RS`."""

    oidc_jwks_url: str | None = None
    """URL of the issuer's keys. Default: none, which means the URL in its discovery document."""

    oidc_tenant_claim: str = Field(default="tenant", min_length=1)
    """The claim with the tenant's slug; may be a dotted path. Default: `tenant`."""

    oidc_roles_claim: str = Field(default="roles", min_length=1)
    """The claim with the roles; may be a dotted path such as `realm_access.roles`. Default: `roles`."""

    oidc_groups_claim: str = Field(default="groups", min_length=1)
    """The claim with the groups of guests that rules of venues may name; may be a dotted path. Default: `groups`."""

    live: bool = True
    """Serve the live channels (SSE and WebSocket). Default: true."""

    live_streams_max: int = Field(default=20_000, ge=1, le=1_000_000)
    """Maximum number of open live streams per process; fewer if the limit on open files is lower.
    Default: 20000."""

    allowed_origins: str | None = None
    """Origins besides the service's own whose pages may open a WebSocket, separated by commas, such as
    `https://console.example.com`. Default: none."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = "INFO"
    """Lowest level that is logged, as JSON on stderr. Default: `INFO`."""

    debug: bool = False
    """Also print the traceback if a command fails. Default: false."""

    @model_validator(mode="after")
    def _audience_is_named(self) -> Settings:
        if self.oidc_issuer and not self.oidc_audience:
            raise ValueError(f"{PREFIX}OIDC_ISSUER needs {PREFIX}OIDC_AUDIENCE: the `aud` of its tokens")
        return self

    def environ(self) -> dict[str, str]:
        """Returns these settings as environment variables, to start another process with the same settings."""
        values = self.model_dump(exclude_none=True)
        return {_variable(name): str(value) for name, value in values.items()}


def load_settings(**given: Any) -> Settings:
    """Reads the settings from the environment. `given` (from the command line) takes precedence, except values of None.

    Raises `SettingsError`, also when a HOLDFAST_ variable is not a setting.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    problems = _unknown_variables()
    try:
        settings = Settings(**chosen)
    except ValidationError as error:
        problems += [_sentence(each, chosen) for each in error.errors()]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _unknown_variables() -> list[str]:
    ours = sorted(name.upper() for name in os.environ if name.upper().startswith(PREFIX))
    given = [name.removeprefix(PREFIX).lower() for name in ours]
    known = NOT_SETTINGS.union(Settings.model_fields)
    return [_unknown(name, list(Settings.model_fields)) for name in given if name not in known]


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    hint = (
        f"did you mean {_variable(close[0])}?" if close else f"there are {', '.join(map(_variable, known))}."
    )
    return f"{_variable(name)} is not a setting: {hint}"


def _variable(field: str) -> str:
    return PREFIX + field.upper()


def _sentence(error: Any, chosen: dict[str, Any]) -> str:
    problem = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    if not error["loc"]:
        return f"{problem}."
    field = str(error["loc"][0]).removeprefix(PREFIX.lower())
    name = "--" + field.replace("_", "-") if field in chosen else _variable(field)
    # An address may hold a password.
    shown = name if field in ("database_url", "redis_url") else f"{name}={error['input']}"
    return f"{shown}: {problem}."
