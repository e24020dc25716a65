"""The schema of all settings, as one frozen tree of models; `loader.py` loads it.

`config/lockgate.toml` lists every setting with its default and a comment.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    RedisDsn,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.http1_grammar import CONNECTION_FIELDS, FIELD_VALUE, TOKEN
from gateway.settings.rate import Rate

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


_GATEWAY_FIELDS = CONNECTION_FIELDS | {
    "accept-encoding",
    "traceparent",
    "tracestate",
    "x-request-id",
}
"""Fields of upstream calls that the gateway sets itself."""


def _require_https(url: HttpUrl) -> HttpUrl:
    if url.scheme != "https" and url.host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise ValueError("keys must be fetched over https; plain http is allowed for loopback only")
    return url


def _parse_rate(value: object) -> object:
    return Rate.parse(value) if isinstance(value, str) else value


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Names in lower case. A message never quotes a value, which may be a secret."""
    lowered: dict[str, SecretStr] = {}
    for name, value in headers.items():
        _check_header_name(name)
        text = value.get_secret_value()
        if not text.isascii() or not FIELD_VALUE.fullmatch(text.encode()):
            raise ValueError(
                f"the value of {name} has characters that a header cannot have; use printable ASCII"
            )
        if name.lower() in lowered:
            raise ValueError(
                f"{name} is set twice: header names are the same in upper and lower case; "
                "write it the same way in all files and variables"
            )
        lowered[name.lower()] = value
    return lowered


def _check_forward_headers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names in lower case."""
    lowered = tuple(name.lower() for name in names)
    for name in lowered:
        _check_header_name(name)
        if name == "authorization":
            raise ValueError("authorization: set forward_token, which sends verified tokens only")
        if name in {"expect", "proxy-authorization"} or name.startswith("content-"):
            raise ValueError(f"{name} cannot be forwarded: it is about the incoming request only")
    return lowered


def _check_header_name(name: str) -> None:
    if not TOKEN.fullmatch(name.encode()):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in _GATEWAY_FIELDS:
        raise ValueError(f"{name} is set by the gateway itself")


KeyUrl = Annotated[HttpUrl, AfterValidator(_require_https)]
RateText = Annotated[Rate, BeforeValidator(_parse_rate)]
Network = IPv4Network | IPv6Network


class Section(BaseModel):
    """Base class of all tables: frozen, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class App(Section):
    """The company's package, and the settings that it declares for itself."""

    package: str | None = None
    settings: dict[str, Any] = {}


class Server(Section):
    """The public port and the bounds on requests."""

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    trusted_proxies: tuple[Network, ...] = ()
    max_in_flight: PositiveInt = 1_000
    max_body_bytes: PositiveInt = 1_048_576
    shutdown_seconds: PositiveInt = 30


class Issuer(Section):
    """An identity provider whose tokens are accepted, and the names of its claims."""

    issuer: Annotated[str, Field(min_length=1)]
    audience: Annotated[str, Field(min_length=1)]
    jwks_url: KeyUrl | None = None
    discovery_url: KeyUrl | None = None
    jwks_file: Path | None = None
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)] = ALGORITHMS
    clock_skew_seconds: Annotated[float, Field(ge=0, le=60)] = 5
    scope_claim: str = "scope"
    user_claim: str = "sub"
    service_claim: str = "client_id"
    tenant_claim: str = "tenant"

    @model_validator(mode="after")
    def _require_one_key_source(self) -> Self:
        sources = [self.jwks_url, self.discovery_url, self.jwks_file]
        if sum(source is not None for source in sources) != 1:
            raise ValueError("set exactly one of jwks_url, discovery_url and jwks_file")
        return self


def _require_user_claims(issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    """Require an explicit `user_claim` where several providers issue user ids.

    Two providers may give the same id to two people, and `owner` could not tell them apart.
    """
    with_users = [issuer for issuer in issuers if issuer.user_claim]
    if len(with_users) > 1:
        for issuer in with_users:
            if "user_claim" not in issuer.model_fields_set:
                raise ValueError(
                    f"several issuers have users, so {issuer.issuer} must set user_claim: the "
                    'claim with the id of your users, or "" if its tokens have no user'
                )
    return issuers


class Tokens(Section):
    """Bounds and caches for tokens and for the providers' keys."""

    max_bytes: PositiveInt = 8_192
    cache_entries: PositiveInt = 10_000
    cache_seconds: Annotated[float, Field(ge=0, le=60)] = 60
    keys_refresh_seconds: PositiveFloat = 300
    keys_cooldown_seconds: PositiveFloat = 5
    keys_timeout_seconds: PositiveFloat = 2


class Counters(Section):
    """The counters of the rate limits, in Redis and in this process."""

    timeout_ms: Annotated[float, Field(gt=0, le=1_000)] = 20
    retry_ms: Annotated[float, Field(gt=0, le=2_000)] = 500
    processes: PositiveInt = 1
    local_keys: PositiveInt = 100_000


class RetrySettings(Section):
    """Retries of the calls to a service; one attempt means no retry."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 1
    backoff_ms: Annotated[float, Field(gt=0, le=10_000)] = 25
    max_backoff_ms: Annotated[float, Field(gt=0, le=60_000)] = 250
    budget_percent: Annotated[float, Field(ge=0, le=100)] = 20
    budget_minimum: Annotated[int, Field(ge=0, le=1_000)] = 3


class Service(Section):
    """A downstream service: its address, and the bounds on a call to it."""

    url: HttpUrl
    timeout: PositiveFloat = 2.0
    connect_timeout: PositiveFloat = 1.0
    max_body_bytes: PositiveInt = 2_097_152
    max_connections: PositiveInt = 256
    idle_seconds: PositiveFloat = 30
    transport: Literal["lockgate", "httpx"] = "lockgate"
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = {}
    forward_headers: Annotated[tuple[str, ...], AfterValidator(_check_forward_headers)] = ()
    forward_token: bool = False
    retry: RetrySettings = RetrySettings()

    @model_validator(mode="after")
    def _require_one_authorization(self) -> Self:
        if self.forward_token and "authorization" in self.headers:
            raise ValueError("set either forward_token or headers.authorization, not both")
        return self


class Demo(Section):
    """What `lockgate demo` starts: the latency of the fake services, and the line to paste."""

    latency_ms: NonNegativeFloat = 200
    user: Annotated[str, Field(min_length=1)] = "42"
    path: Annotated[str, Field(pattern="^/")] = "/docs"


class Log(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(BaseSettings):
    """Every setting of Lockgate."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="LOCKGATE_",
        env_nested_delimiter="__",
        validate_default=True,
    )

    redis_url: RedisDsn | None = None
    app: App = App()
    server: Server = Server()
    issuers: Annotated[tuple[Issuer, ...], AfterValidator(_require_user_claims)] = ()
    tokens: Tokens = Tokens()
    counters: Counters = Counters()
    limits: dict[str, RateText] = {}
    upstreams: dict[str, Service] = {}
    demo: Demo = Demo()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the arguments, which come from the files."""
        return env_settings, init_settings
