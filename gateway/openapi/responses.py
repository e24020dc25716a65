"""The responses of a route beside its success: the problems that it can return, and header fields.

Both follow from the dependencies of the route, as the route declares them.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from gateway.aggregation.dependency import LoadComposite
from gateway.errors.problem_json import get_phrase
from gateway.errors.problem_types import SCHEMAS, ProblemType
from gateway.fastapi_internals import RouteContext
from gateway.openapi.route_calls import list_calls, list_policies
from gateway.openapi.route_problems import Problems, find_problems
from gateway.upstream.problem import PROBLEM_MEDIA_TYPE

DESCRIPTIONS = {
    "400": "The request is malformed",
    "401": "No valid access token",
    "403": "The request is not permitted",
    "413": "The request body is too large",
    "415": "The request body is compressed",
    "422": "The request is not valid",
    "429": "A rate limit is exceeded",
    "500": "An unexpected error occurred in the gateway",
    "502": "A service refused the request or sent an invalid response",
    "503": "A service, the identity provider or the gateway is unavailable",
    "504": "A service did not respond within its timeout",
    "default": "Any other status, such as 405, or one that the code of the route chooses",
}

HEADERS: Mapping[str, Mapping[str, Any]] = {
    "Accept-Encoding": {"description": "The content codings of request bodies (status 415)"},
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

# The gateway sends its own problems with these statuses before it has checked a rate limit.
_SENT_EARLY = frozenset({"400", "401", "403", "413", "415", "default"})


def add_responses(
    operation: dict[str, Any], route: RouteContext, raised: Problems, models: Container[str]
) -> list[ProblemType]:
    """Add the problems and the header fields to the operation of a route; return the problems.

    `raised` are those that the functions of the route declare with `raises`. The
    descriptions, schemas and header fields that the route declares itself are kept. The schema of
    a problem has none of the names of `models`.
    """
    responses = operation["responses"]
    problems = {
        status: {uri: problem.rename_if_in(models) for uri, problem in types.items()}
        for status, types in find_problems(operation, route, raised).items()
    }
    for status, types in problems.items():
        if status not in responses:
            responses[status] = {"description": DESCRIPTIONS.get(status) or get_phrase(int(status))}
        content = responses[status].setdefault("content", {})
        declared = content.get(PROBLEM_MEDIA_TYPE, {})
        content[PROBLEM_MEDIA_TYPE] = _extend(declared, build_union(types.values()))
    early = _SENT_EARLY - raised.keys()
    for status, response in responses.items():
        names = {"X-Request-Id", *_find_headers(status, route, is_early=status in early)}
        for problem in problems.get(status, {}).values():
            names |= set(problem.headers)
        headers = response.setdefault("headers", {})
        for name in sorted(names):
            headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})
    return [problem for types in problems.values() for problem in types.values()]


def _extend(declared: Mapping[str, Any], union: Mapping[str, Any]) -> dict[str, Any]:
    """Add the gateway's problems to the schema that a route declares for its own, if it does."""
    own = declared.get("schema")
    return {**declared, "schema": {"anyOf": [own, union]} if own else union}


def build_union(problems: Iterable[ProblemType]) -> dict[str, Any]:
    """Build the schema of one of several problems, which `type` tells apart."""
    references = {problem.type: f"{SCHEMAS}{problem.name}" for problem in problems}
    return {
        "oneOf": [{"$ref": reference} for reference in references.values()],
        "discriminator": {"propertyName": "type", "mapping": references},
    }


def build_headers() -> dict[str, Any]:
    """Build the header objects that the responses refer to."""
    return {name: {"schema": {"type": "string"}, **header} for name, header in HEADERS.items()}


def _find_headers(status: str, route: RouteContext, *, is_early: bool) -> Iterator[str]:
    """Yield the header fields that do not depend on the problem."""
    calls = list_calls(route.dependant)
    if not is_early and any(not policy.shadow for policy in list_policies(calls)):
        yield from ("RateLimit", "RateLimit-Policy")
    if status.startswith("2") and any(isinstance(call, LoadComposite) for call in calls):
        yield "Server-Timing"
    if status == "default":
        yield "Allow"
