"""The downstream services: which of them the routes use, a transport and a client for each."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from logging import WARNING, getLogger
from pathlib import Path
from typing import NamedTuple

import httpx
from pydantic import HttpUrl
from starlette.routing import BaseRoute

from gateway.client_fields import ClientFields
from gateway.fastapi_internals import RouteContext, iter_calls, iter_route_contexts
from gateway.resources import ResourceLookup, Resources
from gateway.settings.errors import ConfigError, find_nearest, get_variable, suggest_nearest
from gateway.settings.schema import Server, Service, Settings
from gateway.telemetry.log import log_event
from gateway.transport.tls import ClientTls, InvalidTlsFile
from gateway.upstream.client import ServiceClient
from gateway.upstream.open_client import create_transport, open_client
from gateway.upstream.service_headers import GetRequestFields
from gateway.upstream.tls_settings import create_client_tls, find_expired_certificate

log = getLogger("lockgate.upstream")

Clients = Mapping[str, type[ServiceClient]]
Transports = Mapping[str, httpx.AsyncBaseTransport]
Upstreams = Mapping[str, Service]


class OpenService(NamedTuple):
    """The settings of a service, and the open transport to it."""

    service: Service
    transport: httpx.AsyncBaseTransport


class OpenServices(dict[str, OpenService]):
    """The open services by name: a resource."""


def find_upstream_errors(
    upstreams: Upstreams,
    clients: Clients,
    used: Mapping[type[ServiceClient], str],
    proxied: Mapping[str, str],
    *,
    replaced: Collection[str] = (),
) -> list[ConfigError]:
    """Find upstreams that are not used, and services that are undeclared or have no address.

    `used` maps each client in use to a route that uses it; see `find_used_clients`. `proxied` maps
    the name of each service behind a proxied route to that route with its place; such a service
    needs no client. A service in `replaced` has a transport instead of an address.
    """
    services = clients.keys() | proxied.keys()
    names = sorted(upstreams.keys() - services)
    unused = [_report_unused(name, clients, proxied) for name in names]
    # An unused upstream is probably the misspelt name of the service that has no address. For a
    # proxied route, the upstream may as well be right and the route wrong: both are reported.
    misspelt = {find_nearest(name, services) for name in names} - proxied.keys()
    called = {kind.name: used[kind] for kind in used if clients.get(kind.name) is kind}
    unaddressed = [
        ConfigError(
            f"upstreams.{name}.url",
            f"the service has no address, and {route} calls it",
            _suggest_address(name, upstreams),
        )
        for name, route in {**called, **proxied}.items()
        if name not in upstreams.keys() | misspelt | set(replaced)
    ]
    undeclared = [
        ConfigError(
            f"{kind.__module__}.{kind.__name__}",
            f"{route} uses this client, but the gateway does not open it",
            f"define it in the package's clients, as the only one with name={kind.name!r}",
        )
        for kind, route in used.items()
        if clients.get(kind.name) is not kind
    ]
    return unused + unaddressed + undeclared


def _report_unused(name: str, clients: Clients, proxied: Mapping[str, str]) -> ConfigError:
    message = "no client and no proxied route uses this service"
    return ConfigError(f"upstreams.{name}", message, _suggest(name, clients, proxied))


def _suggest(name: str, clients: Clients, proxied: Mapping[str, str]) -> str:
    """Return a hint at the service that an unused upstream may be the address of."""
    services = clients.keys() | proxied.keys()
    near = find_nearest(name, services)
    if near in proxied.keys() - clients.keys():
        return f"did you mean {near}, which {proxied[near]} calls?"
    return suggest_nearest(name, services)


def _suggest_address(name: str, upstreams: Upstreams) -> str:
    near = find_nearest(name, upstreams)
    setting = f"set {get_variable(f'upstreams.{name}.url')}"
    return f"did you mean {near}? Otherwise {setting}" if near else setting


def find_used_clients(
    routes: Sequence[BaseRoute | RouteContext],
) -> dict[type[ServiceClient], str]:
    """Find the clients that routes use through `Upstream[...]`, each with the first such route."""
    used: dict[type[ServiceClient], str] = {}
    for route in iter_route_contexts(routes):
        for kind in find_route_clients(route):
            used.setdefault(kind, f"{route.path}")
    return used


def find_used_resources(routes: Sequence[BaseRoute | RouteContext]) -> dict[type, str]:
    """Find the types of all resources that routes use, each with the first such route."""
    used: dict[type, str] = {}
    for route in iter_route_contexts(routes):
        for kind in _iter_resource_types(route):
            used.setdefault(kind, f"{route.path}")
    return used


def find_route_clients(route: RouteContext) -> list[type[ServiceClient]]:
    """Find the clients that a route uses, each once."""
    kinds = _iter_resource_types(route)
    return list(dict.fromkeys(kind for kind in kinds if issubclass(kind, ServiceClient)))


@asynccontextmanager
async def open_clients(
    settings: Settings,
    clients: Clients,
    transports: Transports,
    resources: Resources,
    *,
    request_fields: Mapping[str, GetRequestFields] | None = None,
) -> AsyncIterator[None]:
    """Open the transport of every service that has an address, and its client, into `resources`.

    The client of a service and its proxied routes share the transport, so that `max_connections`
    bounds both. A transport in `transports` replaces the network for the service of that name,
    which then needs no address. A client with neither an address nor a transport is not opened.
    `request_fields` has further fields for the calls of a request, by the name of the service.
    """
    further = request_fields or {}
    services = resources[OpenServices] = OpenServices()
    async with AsyncExitStack() as stack:
        for name in settings.upstreams.keys() | transports.keys():
            service = settings.upstreams.get(name) or Service(url=HttpUrl(f"http://{name}.invalid"))
            transport = transports.get(name)
            if transport is None:
                tls = await _create_tls(name, service, settings.tls.ca_file)
                transport = create_transport(service, tls)
            stack.push_async_callback(transport.aclose)
            services[name] = OpenService(service, transport)
            if (kind := clients.get(name)) is not None:
                fields: tuple[GetRequestFields, ...] = (
                    *_list_client_fields(service, settings.server),
                    *([further[name]] if name in further else []),
                )
                client = open_client(kind, service, transport, request_fields=fields)
                resources[kind] = await stack.enter_async_context(client)
        yield


def _list_client_fields(service: Service, server: Server) -> list[GetRequestFields]:
    form = service.forward_client_address
    return [] if form == "off" else [ClientFields(form, server)]


async def _create_tls(name: str, service: Service, ca_file: Path | None) -> ClientTls:
    def log_error(error: InvalidTlsFile) -> None:
        setting = f"upstreams.{name}.tls.{error.name}"
        log_event(log, "tls.reload_failed", WARNING, setting=setting, reason=str(error))

    expired = await asyncio.to_thread(find_expired_certificate, service)
    if expired is not None:
        setting = f"upstreams.{name}.tls.client_certificate_file"
        log_event(log, "tls.certificate_expired", WARNING, setting=setting, expired=f"{expired}")
    return create_client_tls(service, ca_file, log_error)


def _iter_resource_types(route: RouteContext) -> Iterator[type]:
    """Yield the types of the resources that a route or one of its dependencies needs."""
    if (dependant := getattr(route, "dependant", None)) is not None:
        for call in iter_calls(dependant):
            if isinstance(call, ResourceLookup):
                yield call.kind
