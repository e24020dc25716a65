"""routes.md: every route, who may call it, what limits it and what it can answer."""

from collections.abc import Mapping
from typing import Any

from gateway.auth.route_access import Requires, find_access
from gateway.fastapi_internals import RouteContext, iter_route_contexts
from gateway.ratelimit.dependency import Limited
from tests.docs.pages.defaults import default_app
from tests.docs.pages.markdown import code, page, table

HEAD = ("Method", "Path", "Purpose", "Access", "Limits", "Statuses")

INTRODUCTION = """
A token satisfies a scope with the scope itself or with its `:any` form. Where a route is its
owner's, the parameter named must be the token's user, unless the token holds the `:any` form of
one of the scopes. A route that says neither who may call it nor why everybody may keeps the
gateway from starting. [Errors](errors.md) describes what the statuses from 400 on carry; the
parameters and models are in `openapi.json` beside this page.
"""


def routes() -> str:
    """The page."""
    app = default_app()
    paths = app.openapi()["paths"]
    rows = [
        _row(route, method, paths.get(route.path_format, {}).get(method.lower(), {}))
        for route in iter_route_contexts(app.routes)
        for method in sorted(route.methods or ())
    ]
    return page("Routes", INTRODUCTION, table(HEAD, rows))


def _row(route: RouteContext, method: str, operation: Mapping[str, Any]) -> list[str]:
    purpose = (route.endpoint.__doc__ or "").strip().splitlines()[0]
    statuses = sorted(operation.get("responses", {"200": None}))
    return [
        method,
        code(str(route.path)),
        purpose,
        _access(route),
        _limits(route),
        ", ".join(statuses),
    ]


def _access(route: RouteContext) -> str:
    match find_access(route.dependant):
        case Requires(scopes, owner):
            scoped = "scope " + ", ".join(map(code, scopes))
            return f"{scoped}; owner {code(owner)}" if owner else scoped
        case None:
            raise AssertionError(f"{route.path} says nothing about access")
        case public:
            return f"public: {public.why}"


def _limits(route: RouteContext) -> str:
    calls = [inner.call for inner in route.dependant.dependencies]
    named = [policy.name for call in calls if isinstance(call, Limited) for policy in call.policies]
    return ", ".join(map(code, named)) or "none"
