"""The composition root: what Lockgate is made of, in the order in which a request meets it."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import health, openapi
from gateway.application import Application, load_application
from gateway.errors import problem_json
from gateway.lifespan import lifespan
from gateway.middleware.access_log import AccessLog
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.concurrency_limit import ConcurrencyLimit
from gateway.resources import Resources
from gateway.route_audit import refuse_unguarded
from gateway.routing.dispatcher import Dispatcher, RouteTable
from gateway.services import Transports
from gateway.settings.schema import Settings


class Gateway(FastAPI):
    """FastAPI behind the gateway's own layers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and self.middleware_stack is not None:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def layers(self, within: ASGIApp) -> ASGIApp:
        """What is around FastAPI, the innermost first: a request meets the last one first."""
        server = self.state.settings.server
        routes = RouteTable(self.router)
        within = Dispatcher(within, gateway=self, routes=routes)
        for kind, arguments, keywords in reversed(self.user_middleware):
            within = kind(within, *arguments, **keywords)
        within = BodyLimit(
            within, max_bytes=server.max_body_bytes, find_route_limit=routes.find_max_body_size
        )
        within = ConcurrencyLimit(within, at_once=server.max_in_flight, spared=health.PATHS)
        return AccessLog(within)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers around FastAPI's own stack, which serves what fits no compiled route."""
        added, self.user_middleware = self.user_middleware, []
        fastapi = super().build_middleware_stack()
        self.user_middleware = added
        return self.layers(fastapi)


def create_app(
    settings: Settings,
    *,
    application: Application | None = None,
    transports: Transports | None = None,
) -> Gateway:
    """Build the public gateway.

    `application` is what the company declares; left out, it is loaded from the package that
    `app.package` names. `transports` stand in for the network, by the name of the service.

    Raises:
        InvalidSettings: there is no such package.
        UnguardedRoute: a route says nothing about who may call it.
    """
    application = application or load_application(settings.app.package)
    app = Gateway(
        title="Lockgate",
        description="One request, one screen: an API gateway and backend for frontends.",
        lifespan=lifespan(settings, application, transports or {}),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked up per request
        redirect_slashes=False,  # it would send callers wherever their Host header says
    )
    app.state.settings = settings
    app.state.resources = Resources()

    problem_json.install(app)

    app.include_router(health.router)
    app.include_router(openapi.router)
    for router in application.routers:
        app.include_router(router)

    refuse_unguarded(app)
    openapi.document_problems(app)
    return app
