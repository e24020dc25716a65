"""Routes whose total timeout is below the timeout of their service."""

from collections.abc import Iterable, Iterator, Mapping

from gateway.proxy.declaration.proxy import Proxy
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Service


def find_timeout_conflicts(
    upstreams: Mapping[str, Service], proxies: Iterable[Proxy]
) -> Iterator[ConfigError]:
    """Find the routes without a `timeout` whose `total_timeout` is below that of the service.

    `Proxy` compares the two timeouts of a route itself.
    """
    for proxy in proxies:
        service = upstreams.get(proxy.to)
        if service is None or proxy.timeout is not None or proxy.total_timeout is None:
            continue
        if proxy.total_timeout < service.timeout:
            yield ConfigError(
                str(proxy),
                f"total_timeout is {proxy.total_timeout}; it must not be below"
                f" upstreams.{proxy.to}.timeout, which is {service.timeout}",
                "raise it, or give the route a timeout of its own",
                proxy.place,
            )
