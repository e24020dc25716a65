"""`limited(...)`: the FastAPI dependency that applies rate limits to a route."""

from dataclasses import dataclass

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import authenticate, find_principal
from gateway.client_ip import explain_ignored_fields, find_client_address
from gateway.errors.tree import QuotaExceeded
from gateway.forwarded_fields import IpAddress
from gateway.head_guard import HeadGuard
from gateway.ratelimit.cost import compute_cost
from gateway.ratelimit.headers import build_rate_limit_headers, report_fallback
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.ratelimit.partition import address_partition, caller_partition
from gateway.ratelimit.policy import Policy
from gateway.request_context import RequestContext


@dataclass(frozen=True)
class Limited(HeadGuard):
    """The dependency behind `limited`."""

    policies: tuple[Policy, ...]

    @property
    def needs_caller(self) -> bool:
        """Whether a policy counts callers, so that a request without a valid token is refused."""
        return any(policy.needs_caller for policy in self.policies)

    async def __call__(self, connection: HTTPConnection) -> None:
        """Charge the request to all policies at once, or refuse it at no cost.

        Raises:
            Unauthenticated: a policy counts callers, and there is no valid token.
            IdentityUnavailable: the key of the token cannot be fetched now.
            QuotaExceeded: the request is over a limit.
            RateLimiterUnavailable: Redis gave no verdict, and a policy says `deny`.
        """
        context = RequestContext.of(connection.scope)
        if self in context.passed_guards:
            return  # it was charged before the body was read
        demands = [await _make_demand(policy, connection) for policy in self.policies]
        limits: Limits = connection.app.state.resources[Limits]
        verdict = await limits.enforce(demands)
        _report(verdict, context)
        if not verdict.admitted:
            raise QuotaExceeded(verdict.violated, verdict.retry_after)


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
            raise TypeError(f"limited() takes policies, each a RateLimit; got {policy!r:.60}")
    names = [policy.name for policy in policies]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"limited() takes one or more policies, each once; got {names}")
    dependency: Dependency = Depends(Limited(policies))
    return dependency


async def _make_demand(policy: Policy, connection: HTTPConnection) -> Demand:
    cost = policy.cost if isinstance(policy.cost, int) else compute_cost(policy, connection)
    if not policy.needs_caller:
        return Demand(policy, address_partition(_find_client(connection)), None, cost)
    principal = find_principal(connection) or await authenticate(connection)
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


def _report(verdict: Verdict, context: RequestContext) -> None:
    """Add the verdict to the response headers and to the access log."""
    context.response_headers += build_rate_limit_headers(verdict)
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    if verdict.refused_by:
        context.log_fields["refused_by"] = ",".join(verdict.refused_by)
    shadow = [s.rule.policy for s in verdict.standings if s.retry_after and s.rule.shadow]
    if shadow:
        context.log_fields["shadow_refused_by"] = ",".join(dict.fromkeys(shadow))
