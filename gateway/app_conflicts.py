"""Settings that a company's package contradicts."""

from collections.abc import Iterable, Iterator

from starlette.middleware.cors import CORSMiddleware

from gateway.app_loader import Application
from gateway.route_list import RouteSummary
from gateway.settings.errors import ConfigError
from gateway.settings.schema import Server


def find_conflicts(
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
        for route in routes:
            if f"{route.path}/".startswith(f"{server.root_path}/"):
                yield ConfigError(
                    str(route),
                    f"begins with server.root_path, so that {route.path} would be served as"
                    f" {route.path.removeprefix(server.root_path) or '/'}",
                    "remove the prefix from the route, or the setting",
                )


def _is_cors(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, CORSMiddleware)
