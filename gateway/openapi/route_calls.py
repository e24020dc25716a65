"""The functions that a request to a route calls, which declare what the route can respond with."""

from collections.abc import Iterable

from gateway.aggregation.dependency import LoadComposite
from gateway.aggregation.part import list_essential_parts
from gateway.fastapi_internals import Dependant, iter_dependencies
from gateway.ratelimit.limited_dependency import Limited
from gateway.ratelimit.policy import Policy
from gateway.resources import ResourceLookup
from gateway.upstream.client import ServiceClient
from gateway.upstream.problem import UpstreamProblem
from gateway.upstream.raises_decorator import get_raised_problems


def list_calls(dependant: Dependant) -> list[object]:
    """Return all dependencies of a route, nested ones included, but not the clients of parts."""
    return [
        inner.call
        for outer, inner in iter_dependencies(dependant)
        if not (isinstance(outer.call, LoadComposite) and isinstance(inner.call, ResourceLookup))
    ]


def list_policies(calls: Iterable[object]) -> list[Policy]:
    """Return the rate-limit policies among the calls of a route."""
    return [policy for call in calls if isinstance(call, Limited) for policy in call.policies]


def passes_call_errors_on(dependant: Dependant) -> bool:
    """Whether an error of a call to a service can end a request to the route."""
    return any(map(_is_essential_call, list_calls(dependant)))


def _is_essential_call(call: object) -> bool:
    if isinstance(call, LoadComposite):
        return any(part.required for part in call.model.parts)
    return isinstance(call, ResourceLookup) and issubclass(call.kind, ServiceClient)


def list_raised_problems(dependant: Dependant) -> list[type[UpstreamProblem]]:
    """Return the problems that the functions of a route declare with `raises`.

    Those of an optional part are left out, because the part is then missing.
    """
    calls = list_calls(dependant)
    composites = [call.model for call in calls if isinstance(call, LoadComposite)]
    parts = [part.fetch for model in composites for part in list_essential_parts(model.parts)]
    functions = [dependant.call, *calls, *parts]
    problems = (problem for call in functions for problem in get_raised_problems(call))
    return list(dict.fromkeys(problems))
