"""Finds the policies that routes declare, so that they are known before the first request."""

from collections.abc import Iterable

from gateway.fastapi_internals import RouteContext, iter_calls
from gateway.ratelimit.dependency import Limited
from gateway.ratelimit.policy import Policy


def find_route_policies(routes: Iterable[RouteContext]) -> dict[str, Policy]:
    """Return the policies of routes by name, as the routes declare them."""
    policies: dict[str, Policy] = {}
    for route in routes:
        if (dependant := getattr(route, "dependant", None)) is None:
            continue
        for call in iter_calls(dependant):
            if isinstance(call, Limited):
                policies |= {policy.name: policy for policy in call.policies}
    return policies
