"""`require_admission`: charges what is no request of a route, such as a wrong secret."""

from collections.abc import Sequence

from gateway.errors.tree import QuotaExceeded
from gateway.ratelimit.headers import report_fallback
from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.request_context import RequestContext


async def require_admission(
    limiter: RateLimiter, charges: Sequence[Charge], context: RequestContext
) -> None:
    """Charge all or none. The response to an admitted request does not show that it was counted.

    Raises:
        QuotaExceeded: a charge does not fit.
    """
    verdict = await _check(limiter, charges, context)
    if not verdict.admitted:
        raise _refuse(verdict.refused_by, verdict.retry_after, context)


async def require_remaining(
    limiter: RateLimiter, charges: Sequence[Charge], context: RequestContext
) -> None:
    """Require that each charge, of a cost of 1, would fit. Nothing is charged.

    Raises:
        QuotaExceeded: a policy has nothing left.
    """
    looks = [Charge(charge.policy, charge.key, cost=0) for charge in charges]
    verdict = await _check(limiter, looks, context)
    used_up = [it for it in verdict.standings if not it.remaining and not it.policy.shadow]
    if used_up:
        names = tuple(it.policy.name for it in used_up)
        raise _refuse(names, max(it.reset for it in used_up), context)


async def _check(
    limiter: RateLimiter, charges: Sequence[Charge], context: RequestContext
) -> Verdict:
    verdict = await limiter.check(charges)
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    return verdict


def _refuse(names: Sequence[str], retry_after: float, context: RequestContext) -> QuotaExceeded:
    """Log the policies that refuse, and return the error."""
    context.log_fields["refused_by"] = ",".join(names)
    return QuotaExceeded(names, retry_after)
