"""The cost of a request, where a policy computes it from the request."""

from starlette.requests import HTTPConnection

from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_checks import MAX_COST


class CostFailed(Exception):
    """The function of a policy returned no cost. The request is refused, and never free."""


def compute_cost(policy: Policy, connection: HTTPConnection) -> int:
    """Call the cost function of a policy.

    Raises:
        CostFailed: it raised an exception, or returned something other than a cost.
    """
    if isinstance(policy.cost, int):
        return policy.cost
    try:
        cost = policy.cost(connection)
    except Exception as error:
        raise CostFailed(f"policy {policy.name}: its cost function failed") from error
    if not isinstance(cost, int) or isinstance(cost, bool) or not 0 <= cost <= MAX_COST:
        raise CostFailed(
            f"policy {policy.name}: its cost function returned {cost!r:.60}; it must return a "
            f"whole number of at least 0 and at most {MAX_COST}"
        )
    return cost
