"""The ops app: its middleware in the order of a request, and its routes."""

from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp

from gateway.errors.handlers import install_error_handlers
from gateway.health import LIVENESS_PATH
from gateway.middleware.access_log import AccessLog
from gateway.middleware.allowed_hosts import AllowedHosts
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.compression import Compression
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.middleware.target_validation import TargetValidation
from gateway.openapi.document import document_responses
from gateway.ops import caller_routes, health_route, limit_routes, status_route, traffic_routes
from gateway.ops.console import console_routes
from gateway.ops.console.static_files import load_console
from gateway.ops.ops_errors import install_ops_errors
from gateway.ops.request_room import RequestRoom
from gateway.ops.security_headers import SecurityHeaders
from gateway.resources import Resources
from gateway.route_audit import RouteAudit, refuse_unguarded
from gateway.routing.dispatcher import Dispatcher, RouteTable
from gateway.settings.schema import Server, Settings

MAX_BODY_BYTES = 262_144
MAX_CONNECTIONS = 256
STALL_SECONDS = 5.0
"""How long a client may take that sends or reads next to nothing."""

_ROUTERS = (
    limit_routes.router,
    caller_routes.router,
    traffic_routes.router,
    status_route.router,
    console_routes.router,
)


_PROBE_PATHS = (LIVENESS_PATH,)
"""An orchestrator names the address of the process as the host, and must not take an overloaded
process for a dead one."""

_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The path or the query is malformed"},
    421: {"description": "The host of the request is not in ops.hosts"},
}
"""The responses of each route that follow from the middleware, for OpenAPI."""


class OpsApp(FastAPI):
    """FastAPI inside the middleware of the ops app."""

    def build_middleware_stack(self) -> ASGIApp:
        """Build the whole stack: a request passes the middleware from top to bottom."""
        server: Server = self.state.settings.server
        audit = RouteAudit(self.router)
        routes = RouteTable(self.router, is_guarded=audit.is_guarded)
        middleware = [
            Middleware(AccessLog, server=server, probe_paths=_PROBE_PATHS),
            Middleware(SecurityHeaders),
            Middleware(RequestContextMiddleware, may_compress=True),
            Middleware(AllowedHosts, server=server, exempt_paths=_PROBE_PATHS, setting="ops.hosts"),
            Middleware(TargetValidation),
            Middleware(RequestRoom, exempt_paths=_PROBE_PATHS),
            Middleware(Compression),
            Middleware(
                BodyLimit, max_bytes=server.max_body_bytes, find_route_path=routes.find_path
            ),
            Middleware(Dispatcher, gateway=self, routes=routes, audit=audit.refuse_unguarded),
        ]
        app = super().build_middleware_stack()
        for cls, args, kwargs in reversed(middleware):
            app = cls(app, *args, **kwargs)
        return app


def create_ops_app(settings: Settings, resources: Resources) -> OpsApp:
    """Build the app of the ops port; `resources` has what its routes need, once it is served.

    Raises:
        UnguardedRoute: a route declares neither `requires(...)` nor `public(...)`.
    """
    app = OpsApp(
        title="Lockgate ops",
        description="Limits that operators tune while traffic runs.",
        version=settings.app.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,
    )
    load_console()  # no request reads the files
    server = create_ops_server(settings)
    app.state.settings = settings.model_copy(update={"server": server})
    app.state.resources = resources
    install_error_handlers(app)
    install_ops_errors(app)
    for router in _ROUTERS:
        app.include_router(router, responses=_RESPONSES)
    app.include_router(health_route.router)
    refuse_unguarded(app)
    document_responses(app)
    return app


def create_ops_server(settings: Settings) -> Server:
    """Return the settings of the ops port: as those of the public port, but with its own bounds.

    Nothing of CORS is left, and no path prefix.
    """
    own = {
        "host": settings.ops.host,
        "port": settings.ops.port,
        "allowed_hosts": settings.ops.allowed_hosts,
        "max_body_bytes": MAX_BODY_BYTES,
        "max_connections": MAX_CONNECTIONS,
        "head_seconds": min(STALL_SECONDS, settings.server.head_seconds),
        "stall_seconds": min(STALL_SECONDS, settings.server.stall_seconds),
        "root_path": "",
        "root_path_is_stripped": False,
        "forward_auth": False,
        "cors_origins": (),
        "docs": False,
    }
    return settings.server.model_copy(update=own)
