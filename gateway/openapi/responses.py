"""The responses of a route beside its success: the problems that it can return, and header fields.

Both follow from the dependencies of the route, as the route declares them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway import health
from gateway.aggregation.dependency import LoadComposite
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
    Forbidden,
    IdentityUnavailable,
    Overloaded,
    QuotaExceeded,
    RateLimiterUnavailable,
    Unauthenticated,
    UserRequired,
)
from gateway.fastapi_internals import Dependant, RouteContext
from gateway.ratelimit.dependency import Limited
from gateway.ratelimit.policy import RateLimit
from gateway.resources import ResourceLookup
from gateway.upstream.client import ServiceClient
from gateway.upstream.errors import UpstreamError

MEDIA_TYPE = "application/problem+json"

DESCRIPTIONS = {
    "400": "The request is malformed",
    "401": "No valid access token",
    "403": "The access token does not permit this request",
    "413": "The request body is too large",
    "422": "The request is not valid",
    "429": "A rate limit is exceeded",
    "500": "An unexpected error occurred in the gateway",
    "502": "A service refused the request or sent an invalid response",
    "503": "A service, the identity provider or the gateway is unavailable",
    "504": "A service did not respond within its timeout",
    "default": "Any other status, such as 405, or one that the code of the route chooses",
}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Allow": {"description": "The methods that the path supports (status 405)"},
    "RateLimit": {"description": "The remaining quota of each rate-limit policy"},
    "RateLimit-Policy": {"description": "The quota and the window of each rate-limit policy"},
    "Retry-After": {
        "description": "Seconds to wait before another attempt",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Server-Timing": {"description": "The duration of each part in milliseconds"},
    "WWW-Authenticate": {"description": "The challenge of RFC 6750, section 3"},
    "X-Request-Id": {"description": "The id of the request, which is also in the log"},
}

# Statuses of responses that are sent before a rate limit has been checked.
_UNLIMITED = frozenset({"400", "401", "403", "413", "default"})

Problems = dict[str, dict[str, ProblemType]]


def add_responses(operation: dict[str, Any], route: RouteContext) -> list[ProblemType]:
    """Add the problems and the header fields to the operation of a route; return the problems.

    What the route declares itself for a status is kept.
    """
    responses = operation["responses"]
    problems = _find_problems(operation, route)
    for status, types in problems.items():
        if status not in responses:
            responses[status] = {"description": DESCRIPTIONS[status]}
        responses[status].setdefault("content", {})[MEDIA_TYPE] = {
            "schema": build_union(types.values())
        }
    for status, response in responses.items():
        names = {"X-Request-Id", *_find_headers(status, route)}
        for problem in problems.get(status, {}).values():
            names |= set(problem.headers)
        headers = response.setdefault("headers", {})
        for name in sorted(names):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
    return [problem for types in problems.values() for problem in types.values()]


def build_union(problems: Iterable[ProblemType]) -> dict[str, Any]:
    """Build the schema of one of several problems, which `type` tells apart."""
    references = {it.type: f"#/components/schemas/{it.name}" for it in problems}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }


def build_headers() -> dict[str, Any]:
    """Build the header objects that the responses refer to."""
    return {name: {"schema": {"type": "string"}, **header} for name, header in HEADERS.items()}


def _find_problems(operation: dict[str, Any], route: RouteContext) -> Problems:
    """Find the problems by status, and then by type.

    Of a status that the route declares without a document, FastAPI knows no more than the status.
    """
    found: Problems = {}
    for problem in (*_iter_own_problems(operation, route), *_iter_guard_problems(route)):
        found.setdefault(str(problem.status), {})[problem.type] = problem
    for status, response in operation["responses"].items():
        if status >= "400" and "content" not in response:
            found.setdefault(status, {ABOUT_BLANK_PROBLEM.type: ABOUT_BLANK_PROBLEM})
    for status in ("400", "default") if operation.get("requestBody") else ("default",):
        found[status] = {ABOUT_BLANK_PROBLEM.type: ABOUT_BLANK_PROBLEM}
    return found


def _iter_own_problems(operation: dict[str, Any], route: RouteContext) -> Iterator[ProblemType]:
    """Yield the problems of the request itself, and of the calls that the route makes."""
    yield INTERNAL_ERROR_PROBLEM
    if route.path not in health.PATHS:  # exempt from the concurrency limit
        yield describe_error(Overloaded)
    if operation.get("parameters") or operation.get("requestBody"):
        yield INVALID_REQUEST_PROBLEM
    if operation.get("requestBody"):
        yield describe_error(ContentTooLarge)
    if any(map(_passes_call_errors_on, _list_calls(route.dependant))):
        yield from map(describe_call_error, UpstreamError.__subclasses__())


def _iter_guard_problems(route: RouteContext) -> Iterator[ProblemType]:
    """Yield the problems of access rules and rate limits."""
    access, calls = find_access(route.dependant), _list_calls(route.dependant)
    if isinstance(access, Requires) or any(map(_needs_caller, calls)):
        yield describe_error(Unauthenticated)
        yield describe_error(IdentityUnavailable)
    if isinstance(access, Requires) and (access.scopes or access.owner):
        yield describe_error(Forbidden)
    if any(isinstance(call, CallerIdLookup) for call in _iter_all_calls(route.dependant)):
        yield describe_error(UserRequired)
    policies = _list_policies(calls)
    if any(not policy.shadow for policy in policies):
        yield describe_error(QuotaExceeded)
    if any(policy.without_redis == "deny" for policy in policies):
        yield describe_error(RateLimiterUnavailable)


def _find_headers(status: str, route: RouteContext) -> Iterator[str]:
    calls = _list_calls(route.dependant)
    is_limited = any(not policy.shadow for policy in _list_policies(calls))
    if is_limited and status not in _UNLIMITED:
        yield from ("RateLimit", "RateLimit-Policy")
    if status.startswith("2") and any(isinstance(call, LoadComposite) for call in calls):
        yield "Server-Timing"
    if status == "default":
        yield "Allow"


def _list_calls(dependant: Dependant) -> list[object]:
    """Return all dependencies, nested ones included, but not the inputs of the parts."""
    calls: list[object] = []
    for inner in dependant.dependencies:
        calls.append(inner.call)
        if not isinstance(inner.call, LoadComposite):
            calls += _list_calls(inner)
    return calls


def _iter_all_calls(dependant: Dependant) -> Iterator[object]:
    """Yield all dependencies, those of the parts included."""
    for inner in dependant.dependencies:
        yield inner.call
        yield from _iter_all_calls(inner)


def _list_policies(calls: Iterable[object]) -> list[RateLimit]:
    return [policy for call in calls if isinstance(call, Limited) for policy in call.policies]


def _needs_caller(call: object) -> bool:
    return call.needs_caller if isinstance(call, Limited) else call is authenticate


def _passes_call_errors_on(call: object) -> bool:
    """Whether an error of a call to a service ends the request: not that of an optional part."""
    if isinstance(call, LoadComposite):
        return any(part.required for part in call.model.parts)
    return isinstance(call, ResourceLookup) and issubclass(call.kind, ServiceClient)
