"""Finds settings of services that have no effect, because only proxied routes use the service."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from gateway.proxy.declaration.proxy import Proxy
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Service

_HINTS = {
    "forward_token": "remove it, and give the route forward_token=True",
    "forward_headers": "remove it: a proxied route sends the header fields of the caller",
    "internal_token": 'remove it: identity="token" of the route is the default',
    "max_body_bytes": "remove it; max_body_bytes of the route bounds request bodies",
    "accept_encoding": "remove it: a proxied route sends the Accept-Encoding of the caller",
    "retry": "remove it: a proxied request is not retried",
}
"""What to do about each setting that only typed clients use."""


def find_unused_settings(
    upstreams: Mapping[str, Service], clients: Collection[str], proxies: Sequence[Proxy]
) -> Iterator[ConfigError]:
    """Yield an error for each setting that only the calls of a client would have."""
    first = {proxy.to: proxy for proxy in reversed(proxies)}
    for name, service in upstreams.items():
        if name not in first or name in clients:
            continue
        proxy = first[name]
        for setting, hint in _HINTS.items():
            if getattr(service, setting) != Service.model_fields[setting].default:
                yield ConfigError(
                    f"upstreams.{name}.{setting}",
                    "has no effect: it is for typed clients, and only proxied routes use the "
                    f"service, such as {proxy} in {proxy.place}",
                    hint,
                )
