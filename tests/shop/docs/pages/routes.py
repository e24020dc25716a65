"""Generates routes.md: every route with its access rule, rate limits and status codes."""

from collections.abc import Mapping
from typing import Any

from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.proxy.methods import ANY_METHOD, PROXIED_METHODS
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.dependency import Limited
from tests.docs.pages.markdown import code, page, table
from tests.shop.docs.pages.defaults import create_default_app

HEAD = ("Method", "Path", "Purpose", "Access", "Limits", "Statuses")

INTRODUCTION = """
A route requires all scopes listed under Access. A token satisfies a scope with the scope itself
or with its `:any` form. On a route with an owner, the named path parameter must equal the user id
of the token, unless the token holds the `:any` form of one of the scopes. The gateway does not
start if a route declares neither required scopes nor that it is public. For the response bodies of
the status codes from 400 on, see [Errors](errors.md); for parameters and models, see
`openapi.json` in this folder.
"""


def render_routes() -> str:
    """Return the text of the page."""
    app = create_default_app()
    paths = app.openapi()["paths"]
    rows = [
        _build_row(route, method, _find_operation(paths.get(route.path_format, {}), method))
        for route in iter_route_contexts(app.routes)
        for method in _list_methods(route)
    ]
    return page("Routes", INTRODUCTION, table(HEAD, rows))


def _find_operation(path_item: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    """Find the operation of a method; for several methods in one row, that of any of them."""
    operations = {name.upper(): operation for name, operation in path_item.items()}
    found = [operations[name] for name in method.split("/") if name in operations]
    return next(iter(found or operations.values()), {})


def _list_methods(route: RouteContext) -> list[str]:
    if proxy := find_proxy(route):
        return [proxy.method_text]
    methods = sorted(route.methods or ())
    return [ANY_METHOD] if set(methods) == set(PROXIED_METHODS) else methods


def _build_row(route: RouteContext, method: str, operation: Mapping[str, Any]) -> list[str]:
    proxy = find_proxy(route)
    documented = (route.endpoint.__doc__ or "").strip().splitlines()[0]
    purpose = f"Proxied to the service `{proxy.to}`." if proxy else documented
    statuses = sorted(operation.get("responses", {"200": None}).keys() - {"default"})
    return [
        method,
        code(str(route.path)),
        purpose,
        _describe_access(route),
        _list_limits(route),
        ", ".join(statuses),
    ]


def _describe_access(route: RouteContext) -> str:
    match find_access(route.dependant):
        case Requires(scopes, owner):
            scoped = "scope " + ", ".join(map(code, scopes))
            return f"{scoped}; owner {code(owner)}" if owner else scoped
        case None:
            raise AssertionError(f"{route.path} declares no access rule")
        case public:
            return f"public: {public.why}"


def _list_limits(route: RouteContext) -> str:
    calls = [inner.call for inner in route.dependant.dependencies]
    named = [policy.name for call in calls if isinstance(call, Limited) for policy in call.policies]
    return ", ".join(map(code, named)) or "none"
