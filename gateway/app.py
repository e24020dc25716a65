"""The composition root: what Lockgate is made of, in the order in which a request meets it."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from config.settings import Settings
from gateway import composites, documentation, health, problems
from gateway.audit import refuse_unguarded
from gateway.dispatch.dispatcher import Dispatcher
from gateway.edge.admission import Admission
from gateway.edge.body_limit import BodyLimit
from gateway.lifespan import lifespan
from gateway.resources import Resources
from gateway.telemetry.access import AccessLog
from gateway.upstreams import Transports


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
        within = Dispatcher(within, gateway=self)
        for kind, arguments, keywords in reversed(self.user_middleware):
            within = kind(within, *arguments, **keywords)
        within = BodyLimit(within, at_most=server.max_body_bytes)
        within = Admission(within, at_once=server.max_in_flight, spared=health.PATHS)
        return AccessLog(within)

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers around FastAPI's own stack, which only unsettled requests see."""
        added, self.user_middleware = self.user_middleware, []
        fastapi = super().build_middleware_stack()
        self.user_middleware = added
        return self.layers(fastapi)


def create_app(settings: Settings, *, transports: Transports | None = None) -> Gateway:
    """Build the public gateway.

    `transports` stand in for the network, by the name of the service: the seam for tests.

    Raises:
        UnguardedRoute: a route says nothing about who may call it.
    """
    app = Gateway(
        title="Lockgate",
        description="One request, one screen: an API gateway and backend for frontends.",
        lifespan=lifespan(settings, transports or {}),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked up per request
        redirect_slashes=False,  # it would send callers wherever their Host header says
    )
    app.state.settings = settings
    app.state.resources = Resources()

    problems.install(app)

    app.include_router(health.router)
    app.include_router(documentation.router)
    for router in composites.routers():
        app.include_router(router)

    refuse_unguarded(app)
    documentation.document_problems(app)
    return app
