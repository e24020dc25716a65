"""The settings that the demo has in place of those of the package.

`lockgate explain` verifies the tokens of the demo with them, if the settings name no issuer.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import HttpUrl

from gateway.cli.demo_database import INTERNAL_ISSUER
from gateway.fakes.identity_endpoints import AUDIENCE, ISSUER, JWKS_PATH, OPS_AUDIENCE
from gateway.settings.schema import Identity, Issuer, Settings


def sign_internal_tokens(settings: Settings, key_file: Path) -> Settings:
    """Let the gateway sign internal tokens with this key, unless the settings have another."""
    if settings.identity.has_signing_keys:
        return settings
    identity = Identity(issuer=INTERNAL_ISSUER, signing_key_file=key_file)
    return settings.model_copy(update={"identity": identity})


def trust_identity_provider(settings: Settings, url: str) -> Settings:
    """Accept the tokens of the development identity provider at `url`, and no others."""
    issuer = Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=HttpUrl(url + JWKS_PATH))
    return settings.model_copy(update={"issuers": (issuer,)})


def replace_addresses(
    settings: Settings, fake_urls: Mapping[str, str], identity_url: str, *, use_any_port: bool
) -> Settings:
    """Replace the addresses of the services and of the identity provider with the fakes'.

    Without trusted proxies, this machine is one, with forward-auth, so that a check can be tried.
    The ops API runs beside the gateway, which is one process.
    """
    server = settings.server.model_dump() | {"host": "127.0.0.1", "allowed_hosts": ()}
    if not settings.server.trusted_proxies:
        server |= {"trusted_proxies": ["127.0.0.1/32"], "forward_auth": True}
    ops = settings.ops.model_dump() | {"host": "127.0.0.1", "audience": OPS_AUDIENCE}
    if use_any_port:
        server["port"] = ops["port"] = 0
    values: dict[str, Any] = settings.model_dump() | {"server": server, "ops": ops, "issuers": ()}
    values["counters"]["processes"] = 1
    for name, url in fake_urls.items():
        # Without the base path of the real address: a fake has the paths of the typed client.
        values["upstreams"].setdefault(name, {})["url"] = url
    return trust_identity_provider(Settings.model_validate(values), identity_url)


def list_replaced(settings: Settings, demo: Settings) -> Iterator[str]:
    """Yield the names of the settings that have another value in the demo, but for addresses."""
    for name in ("host", "allowed_hosts", "trusted_proxies", "forward_auth"):
        if getattr(settings.server, name) != getattr(demo.server, name):
            yield f"server.{name}"
    if settings.ops.host != demo.ops.host:
        yield "ops.host"
    if settings.ops.audience is not None:
        yield "ops.audience"
    if settings.counters.processes > 1:
        yield "counters.processes"
    if settings.database_url is not None:
        yield "database_url"
    if settings.issuers:
        yield "issuers"
