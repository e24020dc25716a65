"""Checks one request against the limits of its endpoint, and raises slowapi's error."""

from collections.abc import Iterable, Sequence

from starlette.requests import Request

from gateway.errors.tree import RateLimiterUnavailable
from gateway.ratelimit.compat.slowapi_errors import LimitExceeded, LimitUnavailable
from gateway.ratelimit.compat.slowapi_headers import make_current_limit, select_tightest
from gateway.ratelimit.compat.slowapi_internals import set_current_limit
from gateway.ratelimit.compat.slowapi_route_limit import LimitCharge, RouteLimit
from gateway.ratelimit.headers import report_fallback
from gateway.ratelimit.limiter import RequestChecker, Verdict
from gateway.ratelimit.rule import SLOWAPI, WithoutRedis
from gateway.request_context import RequestContext


async def check_limits(
    request: Request,
    limits: Sequence[RouteLimit],
    engine: RequestChecker,
    *,
    prefix: str,
    without_redis: WithoutRedis,
) -> None:
    """Charge a request to all limits at once, or refuse it at no cost.

    The limit that the headers describe is stored with the request.

    Raises:
        LimitExceeded: the request is over a limit; `current_limit` says which, and how far.
        LimitUnavailable: Redis gave no verdict, and `without_redis` is "deny".
    """
    found = [await limit.make_charges(request, prefix, without_redis) for limit in limits]
    charges = _merge(charge for several in found for charge in several)
    if not charges:
        return
    try:
        verdict = await engine.check([charge.charge for charge in charges])
    except RateLimiterUnavailable as error:
        raise LimitUnavailable(error.retry_after) from error
    current_limit = make_current_limit(charges, verdict, prefix)
    set_current_limit(request, current_limit)
    _report(verdict, RequestContext.of(request.scope))
    if not verdict.admitted:
        raise await _make_error(request, charges, verdict)


def _merge(charges: Iterable[LimitCharge]) -> list[LimitCharge]:
    """Keep one charge per key: that of the limit with the smallest amount."""
    merged: dict[str, LimitCharge] = {}
    for charge in charges:
        other = merged.get(charge.charge.key)
        if other is None or charge.item.amount < other.item.amount:
            merged[charge.charge.key] = charge
    return list(merged.values())


def _report(verdict: Verdict, context: RequestContext) -> None:
    """Add the verdict to the access log. The key of the caller may be confidential."""
    if verdict.degraded:
        report_fallback(verdict.degraded, context)
    if verdict.refused_by:
        context.log_fields["refused_by"] = SLOWAPI


async def _make_error(
    request: Request, charges: Sequence[LimitCharge], verdict: Verdict
) -> LimitExceeded:
    exceeded, _ = select_tightest(charges, verdict)
    limit = await exceeded.route_limit.declared.make_exceeded_limit(
        exceeded.item,
        request,
        scope=exceeded.route_limit.scope[1],
        cost=exceeded.charge.cost,
    )
    refusing = [
        str(charge.item)
        for charge, standing in zip(charges, verdict.standings, strict=True)
        if standing.retry_after
    ]
    return LimitExceeded(limit, refusing, verdict.retry_after)
