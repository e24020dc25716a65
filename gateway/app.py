"""The composition root: the middleware in the order of a request, and the routes of the app."""

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import health
from gateway.allowed_methods import find_allowed_methods
from gateway.app_conflicts import find_conflicts
from gateway.app_loader import Application, load_application
from gateway.auth.route_access import asks_for_proof
from gateway.errors.handlers import install_error_handlers
from gateway.fastapi_internals import iter_route_contexts
from gateway.forward_auth import verify_request
from gateway.forward_auth.verified_routes import VerifiedRoutes
from gateway.identity import key_set_route
from gateway.lifespan import create_lifespan
from gateway.middleware.access_log import AccessLog
from gateway.middleware.allowed_hosts import AllowedHosts
from gateway.middleware.body_limit import BodyLimit
from gateway.middleware.compression import Compression
from gateway.middleware.cors import Cors
from gateway.middleware.cors_policy import CorsPolicy
from gateway.middleware.load_shedding import LoadShedding
from gateway.middleware.request_context import RequestContextMiddleware
from gateway.middleware.root_path import RootPath
from gateway.middleware.target_validation import TargetValidation
from gateway.oauth import routes as oauth_routes
from gateway.oauth.oauth_requirements import is_oauth_on
from gateway.open_clients import Transports
from gateway.openapi import pages
from gateway.openapi.document import document_responses
from gateway.proxy.routes import create_proxy_router
from gateway.ratelimit.compat.decorated_routes import find_slowapi_errors
from gateway.resources import Resources
from gateway.route_audit import RouteAudit, refuse_unguarded
from gateway.routing.dispatcher import Dispatcher, RouteTable
from gateway.routing.request_headers import find_request_headers
from gateway.settings.errors import InvalidSettings
from gateway.settings.schema import Settings
from gateway.tickets import issue_ticket
from gateway.tickets.ticket_routes import TicketRoutes, accepts_tickets


class Gateway(FastAPI):
    """FastAPI inside the middleware of the gateway."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and self.middleware_stack is not None:
            scope["app"] = self
            await self.middleware_stack(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Build the whole stack: a request passes the middleware from top to bottom."""
        server = self.state.settings.server
        audit = RouteAudit(self.router)
        routes = RouteTable(self.router, is_guarded=audit.is_guarded)
        self.state.resources[TicketRoutes] = TicketRoutes(routes)
        if server.forward_auth:
            self.state.resources[VerifiedRoutes] = VerifiedRoutes(routes, self.state.own_routes)
        probe_paths = [server.root_path + path for path in health.PATHS]
        middleware = [
            *self._list_root_path(),
            Middleware(AccessLog, probe_paths=probe_paths, server=server),
            Middleware(RequestContextMiddleware, may_compress=server.compression),
            *self._list_allowed_hosts(probe_paths),
            *self._list_cors(),
            Middleware(TargetValidation),
            Middleware(
                LoadShedding,
                max_concurrency=server.max_in_flight,
                exempt_paths=probe_paths,
            ),
            *([Middleware(Compression)] if server.compression else []),
            Middleware(
                BodyLimit,
                max_bytes=server.max_body_bytes,
                find_route_limit=routes.find_max_body_size,
                find_route_path=routes.find_path,
            ),
            *self.user_middleware,
            Middleware(Dispatcher, gateway=self, routes=routes, audit=audit.refuse_unguarded),
        ]
        app = self._build_fastapi_stack()
        for cls, args, kwargs in reversed(middleware):
            app = cls(app, *args, **kwargs)
        return app

    def _list_root_path(self) -> list[Middleware]:
        server = self.state.settings.server
        if not server.root_path:
            return []
        is_stripped = server.root_path_is_stripped
        return [Middleware(RootPath, root_path=server.root_path, is_stripped=is_stripped)]

    def _list_allowed_hosts(self, probe_paths: list[str]) -> list[Middleware]:
        server = self.state.settings.server
        if not server.allowed_hosts:
            return []
        return [Middleware(AllowedHosts, server=server, exempt_paths=probe_paths)]

    def _list_cors(self) -> list[Middleware]:
        settings: Settings = self.state.settings
        server = settings.server
        if not server.cors_origins:
            return []
        forwarded = [name for it in settings.upstreams.values() for name in it.forward_headers]
        proofs = ["dpop"] if any(map(asks_for_proof, iter_route_contexts(self.routes))) else []
        policy = CorsPolicy(server, [*forwarded, *proofs, *find_request_headers(self.router)])
        return [
            Middleware(
                Cors,
                policy=policy,
                find_methods=find_allowed_methods,
                exempt_path=server.root_path + verify_request.PATH if server.forward_auth else None,
            )
        ]

    def _build_fastapi_stack(self) -> ASGIApp:
        """Build FastAPI's own stack, which serves the requests that no compiled route matches.

        `self.user_middleware` is left out: it is in the gateway's list.
        """
        user_middleware, self.user_middleware = self.user_middleware, []
        try:
            return super().build_middleware_stack()
        finally:
            self.user_middleware = user_middleware


def create_app(
    settings: Settings,
    *,
    application: Application | None = None,
    transports: Transports | None = None,
) -> Gateway:
    """Build the app of the public port.

    `application` holds the declarations of the company; by default they are loaded from the
    package that the setting `app.package` names. `transports` maps the names of services to the
    transports that replace the network for them.

    Raises:
        InvalidSettings: the package named by `app.package` cannot be imported or contradicts a
            setting, two routes have one method and path, no request can reach a route, two
            operations declare the same `operation_id`, two policies of one name differ, or a
            middleware or decorator of slowapi would have no effect.
        UnguardedRoute: a route declares neither `requires(...)` nor `public(...)`.
    """
    application = application or load_application(settings.app)
    app = build_app(settings, application, transports)
    refuse_unguarded(app)
    packages = application.package.prefixes if application.package else ()
    if errors := [*find_conflicts(app, application), *find_slowapi_errors(app, packages)]:
        raise InvalidSettings(errors)
    document_responses(app)
    return app


def build_app(
    settings: Settings, application: Application, transports: Transports | None = None
) -> Gateway:
    """Build the app without a check of its routes; see `create_app`."""
    app = Gateway(
        title=settings.app.title,
        description=settings.app.description,
        version=settings.app.version,
        lifespan=create_lifespan(settings, application, transports or {}),
        middleware=application.middleware,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # FastAPI would look each of these up for every request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        redirect_slashes=False,  # a redirect would trust the Host header of the request
    )
    app.state.settings = settings
    app.state.resources = Resources()

    install_error_handlers(app)

    routers = [*application.routers, create_proxy_router(application.proxies)]
    app.include_router(health.router)
    if settings.server.docs:
        app.include_router(pages.router)
    if settings.server.forward_auth:
        app.include_router(verify_request.router)
    if settings.identity.has_signing_keys:
        app.include_router(key_set_route.router)
    if is_oauth_on(settings):
        app.include_router(oauth_routes.router)
    if any(accepts_tickets(route) for it in routers for route in iter_route_contexts(it.routes)):
        app.include_router(issue_ticket.router)
    app.state.own_routes = [route.original_route for route in iter_route_contexts(app.routes)]
    for router in routers:
        app.include_router(router)
    return app
