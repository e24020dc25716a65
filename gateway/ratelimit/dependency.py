"""What a route says about how often: `limited(DASHBOARDS)`, after `requires(...)`."""

from dataclasses import dataclass

from fastapi import Depends
from fastapi.params import Depends as Dependency
from starlette.requests import HTTPConnection

from gateway.auth.dependencies import authenticate, find_principal
from gateway.client_ip import client_address, counted_as
from gateway.errors.tree import QuotaExceeded
from gateway.ratelimit.headers import rate_limit_fields
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.partition import caller_partition, key
from gateway.ratelimit.policy import RateLimit
from gateway.request_context import RequestContext


@dataclass(frozen=True)
class Limited:
    """The dependency behind `limited`."""

    policies: tuple[RateLimit, ...]

    async def __call__(self, connection: HTTPConnection) -> None:
        """Charge the request to every policy at once, or refuse it at no cost.

        Raises:
            Unauthenticated: a policy counts callers, and there is no valid token.
            IdentityUnavailable: the token's key cannot be asked for now.
            QuotaExceeded: over a limit.
            CountersUnavailable: it cannot be counted, and a policy says `deny`.
        """
        charges = []
        for policy in self.policies:
            if policy.per == "address":
                partition = _address_partition(connection)
            else:
                partition = caller_partition(
                    policy, find_principal(connection) or await authenticate(connection)
                )
            charges.append(Charge(policy, key(policy, partition)))
        limiter: RateLimiter = connection.app.state.resources[RateLimiter]
        verdict = await limiter.check(charges)
        _report(verdict, RequestContext.of(connection.scope))
        if not verdict.admitted:
            raise QuotaExceeded(verdict.refused_by, verdict.retry_after)


def limited(*policies: RateLimit) -> Dependency:
    """No more than these policies allow; with several, all are charged or none.

    Policies that count users, services or tenants need a caller, so they come after
    `requires(...)`; those per address also work on a `public(...)` route.

    Raises:
        ValueError: no policy is named, or one is named twice.
    """
    names = [policy.name for policy in policies]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"limited: name one or more policies, each once; got {names}")
    dependency: Dependency = Depends(Limited(policies))
    return dependency


def _address_partition(connection: HTTPConnection) -> str:
    trusted = connection.app.state.settings.server.trusted_proxies
    return f"address:{counted_as(client_address(connection, trusted))}"


def _report(verdict: Verdict, exchange: RequestContext) -> None:
    exchange.response_headers += rate_limit_fields(verdict)
    if verdict.degraded:
        exchange.response_headers.append((b"lockgate-limits", verdict.degraded.encode()))
        exchange.log_fields["limits"] = verdict.degraded
    if verdict.refused_by:
        exchange.log_fields["refused_by"] = ",".join(verdict.refused_by)
    over = [s.policy.name for s in verdict.standings if s.retry_after and s.policy.shadow]
    if over:
        exchange.log_fields["shadow_refused_by"] = ",".join(over)
