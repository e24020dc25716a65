"""The routes of an app with what they declare: access, rate limits, services and composites."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from urllib.parse import quote

from fastapi import FastAPI

from gateway.aggregation.dependency import LoadComposite
from gateway.aggregation.model import Composite
from gateway.auth.dependencies import Public
from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, iter_audited_routes, iter_calls
from gateway.open_clients import find_route_clients
from gateway.proxy.declaration.methods import PROXIED_METHODS, format_methods
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.compat.decorated_routes import list_limit_texts
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.used_policies import list_route_policies
from gateway.request_path import InvalidPath, decode_path
from gateway.route_audit import list_kinds, locate_endpoint
from gateway.settings.errors import ConfigError

_PARAMETER = re.compile(r"\{[^{}]*\}")


@dataclass(frozen=True, slots=True)
class RouteSummary:
    """One method of a route. `limits` are the policies with the rates that are in force.

    `slowapi_limits` are the texts of the limits that decorators of slowapi have given to it.

    `path_format` is the path without convertors, as in OpenAPI: `/files/{name}` of
    `/files/{name:path}`. `services` are the names of the services that it calls. `proxy` is the
    declaration of a proxied route.
    """

    method: str
    path: str
    path_format: str
    access: Requires | Public | None
    limits: tuple[Policy, ...]
    slowapi_limits: tuple[str, ...]
    services: tuple[str, ...]
    composites: tuple[type[Composite], ...]
    file: str
    line: int
    proxy: Proxy | None = None

    def __str__(self) -> str:
        """Format as `GET /path`."""
        return f"{self.method} {self.path}"


def list_routes(app: FastAPI, policies: Mapping[str, Policy]) -> list[RouteSummary]:
    """List every route of `app` in the order in which they are matched.

    `policies` by their names replace the declared ones, because the settings may set other rates.
    """
    return [
        entry
        for route in iter_audited_routes(app.router)
        for entry in _iter_entries(route, policies)
    ]


def list_limits(app: FastAPI) -> list[tuple[str, tuple[Policy, ...]]]:
    """List every route of `app` as `GET /path`, with the policies as it declares them."""
    return [(describe_group(it), it[0].limits) for it in group_methods(list_routes(app, {}))]


def group_methods(listed: Iterable[RouteSummary]) -> Iterator[Sequence[RouteSummary]]:
    """Yield the methods of a proxied route together, and of a route that has all methods.

    Each method of another route is a group of its own.
    """
    for _, group in groupby(listed, key=lambda it: (it.path, it.file, it.line, id(it.proxy))):
        methods = list(group)
        if methods[0].proxy or {it.method for it in methods} == set(PROXIED_METHODS):
            yield methods
        else:
            yield from ([method] for method in methods)


def describe_methods(group: Sequence[RouteSummary]) -> str:
    """Format the methods of one group: `GET`, `GET/POST/HEAD`, or `ANY`."""
    proxy = group[0].proxy
    return proxy.method_text if proxy else format_methods(it.method for it in group)


def describe_group(group: Sequence[RouteSummary]) -> str:
    """Format a group as `GET /path`."""
    return f"{describe_methods(group)} {group[0].path}"


def find_unreachable(routes: Iterable[RouteSummary]) -> Iterator[ConfigError]:
    """Find routes whose path is one that the gateway refuses, as one with an empty segment."""
    for group in group_methods(routes):
        route = group[0]
        path = _PARAMETER.sub("parameter", route.path_format)
        try:
            decode_path(quote(path).encode())
        except InvalidPath as error:
            message = f"no request can reach it: the path {error}"
            place = f"{route.file}:{route.line}"
            yield ConfigError(describe_group(group), message, source=place)


def _iter_entries(route: RouteContext, policies: Mapping[str, Policy]) -> Iterator[RouteSummary]:
    calls = list(iter_calls(route.dependant))
    composites = [call.model for call in calls if isinstance(call, LoadComposite)]
    file, line = locate_endpoint(route)
    endpoint = getattr(route, "endpoint", None)
    proxy = find_proxy(route)
    services = [kind.name for kind in find_route_clients(route)]
    access = find_access(route.dependant)
    limits = tuple(policies.get(it.name, it) for it in list_route_policies(route))
    for method in list_kinds(route):
        yield RouteSummary(
            method=method,
            path=str(route.path),
            path_format=route.path_format or str(route.path),
            access=access,
            limits=limits,
            slowapi_limits=tuple(list_limit_texts([*calls, endpoint], method)),
            services=(*services, proxy.to) if proxy else tuple(services),
            composites=tuple(composites),
            file=file,
            line=line,
            proxy=proxy,
        )
