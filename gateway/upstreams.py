"""The downstream services: which there are, where each one is, and an open client for each."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pkgutil import iter_modules

import httpx

import clients
from clients.opening import open_client
from clients.service import ServiceClient, service_clients
from config.mistakes import Mistake, SettingsMistaken, nearest
from config.settings import Service
from gateway.resources import Resources

Transports = Mapping[str, httpx.AsyncBaseTransport]


def known_services() -> dict[str, type[ServiceClient]]:
    """Every service there is a client for: one file each in `clients/`, found by being there."""
    for module in iter_modules(clients.__path__):
        import_module(f"clients.{module.name}")
    return service_clients()


def mistakes(upstreams: Mapping[str, Service]) -> list[Mistake]:
    """What is wrong between the services there are clients for and those that have an address."""
    known = known_services()
    unknown = [
        Mistake(f"upstreams.{name}", "there is no such service", nearest(name, known))
        for name in sorted(upstreams.keys() - known)
    ]
    homeless = [
        Mistake(
            f"upstreams.{name}.url",
            "the service has no address",
            f"set LOCKGATE_UPSTREAMS__{name.upper()}__URL",
        )
        for name in sorted(known.keys() - upstreams)
    ]
    return unknown + homeless


@asynccontextmanager
async def open_upstreams(
    upstreams: Mapping[str, Service], resources: Resources, transports: Transports
) -> AsyncIterator[None]:
    """Open a client for every service and offer it in `resources`; close them at the end.

    A transport in `transports` takes the place of the network for the service of that name.

    Raises:
        SettingsMistaken: a service without an address, or an address without a service.
    """
    if wrong := mistakes(upstreams):
        raise SettingsMistaken(wrong)
    async with AsyncExitStack() as stack:
        for name, kind in known_services().items():
            client = _client(kind, upstreams[name], transports.get(name))
            resources[kind] = await stack.enter_async_context(client)
        yield


def _client(
    kind: type[ServiceClient], service: Service, transport: httpx.AsyncBaseTransport | None
) -> ServiceClient:
    return open_client(
        kind,
        url=str(service.url),
        timeout=service.timeout,
        connect_timeout=service.connect_timeout,
        max_body_bytes=service.max_body_bytes,
        max_connections=service.max_connections,
        idle_seconds=service.idle_seconds,
        transport=transport or service.transport,
    )
