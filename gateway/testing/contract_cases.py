"""What the contract tests: the routes of an application, and the outcomes of its composites."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from gateway.aggregation.dependency import LoadComposite
from gateway.app import create_app
from gateway.app_loader import load_application
from gateway.auth.route_access import Requires, find_access
from gateway.fakes.load_fakes import load_fakes
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.services import find_used_clients
from gateway.settings.schema import Settings
from gateway.testing.scripted_service import ScriptedService

Operation = Mapping[str, Any]

OUTCOMES: Mapping[str, Callable[[ScriptedService], object]] = {
    "status 503": lambda service: service.fails(503),
    "status 404": lambda service: service.fails(404),
    "invalid JSON": lambda service: service.answers_with(b"{"),
    "another type": lambda service: service.answers({"unexpected": [None]}),
    "connection lost": lambda service: service.loses_connection(),
    "no response": lambda service: service.hangs(),
}
"""The ways in which a service fails, by name; each sets the script of a service."""


@dataclass(frozen=True)
class ContractRoute:
    """A route with one method, and what it declares.

    `scopes` is None for a public route, `budget` (in seconds) for a route without a composite, and
    `operation` for a route that the OpenAPI document leaves out. `schemas` resolves its references.
    """

    method: str
    path: str
    scopes: Sequence[str] | None
    owner: str | None
    budget: float | None
    services: Sequence[str]
    has_fakes: bool
    operation: Operation | None
    schemas: Mapping[str, Any]

    def __str__(self) -> str:
        """Format as `GET /path`."""
        return f"{self.method} {self.path}"

    @property
    def documented(self) -> Iterable[str]:
        """The status codes that the OpenAPI document lists."""
        return self.operation["responses"] if self.operation else ()


@dataclass(frozen=True)
class CompositeCase:
    """A composite while one of its services has one of the `OUTCOMES`."""

    route: ContractRoute
    service: str
    outcome: str

    def __str__(self) -> str:
        """Format as `GET /path, service: outcome`."""
        return f"{self.route}, {self.service}: {self.outcome}"


def list_routes(settings: Settings) -> list[ContractRoute]:
    """List the routes of the application that the settings name, one entry for each method."""
    application = load_application(settings.app)
    fakes = load_fakes(application.package) if application.package else {}
    app = create_app(settings, application=application)
    return [
        _describe(route, method, app, fakes)
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
    ]


def list_composite_cases(routes: Iterable[ContractRoute]) -> Iterator[CompositeCase]:
    """Yield each composite with each of its services and each outcome."""
    for route in routes:
        if route.budget is not None:
            for service in route.services:
                for outcome in OUTCOMES:
                    yield CompositeCase(route, service, outcome)


def _describe(
    route: RouteContext, method: str, app: FastAPI, fakes: Mapping[str, object]
) -> ContractRoute:
    access = find_access(route.dependant)
    document = app.openapi()
    services = [kind.name for kind in find_used_clients([route])]
    return ContractRoute(
        method=method,
        path=str(route.path_format),
        scopes=access.scopes if isinstance(access, Requires) else None,
        owner=access.owner if isinstance(access, Requires) else None,
        budget=_find_budget(route),
        services=services,
        has_fakes=all(name in fakes for name in services),
        operation=document["paths"].get(route.path_format, {}).get(method.lower()),
        schemas=document["components"]["schemas"],
    )


def _find_budget(route: RouteContext) -> float | None:
    calls = [inner.call for inner in route.dependant.dependencies]
    budgets = [call.model.budget for call in calls if isinstance(call, LoadComposite)]
    return sum(budgets) if budgets else None
