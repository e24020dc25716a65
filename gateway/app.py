"""The composition root: what Lockgate is made of, in the order in which a request meets it."""

from fastapi import FastAPI

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


def create_app(settings: Settings, *, transports: Transports | None = None) -> FastAPI:
    """Build the public gateway.

    `transports` stand in for the network, by the name of the service: the seam for tests.

    Raises:
        UnguardedRoute: a route says nothing about who may call it.
    """
    app = FastAPI(
        title="Lockgate",
        description="One request, one screen: an API gateway and backend for frontends.",
        lifespan=lifespan(settings, transports or {}),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send callers wherever their Host header says
    )
    app.state.settings = settings
    app.state.resources = Resources()

    # The last one added is the first that a request meets.
    app.add_middleware(Dispatcher, gateway=app)
    app.add_middleware(BodyLimit, at_most=settings.server.max_body_bytes)
    app.add_middleware(Admission, at_once=settings.server.max_in_flight, spared=health.PATHS)
    app.add_middleware(AccessLog)
    problems.install(app)

    app.include_router(health.router)
    app.include_router(documentation.router)
    for router in composites.routers():
        app.include_router(router)

    refuse_unguarded(app)
    documentation.document_problems(app)
    return app
