"""`require_admission`: charges what is no request of a route, such as a wrong secret."""

from collections.abc import Sequence

from gateway.errors.tree import QuotaExceeded
from gateway.ratelimit.headers import report_fallback
from gateway.ratelimit.limiter import Charge, RateLimiter
from gateway.request_context import RequestContext


async def require_admission(
    limiter: RateLimiter, charges: Sequence[Charge], context: RequestContext
) -> None:
    """Charge all or none. The response to an admitted request does not show that it was counted.

    Raises:
        QuotaExceeded: a charge does not fit.
    """
    verdict = await limiter.check(charges)
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    if not verdict.admitted:
        context.log_fields["refused_by"] = ",".join(verdict.refused_by)
        raise QuotaExceeded(verdict.refused_by, verdict.retry_after)
