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
    """Address the API listens on; `0.0.0.0` for all. Default: `127.0.0.1`, this machine alone."""

    port: int = Field(default=8000, ge=0, le=65535)
    """TCP port of the API; 0 takes any that is free. Default: 8000."""

    trusted_proxies: Annotated[str, AfterValidator(_are_addresses)] | None = None
    """Addresses or networks of proxies, separated by commas, whose X-Forwarded-For is believed; `*` for all.
    Default: none: the address that connects is the client's. Holds are counted by it."""

    connections_per_address_max: int = Field(default=500, ge=1, le=1_000_000)
    """Connections that one address (of IPv6 a /64) may have open to a process, live streams included; trusted proxies
    may have any number. Default: 500."""

    worker_metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """TCP port on `host` where `holdfast work` answers with its metrics; 0 takes any that is free.
    Default: none, it doesn't."""

    pool_max: int = Field(default=10, ge=1, le=1000)
    """Connections to the database per process at most. An API process gives a fifth of them to creating bookings,
    three tenths to other changes and two fifths to reads, one each at least. Default: 10."""

    request_deadline_s: float = Field(default=1.8, ge=0.1, le=600)
    """A request that has waited this long in all, for its turn, a lock, a connection or the database, is answered
    with 503, seconds. Each of these waits has a part of it. Default: 1.8."""

    redis_url: Annotated[str, AfterValidator(_is_redis)] | None = Field(default=None, repr=False)
    """Redis that all processes keep snapshots of availability in: `redis://host:6379/0`, `rediss://`, `unix://`.
    Default: none, which means that each keeps its own in memory alone."""

    unsafe_database: bool = False
    """Run on a database that may lose acknowledged bookings (fsync or full_page_writes off).
    For tests alone. Default: false."""

    oidc_issuer: str | None = None
    """Whose tokens count, exactly as in their `iss`: an https address. Default: none, which means the
    development issuer, whose key lies in `data_dir`."""

    oidc_audience: str | None = None
    """The `aud` that tokens for this service carry; needed with `oidc_issuer`. Default: none."""

    oidc_algorithms: Literal["EdDSA", "ES", "RS", "PS"] = "RS"
    """The one family of the issuer's signatures. Default: `RS`."""

    oidc_jwks_url: str | None = None
    """Where the issuer's keys are. Default: none, which means where its discovery document says."""

    oidc_tenant_claim: str = Field(default="tenant", min_length=1)
    """The claim with the tenant's slug; a dotted path goes inside. Default: `tenant`."""

    oidc_roles_claim: str = Field(default="roles", min_length=1)
    """The claim with the roles; a dotted path such as `realm_access.roles`. Default: `roles`."""

    live: bool = True
    """Serve the live channels (SSE and WebSocket). Default: true."""

    live_streams_max: int = Field(default=20_000, ge=1, le=1_000_000)
    """Live streams that a process keeps open at most; fewer where the system allows it fewer open files.
    Default: 20000."""

    allowed_origins: str | None = None
    """Origins beside the service's own whose pages may open a WebSocket, separated by commas, such as
    `https://console.example.com`. Default: none."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
    ] = "INFO"
    """Log lines of this level and above are written, as JSON on stderr. Default: `INFO`."""

    debug: bool = False
    """A command that fails shows the traceback as well. Default: false."""

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
