"""Finds the policies of a package: those of its module `limits`, and those of its routes."""

from collections.abc import Iterable, Mapping

from fastapi import APIRouter

from gateway.fastapi_internals import RouteContext, iter_audited_routes, iter_route_calls
from gateway.ratelimit.limited_dependency import Limited
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.reserved_dependency import ReserveCost


def list_route_policies(route: RouteContext) -> list[Policy]:
    """List the policies that a route declares, in the order in which it declares them."""
    calls = iter_route_calls(route)
    return [policy for call in calls if isinstance(call, Limited) for policy in call.policies]


def find_policies(router: APIRouter, declared: Mapping[str, Policy]) -> dict[str, Policy]:
    """Find all policies by name; `declared` are those of the module `limits`."""
    found = dict(declared)
    for route in iter_audited_routes(router):
        for policy in list_route_policies(route):
            found.setdefault(policy.name, policy)
    return found


def find_reserved_policies(router: APIRouter) -> frozenset[str]:
    """Find the names of the policies whose charges routes settle: those of `reserved()`."""
    routes = iter_audited_routes(router)
    calls = [call for route in routes for call in iter_route_calls(route)]
    reserving = [call for call in calls if isinstance(call, ReserveCost)]
    return frozenset(policy.name for call in reserving for policy in call.policies)


def find_claims(policies: Iterable[Policy]) -> frozenset[str]:
    """Find the claims of tokens that policies count by, or select a tier by."""
    return frozenset().union(*(policy.claims for policy in policies))
