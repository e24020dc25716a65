"""Routes of a company's package that contradict each other, a policy or a setting."""

from collections.abc import Iterable, Iterator

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gateway.app_loader import Application
from gateway.fastapi_internals import iter_audited_routes
from gateway.proxy.declaration.timeout_conflicts import find_timeout_conflicts
from gateway.proxy.uncovered_paths import find_uncovered_paths
from gateway.proxy.websocket.transport_conflicts import find_websocket_conflicts
from gateway.ratelimit.policy_conflicts import find_policy_conflicts
from gateway.route_list import (
    RouteSummary,
    describe_group,
    find_unreachable,
    group_methods,
    list_limits,
    list_routes,
)
from gateway.route_shadows import find_shadowed_routes
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Server


def find_conflicts(app: FastAPI, application: Application) -> Iterator[ConfigError]:
    """Find the conflicts of an app whose routes all declare their access.

    Both `create_app` and `lockgate check` refuse them.
    """
    routes = list_routes(app, application.policies)
    yield from find_shadowed_routes(app)
    yield from find_uncovered_paths(iter_audited_routes(app.router))
    yield from find_unreachable(routes)
    yield from _find_setting_conflicts(app.state.settings.server, application, routes)
    yield from find_websocket_conflicts(app.state.settings.upstreams, application.proxies)
    yield from find_timeout_conflicts(app.state.settings.upstreams, application.proxies)
    yield from find_policy_conflicts(list_limits(app), application.policies)


def _find_setting_conflicts(
    server: Server, application: Application, routes: Iterable[RouteSummary]
) -> Iterator[ConfigError]:
    """Find the settings that the middleware or the routes of a package contradict."""
    if server.cors_origins and any(_is_cors(item.cls) for item in application.middleware):
        yield ConfigError(
            "server.cors_origins",
            "is set, and the middleware of the package has a CORSMiddleware, too",
            "remove the CORSMiddleware, which does not cover the errors of the gateway",
        )
    if server.root_path and not server.root_path_is_stripped:
        for group in group_methods(routes):
            path = group[0].path
            if f"{path}/".startswith(f"{server.root_path}/"):
                yield ConfigError(
                    describe_group(group),
                    f"begins with server.root_path, so that {path} would be served as"
                    f" {path.removeprefix(server.root_path) or '/'}",
                    "remove the prefix from the route, or the setting",
                )


def _is_cors(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, CORSMiddleware)
