"""Finds the routes and services that are sent internal tokens, which no key would sign."""

from collections.abc import Iterator, Sequence

from gateway.proxy.declaration.proxy import Proxy
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Settings

_CREATE_KEY = (
    "run `lockgate signing-keys rotate --file FILE`, and set identity.issuer and"
    " identity.signing_key_file; or with database_url, run `lockgate key-file create --file FILE`,"
    " and set identity.issuer and identity.key_file"
)


def find_missing_key_errors(settings: Settings, proxies: Sequence[Proxy]) -> list[ConfigError]:
    """Find what needs a signing key, if the settings have none."""
    if settings.identity.has_signing_keys:
        return []
    return [*_find_services(settings), *_find_routes(proxies)]


def _find_services(settings: Settings) -> Iterator[ConfigError]:
    for name, service in settings.upstreams.items():
        if service.internal_token:
            message = "is set, but there is no key to sign the token with"
            yield ConfigError(f"upstreams.{name}.internal_token", message, _CREATE_KEY)


def _find_routes(proxies: Sequence[Proxy]) -> Iterator[ConfigError]:
    """Report one error for all routes: one key serves them. A public route has no caller."""
    signed = [proxy for proxy in proxies if proxy.identity == "token" and proxy.public is None]
    if not signed:
        return
    is_one = len(signed) == 1
    routes = f"{signed[0]} sends" if is_one else f"{signed[0]} and {len(signed) - 1} more send"
    yield ConfigError(
        "identity.signing_key_file",
        f"is required: the proxied route{'' if is_one else 's'} {routes} an internal token",
        f'{_CREATE_KEY}; or give the route identity="headers" or identity="none"',
    )
