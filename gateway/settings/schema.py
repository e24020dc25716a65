"""The whole environment as one frozen tree; `loading.py` reads it.

`lockgate.toml` lists every setting with its default and a comment.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

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


def _fit_for_keys(url: HttpUrl) -> HttpUrl:
    if url.scheme != "https" and url.host not in {"localhost", "127.0.0.1", "[::1]"}:
        raise ValueError("keys travel over https; plain http is only for loopback")
    return url


def _rate(value: object) -> object:
    return Rate.parse(value) if isinstance(value, str) else value


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    """Names in lower case. A message never quotes a value, which may be a secret."""
    for name, value in headers.items():
        _check_header_name(name)
        if not FIELD_VALUE.fullmatch(value.get_secret_value().encode()):
            raise ValueError(f"the value of {name} has characters that a header cannot have")
    return {name.lower(): value for name, value in headers.items()}


def _check_forward_headers(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        _check_header_name(name)
        if name.lower() == "authorization":
            raise ValueError("authorization: set forward_token, which sends verified tokens only")
    return tuple(name.lower() for name in names)


def _check_header_name(name: str) -> None:
    if not TOKEN.fullmatch(name.encode()):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in CONNECTION_FIELDS | {"accept-encoding"}:
        raise ValueError(f"{name} is set by the gateway itself")


KeyUrl = Annotated[HttpUrl, AfterValidator(_fit_for_keys)]
RateText = Annotated[Rate, BeforeValidator(_rate)]
Network = IPv4Network | IPv6Network


class Section(BaseModel):
    """A part of the tree: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class App(Section):
    """The company's package: its clients, composites and limits."""

    package: str | None = None


class Server(Section):
    """The public listener."""

    host: str = "0.0.0.0"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    trusted_proxies: tuple[Network, ...] = ()
    max_in_flight: PositiveInt = 1_000
    max_body_bytes: PositiveInt = 1_048_576
    shutdown_seconds: PositiveInt = 30


class Issuer(Section):
    """An identity provider whose tokens are taken, and how its claims are read."""

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
    def _one_source_of_keys(self) -> Self:
        given = [self.jwks_url, self.discovery_url, self.jwks_file]
        if sum(source is not None for source in given) != 1:
            raise ValueError("name exactly one of jwks_url, discovery_url and jwks_file")
        return self


def _one_space_of_user_ids(issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
    """Two providers may give one id to two people, and `owner` would take them for one."""
    naming_users = [issuer for issuer in issuers if issuer.user_claim]
    if len(naming_users) > 1:
        for issuer in naming_users:
            if "user_claim" not in issuer.model_fields_set:
                raise ValueError(
                    f"several issuers name users, so {issuer.issuer} must say its user_claim: "
                    'the claim that holds an id of your users, or "" if its tokens name none'
                )
    return issuers


class Tokens(Section):
    """How tokens and the keys behind them are handled."""

    max_bytes: PositiveInt = 8_192
    cache_entries: PositiveInt = 10_000
    cache_seconds: Annotated[float, Field(ge=0, le=60)] = 60
    keys_refresh_seconds: PositiveFloat = 300
    keys_cooldown_seconds: PositiveFloat = 5
    keys_timeout_seconds: PositiveFloat = 2


class Counters(Section):
    """How requests are counted, and what bounds the counting."""

    timeout_ms: Annotated[float, Field(gt=0, le=1_000)] = 20
    retry_ms: Annotated[float, Field(gt=0, le=2_000)] = 500
    processes: PositiveInt = 1
    local_keys: PositiveInt = 100_000


class RetrySettings(Section):
    """How calls to a service are repeated; one attempt means never."""

    attempts: Annotated[int, Field(ge=1, le=10)] = 1
    backoff_ms: Annotated[float, Field(gt=0, le=10_000)] = 25
    max_backoff_ms: Annotated[float, Field(gt=0, le=60_000)] = 250
    budget_percent: Annotated[float, Field(ge=0, le=100)] = 20
    budget_minimum: Annotated[int, Field(ge=0, le=1_000)] = 3


class Service(Section):
    """A downstream service: where it is and what a call to it may cost."""

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


class Demo(Section):
    """The five demo services."""

    latency_ms: NonNegativeFloat = 200


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
    issuers: Annotated[tuple[Issuer, ...], AfterValidator(_one_space_of_user_ids)] = ()
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
        """The environment wins over what is given in code, which is what the file said."""
        return env_settings, init_settings
