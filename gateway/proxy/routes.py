"""Builds the routes of the proxied services: a proxied route is a FastAPI route.

So everything that holds for routes holds for it: the audit, `lockgate routes`, OpenAPI, guards
before the body, limits, body size. See `docs/decisions/proxied-routes.md`.
"""

from collections.abc import Iterable, Iterator, Sequence

from fastapi import APIRouter
from fastapi.params import Depends as Dependency
from starlette.responses import Response
from starlette.routing import BaseRoute

from gateway.auth.dependencies import public, requires
from gateway.auth.ownership import owner
from gateway.declaration.invalid_declaration import InvalidDeclaration
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.proxy.declaration.proxy import Proxy
from gateway.proxy.endpoint import ProxyEndpoint
from gateway.ratelimit.limited_dependency import limited
from gateway.tickets.redeem_ticket import accept_ticket


def create_proxy_router(proxies: Iterable[Proxy]) -> APIRouter:
    """Create a router with a route for each declaration, in their order.

    Raises:
        InvalidDeclaration: a declaration that was kept in spite of its mistakes is never served.
    """
    router = APIRouter()
    for proxy in proxies:
        if proxy.mistakes:
            raise InvalidDeclaration(proxy.name, proxy.mistakes)
        router.add_api_route(
            proxy.path,
            ProxyEndpoint(proxy),
            methods=list(proxy.methods),
            name=f"proxy_{proxy.to}",
            dependencies=list(_iter_dependencies(proxy)),
            max_body_size=proxy.max_body_bytes,
            response_class=Response,
            response_model=None,
            summary=f"Proxied to the service {proxy.to}",
            description=(
                f"Requests go on to the service `{proxy.to}`, which decides on bodies, statuses "
                "and schemas. Bodies are streamed both ways."
            ),
            tags=[proxy.to],
        )
    return router


def find_proxy(route: RouteContext) -> Proxy | None:
    """Return the declaration of a proxied route; None for any other route."""
    endpoint = getattr(route, "endpoint", None)
    return endpoint.proxy if isinstance(endpoint, ProxyEndpoint) else None


def find_proxied_services(routes: Sequence[BaseRoute | RouteContext]) -> dict[str, str]:
    """Find the services behind proxied routes by name, each with the first such route.

    A route has its place, as `ANY /stock/{path:path} in acme/routes.py:4`.
    """
    found: dict[str, str] = {}
    for route in iter_route_contexts(routes):
        if (proxy := find_proxy(route)) is not None:
            found.setdefault(proxy.to, f"{proxy} in {proxy.place}")
    return found


def _iter_dependencies(proxy: Proxy) -> Iterator[Dependency]:
    """Yield the guards in the order in which they decide."""
    if proxy.tickets:
        yield accept_ticket()
    if proxy.public is not None:
        yield public(proxy.public)
    else:
        yield requires(*proxy.scopes, dpop=proxy.dpop)
    if proxy.owner is not None:
        yield owner(proxy.owner)
    if proxy.policies:
        yield limited(*proxy.policies)
