"""A typed client from what is set about its service."""

from typing import Literal, TypeVar

import httpx

from gateway.transport.transport import Transport
from gateway.upstream.client import ServiceClient

Client = TypeVar("Client", bound=ServiceClient)


def open_client(  # noqa: PLR0913 - one keyword per setting of a service
    kind: type[Client],
    *,
    url: str,
    timeout: float,
    connect_timeout: float,
    max_body_bytes: int,
    max_connections: int,
    idle_seconds: float,
    transport: Literal["lockgate", "httpx"] | httpx.AsyncBaseTransport,
) -> Client:
    """A client of that kind, to be used with `async with`; the units are the settings' own.

    `transport` is ours, httpx's own (its HTTP/1.1, one pool), or one that is open already.

    Raises:
        ValueError: `url` is not the address of a service.
    """
    if transport == "lockgate":
        transport = Transport(max_connections=max_connections, idle_seconds=idle_seconds)
    elif transport == "httpx":
        transport = _of_httpx(max_connections, idle_seconds)
    return kind(
        url,
        timeout=timeout,
        connect_timeout=connect_timeout,
        max_body_bytes=max_body_bytes,
        transport=transport,
    )


def _of_httpx(max_connections: int, idle_seconds: float) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(
        max_connections=max_connections,
        max_keepalive_connections=max_connections,
        keepalive_expiry=idle_seconds,
    )
    return httpx.AsyncHTTPTransport(trust_env=False, limits=limits, retries=0)
