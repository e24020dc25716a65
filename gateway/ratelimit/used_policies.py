"""Finds the policies of a package: those of its module `limits`, and those of its routes."""

from collections.abc import Iterable, Mapping

from fastapi import APIRouter

from gateway.fastapi_internals import RouteContext, iter_audited_routes, iter_calls
from gateway.ratelimit.dependency import Limited
from gateway.ratelimit.policy import Policy


def list_route_policies(route: RouteContext) -> list[Policy]:
    """List the policies that a route declares, in the order in which it declares them."""
    dependant = getattr(route, "dependant", None)  # a mounted app has none
    calls = iter_calls(dependant) if dependant is not None else ()
    return [policy for call in calls if isinstance(call, Limited) for policy in call.policies]


def find_policies(router: APIRouter, declared: Mapping[str, Policy]) -> dict[str, Policy]:
    """Find all policies by name; `declared` are those of the module `limits`."""
    found = dict(declared)
    for route in iter_audited_routes(router):
        for policy in list_route_policies(route):
            found.setdefault(policy.name, policy)
    return found


def find_claims(policies: Iterable[Policy]) -> frozenset[str]:
    """Find the claims of tokens that policies count by, or select a tier by."""
    return frozenset().union(*(policy.claims for policy in policies))
