"""Generates routes.md: every route with its access rule, rate limits and status codes."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.proxy.declaration.methods import PROXIED_METHODS, format_methods
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.limited_dependency import Limited
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
        _build_row(route, methods, paths.get(route.path_format, {}))
        for route in iter_route_contexts(app.routes)
        for methods in _group_methods(route)
    ]
    return page("Routes", INTRODUCTION, table(HEAD, rows))


def _group_methods(route: RouteContext) -> list[Sequence[str]]:
    """Return the methods of each row: all of a proxied route, and one of most others."""
    methods = sorted(route.methods or ())
    is_one_row = find_proxy(route) or set(methods) == set(PROXIED_METHODS)
    return [methods] if is_one_row else [[method] for method in methods]


def _build_row(
    route: RouteContext, methods: Sequence[str], operations: Mapping[str, Any]
) -> list[str]:
    proxy = find_proxy(route)
    described = [operations[name.lower()] for name in methods if name.lower() in operations]
    # A route that is not in the document has the statuses that it declares.
    declared = {"200", *map(str, getattr(route, "responses", ()))}
    responses = [one["responses"] for one in described] or [declared]
    statuses = sorted(set().union(*responses) - {"default"})
    return [
        format_methods(methods),
        code(str(route.path)),
        f"Proxied to {code(proxy.to)}." if proxy else _summarize(route),
        _describe_access(route),
        _list_limits(route),
        ", ".join(statuses),
    ]


def _summarize(route: RouteContext) -> str:
    return (route.endpoint.__doc__ or "").strip().splitlines()[0]


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
