"""The cases of the contract: the routes of an application, and composites of a failing service."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.app import create_app
from gateway.app_loader import load_application
from gateway.auth.route_access import Requires
from gateway.fakes.load_fakes import load_fakes
from gateway.route_list import RouteSummary
from gateway.route_list import list_routes as summarize_routes
from gateway.settings.schema import Settings
from gateway.testing.scripted_service import ScriptedService

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Operation = Mapping[str, Any]

FAILURES: Mapping[str, Callable[[ScriptedService], object]] = {
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
    """A route with one method, and its operation in the OpenAPI document, if it has one.

    `has_fakes` is True if each service that it calls has a fake. `schemas` resolves the references
    of the operation.
    """

    summary: RouteSummary
    has_fakes: bool
    operation: Operation | None
    schemas: Mapping[str, Any]

    def __str__(self) -> str:
        """Format as `GET /path`."""
        return str(self.summary)

    @property
    def access(self) -> Requires | None:
        """The scopes and the owner; None for a public route."""
        access = self.summary.access
        return access if isinstance(access, Requires) else None

    @property
    def budget(self) -> float:
        """The budgets of its composites together, in seconds; 0 if it has none."""
        return sum(composite.budget for composite in self.summary.composites)

    @property
    def body_type(self) -> str:
        """The media type of the body that OpenAPI lists first; that of JSON if it lists none."""
        body = (self.operation or {}).get("requestBody", {})
        return next(iter(body.get("content", ())), "application/json")

    def is_documented(self, status: int) -> bool:
        """Whether OpenAPI lists a status; `default` stands for the other statuses of 4xx."""
        if self.operation is None:
            return True
        responses = self.operation["responses"]
        return str(status) in responses or (400 <= status <= 499 and "default" in responses)


@dataclass(frozen=True)
class CompositeCase:
    """A composite while one of its services has one of the `FAILURES`."""

    route: ContractRoute
    service: str
    failure: str

    def __str__(self) -> str:
        """Format as `GET /path, service: failure`."""
        return f"{self.route}, {self.service}: {self.failure}"


def list_routes(settings: Settings) -> list[ContractRoute]:
    """List the HTTP routes of the application that the settings name, with one method each."""
    application = load_application(settings.app)
    fakes = load_fakes(application.package) if application.package else {}
    app = create_app(settings, application=application)
    document = app.openapi()
    return [
        ContractRoute(
            summary=summary,
            has_fakes=fakes.keys() >= set(summary.services),
            operation=document["paths"].get(summary.path_format, {}).get(summary.method.lower()),
            schemas=document["components"]["schemas"],
        )
        for summary in summarize_routes(app, application.policies)
        if summary.method in _METHODS
    ]


def list_composite_cases(routes: Iterable[ContractRoute]) -> Iterator[CompositeCase]:
    """Yield each composite with each of its services and each failure."""
    for route in routes:
        if route.summary.composites:
            for service in route.summary.services:
                for failure in FAILURES:
                    yield CompositeCase(route, service, failure)
