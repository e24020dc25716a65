"""`lockgate routes`: lists the routes with their access, rate limits and services."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gateway.app import create_app
from gateway.app_loader import Application, load_application
from gateway.auth.dependencies import Public
from gateway.auth.route_access import Requires
from gateway.cli.subcommand import Subcommands, add_listing
from gateway.cli.table import format_table
from gateway.ops.limit_description import describe_values
from gateway.ops.models import Values
from gateway.proxy.declaration.proxy import Proxy
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.rule import SLOWAPI
from gateway.ratelimit.settings_rates import apply_rates
from gateway.ratelimit.used_policies import find_policies
from gateway.route_list import RouteSummary, describe_methods, group_methods, list_routes
from gateway.settings.loader import load_settings

HEAD = ("METHOD", "PATH", "ACCESS", "LIMITS", "SERVICES", "FILE")


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    purpose = "List the routes with their access, rate limits, services and files."
    add_listing(subcommands, "routes", run, purpose=purpose)


def run(options: argparse.Namespace) -> int:
    """Print the routes as a table or as JSON."""
    routes = list(group_methods(load_routes(options.config).routes))
    if options.json:
        print(json.dumps([_to_json(route) for route in routes]))
    else:
        print(format_table([HEAD, *map(_to_row, routes)]))
    return 0


class LoadedRoutes(NamedTuple):
    """The routes, and the declarations of the package that they come from."""

    routes: list[RouteSummary]
    application: Application


def load_routes(config: Path | None) -> LoadedRoutes:
    """Load the settings and the package; list the routes with the rates that are in force.

    Raises:
        InvalidSettings: the settings or the package are invalid.
    """
    settings = load_settings(config)
    application = load_application(settings.app)
    app = create_app(settings, application=application)
    used = find_policies(app.router, application.policies)
    routes = list_routes(app, apply_rates(used, settings.limits))
    return LoadedRoutes(routes, application)


def _to_row(methods: Sequence[RouteSummary]) -> tuple[str, ...]:
    route = methods[0]
    return (
        describe_methods(methods),
        route.path,
        format_access(route.access),
        ", ".join(_iter_limits(route)) or "-",
        format_proxy(route.proxy) if route.proxy else ", ".join(route.services) or "-",
        f"{route.file}:{route.line}" if route.file else "-",
    )


def format_proxy(proxy: Proxy) -> str:
    """Format the service of a proxied route, with what it accepts: `proxy chat, websocket`."""
    names = ("websocket", "tickets", "outlive_token")
    accepted = [name for name in names if getattr(proxy, name)]
    return ", ".join([f"proxy {proxy.to}", *accepted])


def format_access(access: Requires | Public | None) -> str:
    """Format who may call a route."""
    match access:
        case Public(why):
            return f"public: {why}"
        case Requires(scopes, owner, dpop):
            required = " ".join(scopes) or "any token"
            by_owner = f", owner {owner}" if owner else ""
            return f"{required}{by_owner}{', dpop' if dpop else ''}"
        case None:
            return "-"


def access_to_json(access: Requires | Public | None) -> dict[str, Any]:
    """Return who may call a route as the members `scopes`, `owner`, `dpop` and `public`."""
    return {
        "scopes": list(access.scopes) if isinstance(access, Requires) else [],
        "owner": access.owner if isinstance(access, Requires) else None,
        "dpop": access.dpop if isinstance(access, Requires) else False,
        "public": access.why if isinstance(access, Public) else None,
    }


def _iter_limits(route: RouteSummary) -> Iterator[str]:
    yield from map(_format_limit, route.limits)
    yield from (f"{SLOWAPI} {text}" for text in route.slowapi_limits)


def _format_limit(policy: Policy) -> str:
    shadow = " (shadow)" if policy.shadow else ""
    tiers = f" by {policy.tier_claim}" if policy.tier_claim else ""
    cost = policy.cost_text
    return f"{policy.name} {policy.limit_text} per {policy.per}{tiers}{cost}{shadow}"


def limit_to_json(policy: Policy) -> dict[str, Any]:
    """Return a policy as the ops API describes it, with its name."""
    return {"name": policy.name, **describe_values(policy).model_dump(mode="json")}


def _slowapi_limit_to_json(text: str) -> dict[str, Any]:
    """Return the limit of a decorator with the same members; what it counts by is in its code."""
    unknown = dict.fromkeys(Values.model_fields)
    return {"name": SLOWAPI, **unknown, "rate": text, "shadow": False, "tiers": {}}


def _to_json(methods: Sequence[RouteSummary]) -> dict[str, Any]:
    route = methods[0]
    return {
        "method": describe_methods(methods),
        "methods": [each.method for each in methods],
        "path": route.path,
        **access_to_json(route.access),
        "limits": [
            *map(limit_to_json, route.limits),
            *map(_slowapi_limit_to_json, route.slowapi_limits),
        ],
        "services": list(route.services),
        "composites": [composite.__name__ for composite in route.composites],
        "proxy": _proxy_to_json(route.proxy) if route.proxy else None,
        "file": route.file or None,
        "line": route.line or None,
    }


def _proxy_to_json(proxy: Proxy) -> dict[str, Any]:
    return {
        "service": proxy.to,
        "target": proxy.target_path,
        "identity": proxy.identity,
        "websocket": proxy.websocket,
        "tickets": proxy.tickets,
        "outlive_token": proxy.outlive_token,
    }
