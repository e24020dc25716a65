"""The schema of all settings, as one frozen tree of models; `loader.py` loads it.

`config/lockgate.toml` lists every setting with its default and a comment.
"""

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway.settings.errors import PREFIX
from gateway.settings.header_types import (
    ClientAddressHeader,
    CorsRequestHeader,
    FieldName,
    ForwardedHeader,
    Headers,
)
from gateway.settings.host_patterns import AllowedHost
from gateway.settings.identity_section import Identity as Identity  # noqa: PLC0414 - for importers
from gateway.settings.issuer_types import (
    TENANT_PLACEHOLDER,
    Audience,
    IssuerName,
    Tenant,
    rename_algorithms,
)
from gateway.settings.network_types import Host, HostName, Network
from gateway.settings.ops_section import Ops as Ops  # noqa: PLC0414 - for importers
from gateway.settings.origins import ANY_ORIGIN, Origins
from gateway.settings.rate import Rate
from gateway.settings.section import Section, conflict
from gateway.settings.setting_types import (
    Bytes,
    ClientId,
    Count,
    DatabaseUrl,
    FilePath,
    Flag,
    KeyPrefix,
    Names,
    Number,
    Port,
    RatesText,
    RateText,
    RedisUrl,
    ScopeName,
    Seconds,
    Text,
)
from gateway.settings.url_types import (
    BaseHttpUrl,
    KeysProxy,
    KeyUrl,
    RootPath,
    UrlPath,
)

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


class App(Section):
    """The company's package, the settings that it declares for itself, and the name of its API."""

    package: Text | None = None
    settings: dict[str, Any] = {}
    title: Text = "Lockgate"
    description: str = "One request, one screen: an API gateway and backend for frontends."
    version: Text = "0.1.0"


