"""The problems that a route can respond with, as they follow from what it declares."""

from collections.abc import Iterator
from typing import Any

from gateway import health
from gateway.auth.caller_id import CallerIdLookup
from gateway.auth.dependencies import authenticate
from gateway.auth.route_access import Requires, find_access
from gateway.errors.problem_types import (
    ABOUT_BLANK_PROBLEM,
    INTERNAL_ERROR_PROBLEM,
    INVALID_REQUEST_PROBLEM,
    ProblemType,
    describe_call_error,
    describe_error,
)
from gateway.errors.tree import (
    ContentTooLarge,
    DatabaseUnavailable,
    DpopRefused,
    Forbidden,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    ReplayCacheUnavailable,
    TicketsUnavailable,
    TooManyStreams,
    Unauthenticated,
    UnsupportedContentCoding,
    UserRequired,
    WrongService,
)
from gateway.fastapi_internals import RouteContext
from gateway.oauth.oauth_endpoint import OAuthEndpoint
from gateway.openapi.route_calls import list_calls, list_policies, passes_call_errors_on
from gateway.proxy.routes import find_proxy
from gateway.ratelimit.compat.decorated_routes import list_limit_texts
from gateway.ratelimit.limited_dependency import Limited
from gateway.tickets.issue_ticket import PATH as TICKETS_PATH
from gateway.tickets.redeem_ticket import AcceptTicket
from gateway.upstream.errors import (
    UpstreamError,
    UpstreamInvalid,
    UpstreamTimeout,
    UpstreamUnavailable,
)

Problems = dict[str, dict[str, ProblemType]]
"""Problem types by status, and then by type."""

# A response of the service is not an error, whatever its status is.
_PROXY_ERRORS = (UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable)

_OAUTH_ERRORS = (QuotaExceeded, DatabaseUnavailable, ReplayCacheUnavailable)

_ABOUT_BLANK = {ABOUT_BLANK_PROBLEM.type: ABOUT_BLANK_PROBLEM}


def find_problems(operation: dict[str, Any], route: RouteContext, raised: Problems) -> Problems:
    """Find the problems of the gateway itself, and add those that the functions of the route raise.

    If the route declares a status without a document, only the status is known.
    """
    found: Problems = {}
    for problem in (*_iter_own_problems(operation, route), *_iter_guard_problems(route)):
        found.setdefault(str(problem.status), {})[problem.type] = problem
    may_be_malformed = operation.get("requestBody") or find_proxy(route)
    for status in ("400", "default") if may_be_malformed else ("default",):
        found[status] = dict(_ABOUT_BLANK)
    if operation.get("requestBody") and find_proxy(route):
        found["408"] = dict(_ABOUT_BLANK)  # the body is passed on, and does not arrive in time
    for status, types in raised.items():
        found[status] = {**types, **found.get(status, {})}
    for status, response in operation["responses"].items():
        if status >= "400" and "content" not in response:
            found.setdefault(status, dict(_ABOUT_BLANK))
    return found


def _iter_own_problems(operation: dict[str, Any], route: RouteContext) -> Iterator[ProblemType]:
    """Yield the problems of the request itself, and of the calls that the route makes."""
    yield INTERNAL_ERROR_PROBLEM
    if route.path not in health.PATHS:  # exempt from the concurrency limit
        yield describe_error(Overloaded)
    if operation.get("requestBody"):
        yield describe_error(ContentTooLarge)
    if not find_proxy(route):
        yield from _iter_parsing_problems(operation, route)
    if isinstance(route.endpoint, OAuthEndpoint):
        yield from map(describe_error, _OAUTH_ERRORS)
    if find_proxy(route):
        yield describe_error(TooManyStreams)
        yield from map(describe_call_error, _PROXY_ERRORS)
    elif passes_call_errors_on(route.dependant):
        yield from map(describe_call_error, UpstreamError.__subclasses__())


def _iter_parsing_problems(operation: dict[str, Any], route: RouteContext) -> Iterator[ProblemType]:
    """Yield the problems of a request that the gateway parses; it does not parse a proxied one.

    An OAuth endpoint has errors of its own for an invalid form.
    """
    is_parsed = operation.get("parameters") or operation.get("requestBody")
    if is_parsed and not isinstance(route.endpoint, OAuthEndpoint):
        yield INVALID_REQUEST_PROBLEM
    if operation.get("requestBody"):
        yield describe_error(UnsupportedContentCoding)


def _iter_guard_problems(route: RouteContext) -> Iterator[ProblemType]:
    """Yield the problems of access rules and rate limits."""
    access, calls = find_access(route.dependant), list_calls(route.dependant)
    if isinstance(access, Requires) and access.dpop:
        yield describe_error(DpopRefused)
        yield describe_error(ReplayCacheUnavailable)
    needs_caller = isinstance(access, Requires) or any(map(_needs_caller, calls))
    if needs_caller:
        yield describe_error(Unauthenticated)
        yield describe_error(WrongService)
        yield describe_error(IdentityUnavailable)
    if isinstance(access, Requires) and (access.scopes or access.owner):
        yield describe_error(Forbidden)
    if any(isinstance(call, CallerIdLookup) for call in calls):
        yield describe_error(UserRequired)
    if route.path == TICKETS_PATH or any(isinstance(call, AcceptTicket) for call in calls):
        yield describe_error(TicketsUnavailable)
    policies = list_policies(calls)
    is_limited = any(not policy.shadow for policy in policies) or _has_slowapi_limit(route, calls)
    if is_limited or needs_caller:  # wrong API keys are limited on every route
        yield describe_error(QuotaExceeded)
    if any(policy.without_redis == "deny" for policy in policies):
        yield describe_error(RateLimiterUnavailable)


def _has_slowapi_limit(route: RouteContext, calls: list[object]) -> bool:
    functions = [*calls, route.endpoint]
    return any(list_limit_texts(functions, method) for method in route.methods or ())


def _needs_caller(call: object) -> bool:
    return call.needs_caller if isinstance(call, Limited) else call is authenticate
