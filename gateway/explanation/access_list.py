"""The list of access rules: the routes by required scope, and the services behind them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.auth.dependencies import Public
from gateway.auth.route_access import Requires
from gateway.route_list import RouteSummary, describe_methods, group_methods


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """A route with who may call it. `methods` is one method, several with slashes, or ANY."""

    methods: str
    path: str
    access: Requires | Public | None
    services: tuple[str, ...]

    def __str__(self) -> str:
        """Format as `GET /path`."""
        return f"{self.methods} {self.path}"


@dataclass(frozen=True, slots=True)
class AccessList:
    """The routes by scopes, the routes for any valid token, the public ones, and all by service.

    A token needs all the scopes of a key; a route is listed once.
    """

    scopes: dict[frozenset[str], list[AccessEntry]] = field(default_factory=dict)
    any_token: list[AccessEntry] = field(default_factory=list)
    public: list[AccessEntry] = field(default_factory=list)
    services: dict[str, list[AccessEntry]] = field(default_factory=dict)


def list_access(routes: Iterable[RouteSummary]) -> AccessList:
    """Sort the routes by who may call them."""
    found = AccessList()
    for group in group_methods(routes):
        route = group[0]
        entry = AccessEntry(describe_methods(group), route.path, route.access, route.services)
        if isinstance(entry.access, Public):
            found.public.append(entry)
        elif entry.access is not None and not entry.access.scopes:
            found.any_token.append(entry)
        elif entry.access is not None:
            found.scopes.setdefault(frozenset(entry.access.scopes), []).append(entry)
        for service in entry.services:
            found.services.setdefault(service, []).append(entry)
    return found
