"""`limited(...)`: the FastAPI dependency that applies rate limits to a route."""

from dataclasses import dataclass, field

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import authenticate, find_principal, get_principal
from gateway.client_ip import explain_ignored_fields, find_client_address
from gateway.errors.tree import QuotaExceeded
from gateway.forwarded_fields import IpAddress
from gateway.head_guard import HeadGuard
from gateway.ratelimit.concurrency_limit import ConcurrencyLimit
from gateway.ratelimit.cost import compute_cost
from gateway.ratelimit.headers import build_rate_limit_headers, report_fallback
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import address_partition, caller_partition
from gateway.ratelimit.policy import Policy
from gateway.request_context import RequestContext


@dataclass(frozen=True)
class Limited(HeadGuard):
    """The dependency behind `limited`.

    A request without a valid token is refused if a policy counts callers: `needs_caller`.
    """

    policies: tuple[Policy, ...]
    needs_caller: bool = field(init=False, compare=False)
    takes_lease: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Look for policies that count callers, and for concurrency limits."""
        needs_caller = any(policy.needs_caller for policy in self.policies)
        object.__setattr__(self, "needs_caller", needs_caller)
        takes_lease = any(isinstance(policy, ConcurrencyLimit) for policy in self.policies)
        object.__setattr__(self, "takes_lease", takes_lease)

    async def __call__(self, connection: HTTPConnection) -> object:
        """Charge the request to all policies at once, or refuse it at no cost.

        Raises:
            Unauthenticated: a policy counts callers, and there is no valid token.
            IdentityUnavailable: the key of the token cannot be fetched now.
            QuotaExceeded: the request is over a limit.
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        context = RequestContext.of(connection.scope)
        if self in context.passed_guards:
            return None  # it was charged before the body was read
        if self.needs_caller and find_principal(connection) is None:
            await authenticate(connection)
        demands = [make_demand(policy, connection) for policy in self.policies]
        limits: Limits = connection.app.state.resources[Limits]
        lease = limits.leases.open(context) if self.takes_lease else None
        require_admitted(await limits.enforce(demands, lease), context)
        return None


def limited(*policies: Policy) -> Dependency:
    """Limit a route by these policies. With several, all of them are charged or none is.

    Policies that count callers come after `requires(...)`. Policies per address also work on a
    `public(...)` route.

    Raises:
        TypeError: something other than a policy is given.
        ValueError: there is no policy, or one is given twice.
    """
    for policy in policies:
        if not isinstance(policy, Policy):
            raise TypeError(
                "limited() takes policies, each a RateLimit or a ConcurrencyLimit; got "
                f"{policy!r:.60}"
            )
    names = [policy.name for policy in policies]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"limited() takes one or more policies, each once; got {names}")
    dependency: Dependency = Depends(Limited(policies))
    return dependency


def make_demand(policy: Policy, connection: HTTPConnection) -> Demand:
    """Find what a request asks of a policy. If that counts callers, `authenticate` comes first.

    Raises:
        CostFailed: the policy has a function for the cost, which returned none.
    """
    cost = policy.cost if isinstance(policy.cost, int) else compute_cost(policy, connection)
    if not policy.needs_caller:
        return Demand(policy, address_partition(_find_client(connection)), None, cost)
    principal = get_principal(connection)
    tier = principal.claims.get(policy.tier_claim) if policy.tier_claim else None
    return Demand(policy, caller_partition(policy, principal), tier, cost)


def _find_client(connection: HTTPConnection) -> IpAddress | None:
    """Find the address of the client; log why a forwarded one is not believed."""
    server = connection.app.state.settings.server
    client = find_client_address(connection, server)
    doubt = client.doubt or explain_ignored_fields(connection, server)
    if doubt:
        RequestContext.of(connection.scope).log_fields["client_address_doubt"] = doubt
    return client.ip


def require_admitted(verdict: Verdict, context: RequestContext) -> None:
    """Add the verdict to the response headers and to the access log.

    Raises:
        QuotaExceeded: the request is refused.
    """
    context.response_headers += build_rate_limit_headers(verdict)
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    if verdict.refused_by:
        context.log_fields["refused_by"] = ",".join(verdict.refused_by)
    if verdict.shadow_refused_by:
        context.log_fields["shadow_refused_by"] = ",".join(verdict.shadow_refused_by)
    if not verdict.admitted:
        raise QuotaExceeded(verdict.violated, verdict.retry_after)
