"""`TicketRoutes`: the routes that accept tickets, and the access rules of each."""

from collections.abc import Iterable, Mapping

from starlette.types import Scope

from gateway.auth.dependencies import Authorize
from gateway.auth.ownership import Owner
from gateway.fastapi_internals import RouteContext, iter_calls
from gateway.routing.compiler import compile_guards
from gateway.routing.dispatcher import RouteEntry, RouteTable
from gateway.routing.response_endpoint import ResponseEndpoint
from gateway.routing.route_guards import RouteGuards
from gateway.routing.target_scope import build_target_scope
from gateway.tickets.redeem_ticket import AcceptTicket


def accepts_tickets(route: RouteContext) -> bool:
    """Whether a route redeems tickets."""
    dependant = getattr(route, "dependant", None)
    return dependant is not None and any(
        isinstance(call, AcceptTicket) for call in iter_calls(dependant)
    )


class RefusedPath(Exception):
    """The route of a path refuses each request with it; the message is a sentence."""


class TicketRoutes:
    """The routes of a table that accept tickets, with their access rules compiled."""

    def __init__(self, table: RouteTable) -> None:
        self._table = table
        self._rules = dict(_compile_rules(table.entries))

    async def authorize(self, scope: Scope, path: bytes) -> str | None:
        """Require that the caller of a request may GET a path; return the path of the route.

        That is the path as `decode_path` decodes it, without `root_path`. None if no route with
        this path accepts tickets. Only `requires` and `owner` are called: what a route counts, it
        counts when the ticket is redeemed.

        Raises:
            InvalidPath: no request can have this path.
            RefusedPath: the route refuses each request with this path.
            Forbidden: the caller may not call the route.
        """
        target = build_target_scope(scope, "GET", path)
        found = self._table.match(target)
        rules = None if found is None else self._rules.get(found[0])
        if found is None or rules is None:
            return None
        await rules.admit(target, found[1])
        _check_path(target, *found)
        route_path: str = target["path"]
        return route_path


def _compile_rules(entries: Iterable[RouteEntry]) -> Iterable[tuple[RouteEntry, RouteGuards]]:
    for entry in entries:
        if accepts_tickets(entry.route):
            rules = compile_guards(entry.route, (Authorize, Owner))
            if rules is not None:
                yield entry, rules


def _check_path(target: Scope, entry: RouteEntry, path_params: Mapping[str, object]) -> None:
    """Raise a RefusedPath if the endpoint of a route refuses each request with this path."""
    endpoint = getattr(entry.route, "endpoint", None)
    if isinstance(endpoint, ResponseEndpoint):
        fault = endpoint.find_path_fault({**target, "path_params": path_params})
        if fault:
            raise RefusedPath(fault)
