"""WebSocket routes whose service has a transport that cannot serve them."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.proxy.declaration.proxy import Proxy
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Service


def find_websocket_conflicts(
    upstreams: Mapping[str, Service], proxies: Iterable[Proxy]
) -> Iterator[ConfigError]:
    """Find the services with `transport = "httpx"` behind a WebSocket route."""
    for proxy in proxies:
        service = upstreams.get(proxy.to)
        if proxy.websocket and service is not None and service.transport != "lockgate":
            yield ConfigError(
                f"upstreams.{proxy.to}.transport",
                f"is {service.transport!r}, which has no WebSockets, and {proxy} accepts them"
                f" ({proxy.place})",
                'set it to "lockgate", or remove websocket=True from the route',
            )