class Server(Section):
    """The public port and the bounds on requests."""

    host: Host = "0.0.0.0"
    port: Port = 8000
    allowed_hosts: tuple[AllowedHost, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    client_address_header: ClientAddressHeader | None = None
    forward_auth: Flag = False
    max_in_flight: Count = 1_000
    max_streams: Count = 1_000
    max_streams_per_caller: Count | None = None
    max_body_bytes: Bytes = 1_048_576
    max_connections: Count | None = None
    idle_seconds: Seconds = 75
    head_seconds: Seconds = 15
    stall_seconds: Seconds = 30
    drain_seconds: Annotated[Number, Field(ge=0, le=3_600)] = 5
    shutdown_seconds: Annotated[int, Field(strict=True, ge=1, le=86_400)] = 30
    root_path: RootPath = ""
    root_path_is_stripped: Flag = False
    compression: Flag = True
    docs: Flag = True
    cors_origins: Origins = ()
    cors_credentials: Flag = False
    cors_request_headers: tuple[CorsRequestHeader, ...] = ()
    cors_response_headers: tuple[FieldName, ...] = ()
    cors_max_age_seconds: Annotated[int, Field(strict=True, ge=0, le=86_400)] = 7_200

    @model_validator(mode="after")
    def _require_trusted_proxies(self) -> Self:
        needs = {
            "client_address_header": "it is read from them only",
            "forward_auth": "only proxies listed there may ask",
        }
        for name, why in needs.items():
            if getattr(self, name) and not self.trusted_proxies:
                message = f"has no effect without trusted_proxies: {why}"
                raise conflict(message, name, "trusted_proxies", at=name)
        return self

    @property
    def streams_per_caller(self) -> int:
        """The streams that one caller may have: a tenth of all unless it is set, at least 1."""
        return self.max_streams_per_caller or max(self.max_streams // 10, 1)

    @model_validator(mode="after")
    def _require_streams_for_a_caller(self) -> Self:
        if self.streams_per_caller > self.max_streams:
            raise conflict(
                f"must be at most max_streams, which is {self.max_streams}",
                "max_streams_per_caller",
                "max_streams",
                at="max_streams_per_caller",
            )
        return self

    @model_validator(mode="after")
    def _require_root_path(self) -> Self:
        if self.root_path_is_stripped and not self.root_path:
            raise conflict(
                "has no effect without root_path",
                "root_path_is_stripped",
                "root_path",
                at="root_path_is_stripped",
            )
        return self

    @model_validator(mode="after")
    def _require_cors_origins(self) -> Self:
        for name in ("cors_credentials", "cors_request_headers", "cors_response_headers"):
            if getattr(self, name) and not self.cors_origins:
                raise conflict("has no effect without cors_origins", name, "cors_origins", at=name)
        return self

    @model_validator(mode="after")
    def _refuse_credentials_from_any_origin(self) -> Self:
        if self.cors_credentials and ANY_ORIGIN in self.cors_origins:
            raise conflict(
                "must not be true while cors_origins is *: list the origins",
                "cors_credentials",
                "cors_origins",
                at="cors_credentials",
            )
        return self


class Tls(Section):
    """TLS towards identity providers, services and Redis."""

    ca_file: FilePath | None = None


class Issuer(Section):
    """An identity provider whose tokens are accepted, and the names of its claims."""

    issuer: IssuerName
    tenants: tuple[Tenant, ...] = ()
    audience: Audience
    audience_claim: Literal["aud", "client_id", "azp", "cid", "appid"] = "aud"
    jwks_url: KeyUrl | None = None
    discovery_url: KeyUrl | None = None
    jwks_file: FilePath | None = None
    algorithms: Annotated[
        tuple[Algorithm, ...], Field(min_length=1), BeforeValidator(rename_algorithms)
    ] = ALGORITHMS
    clock_skew_seconds: Annotated[Number, Field(ge=0, le=60)] = 5
    scope_claim: Names = "scope"
    granted_scopes: tuple[ScopeName, ...] = ()
    user_claim: str = "sub"
    service_claim: str = "client_id"
    tenant_claim: str = "tenant"
    id_tokens: Flag = False

    @model_validator(mode="after")
    def _require_tenants_of_template(self) -> Self:
        if bool(self.tenants) != (TENANT_PLACEHOLDER in self.issuer):
            raise conflict(
                f"must be set if issuer contains {TENANT_PLACEHOLDER}, and only then",
                "tenants",
                "issuer",
                at="tenants",
            )
        return self

    @model_validator(mode="after")
    def _require_one_key_source(self) -> Self:
        sources = [self.jwks_url, self.discovery_url, self.jwks_file]
        if sum(source is not None for source in sources) != 1:
            raise conflict(
                "must set exactly one of jwks_url, discovery_url and jwks_file",
                "jwks_url",
                "discovery_url",
                "jwks_file",
            )
        return self


class Tokens(Section):
    """Bounds and caches for tokens and for the providers' keys."""

    max_bytes: Bytes = 8_192
    cache_entries: Count = 10_000
    cache_seconds: Annotated[Number, Field(ge=0, le=60)] = 60
    keys_refresh_seconds: Seconds = 300
    keys_cooldown_seconds: Seconds = 5
    keys_timeout_seconds: Seconds = 2
    keys_max_stale_seconds: Annotated[Number, Field(gt=0, le=31_536_000)] = 86_400
    keys_proxy: Annotated[KeysProxy | None, Field(repr=False)] = None
    max_lifetime_seconds: Annotated[Number, Field(ge=60, le=31_536_000)] = 2_592_000
    proof_seconds: Annotated[Number, Field(ge=1, le=300)] = 60
    wrong_key_limit: RateText = Rate(60, 60)

    @model_validator(mode="after")
    def _require_refresh_before_stale(self) -> Self:
        if self.keys_max_stale_seconds < self.keys_refresh_seconds:
            raise conflict(
                "must be at least tokens.keys_refresh_seconds",
                "keys_max_stale_seconds",
                "keys_refresh_seconds",
                at="keys_max_stale_seconds",
            )
        return self


MAX_TOKEN_SECONDS = 3_600
"""The maximum of `oauth.token_seconds`: no access token of the gateway lives longer."""


class OAuthSettings(Section):
    """The tokens that the gateway issues to OAuth clients, and the limits of their attempts."""

    token_seconds: Annotated[int, Field(strict=True, ge=60, le=MAX_TOKEN_SECONDS)] = 600
    address_limit: RateText = Rate(300, 60)
    client_limit: RateText = Rate(60, 60)


class Counters(Section):
    """The counters of the rate limits, in Redis and in this process."""

    timeout_ms: Annotated[Number, Field(gt=0, le=1_000)] = 20
    retry_ms: Annotated[Number, Field(gt=0, le=2_000)] = 500
    processes: Count = 1
    local_keys: Count = 100_000
    key_prefix: KeyPrefix = ""


class StorageSettings(Section):
    """The transactions in the database that `database_url` names."""

    timeout_seconds: Annotated[Number, Field(ge=0.1, le=60)] = 2
    max_connections: Annotated[int, Field(strict=True, ge=1, le=100)] = 4
    poll_seconds: Annotated[Number, Field(ge=0.05, le=60)] = 0.25


class RetrySettings(Section):
    """Retries of the calls to a service; one attempt means no retry."""

    attempts: Annotated[int, Field(strict=True, ge=1, le=10)] = 1
    backoff_ms: Annotated[Number, Field(gt=0, le=10_000)] = 25
    max_backoff_ms: Annotated[Number, Field(gt=0, le=60_000)] = 250
    budget_percent: Annotated[Number, Field(ge=0, le=100)] = 20
    budget_minimum: Annotated[int, Field(strict=True, ge=0, le=1_000)] = 3


class ServiceTls(Section):
    """TLS to one service: the CAs to trust, and the certificate of the gateway."""

    ca_file: FilePath | None = None
    client_certificate_file: FilePath | None = None
    client_key_file: FilePath | None = None
    client_key_password: SecretStr | None = None
    server_name: HostName | None = None

    @model_validator(mode="after")
    def _require_certificate(self) -> Self:
        for name in ("client_key_file", "client_key_password"):
            if getattr(self, name) is not None and self.client_certificate_file is None:
                raise conflict(
                    "needs client_certificate_file", name, "client_certificate_file", at=name
                )
        return self


class Service(Section):
    """A downstream service: its address, and the bounds on a call to it."""

    url: BaseHttpUrl
    timeout: Seconds = 2.0
    connect_timeout: Seconds = 1.0
    max_body_bytes: Bytes = 2_097_152
    max_connections: Count = 256
    idle_seconds: Seconds = 30
    max_age_seconds: Seconds = 300
    transport: Literal["lockgate", "httpx"] = "lockgate"
    headers: Headers = {}
    forward_headers: tuple[ForwardedHeader, ...] = ()
    forward_token: Flag = False
    internal_token: Flag = False
    forward_client_address: Literal["off", "x-forwarded-for", "forwarded"] = "off"
    accept_encoding: tuple[Literal["gzip", "deflate", "br", "zstd"], ...] = ()
    retry: RetrySettings = RetrySettings()
    tls: ServiceTls = ServiceTls()

    @model_validator(mode="after")
    def _require_https(self) -> Self:
        if self.url.scheme != "https" and self.tls != ServiceTls():
            raise conflict("needs a url that begins with https://", "tls", "url", at="tls")
        return self

    @model_validator(mode="after")
    def _require_one_authorization(self) -> Self:
        for name in ("forward_token", "internal_token"):
            if getattr(self, name) and "authorization" in self.headers:
                raise conflict(
                    "must not be set together with headers.authorization", name, "headers", at=name
                )
        if self.forward_token and self.internal_token:
            raise conflict(
                "must not be set together with forward_token: both are sent as Authorization",
                "internal_token",
                "forward_token",
                at="internal_token",
            )
        return self


class Demo(Section):
    """`lockgate demo`: the latency of the fake services, the client, and the printed commands."""

    latency_ms: Annotated[Number, Field(ge=0, le=3_600_000)] = 200
    user: Text = "42"
    path: UrlPath = "/docs"
    client: ClientId = "demo"
    commands: tuple[Text, ...] = ()


class Log(Section):
    """The log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(BaseSettings):
    """Every setting of Lockgate."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        validate_default=True,
    )

    redis_url: RedisUrl | None = None
    database_url: DatabaseUrl | None = None
    app: App = App()
    server: Server = Server()
    tls: Tls = Tls()
    issuers: tuple[Issuer, ...] = ()
    tokens: Tokens = Tokens()
    identity: Identity = Identity()
    oauth: OAuthSettings = OAuthSettings()
    counters: Counters = Counters()
    storage: StorageSettings = StorageSettings()
    limits: dict[str, RatesText] = {}
    upstreams: dict[str, Service] = {}
    ops: Ops = Ops()
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
        """Take the arguments alone: `loader.py` reads the environment, as one of its layers."""
        return (init_settings,)
