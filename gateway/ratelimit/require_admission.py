"""`require_admission`: charges what is no request of a route, such as a wrong secret."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.errors.tree import QuotaExceeded
from gateway.ratelimit.headers import report_fallback
from gateway.ratelimit.limiter import Verdict
from gateway.ratelimit.limits import Demand, Limits
from gateway.request_context import RequestContext


async def require_admission(
    limits: Limits, demands: Sequence[Demand], context: RequestContext
) -> None:
    """Charge all or none. The response to an admitted request does not show that it was counted.

    Raises:
        QuotaExceeded: a charge does not fit.
    """
    verdict = await _enforce(limits, demands, context)
    if not verdict.admitted:
        context.log_fields["refused_by"] = ",".join(verdict.refused_by)
        raise QuotaExceeded(verdict.violated, verdict.retry_after)


async def require_remaining(
    limits: Limits, demands: Sequence[Demand], context: RequestContext
) -> None:
    """Require that each demand, at a cost of 1, would fit. Nothing is charged.

    Raises:
        QuotaExceeded: a policy has nothing left.
    """
    looks = [replace(demand, cost=0) for demand in demands]
    verdict = await _enforce(limits, looks, context)
    used_up = [it for it in verdict.standings if not it.remaining and not it.rule.shadow]
    if not verdict.admitted or used_up:
        names = verdict.refused_by or dict.fromkeys(it.rule.policy for it in used_up)
        context.log_fields["refused_by"] = ",".join(names)
        labels = verdict.violated or tuple(it.rule.label for it in used_up)
        raise QuotaExceeded(labels, verdict.retry_after or max(it.reset for it in used_up))


async def _enforce(limits: Limits, demands: Sequence[Demand], context: RequestContext) -> Verdict:
    verdict = await limits.enforce(demands)
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    return verdict
