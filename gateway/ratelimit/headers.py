"""Response headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).

Both are structured-field lists of strings (RFC 9651). Policy names need no escaping. A third one,
`Lockgate-Limits`, names the fallback in use.
"""

from math import ceil

from gateway.ratelimit.limiter import Standing, Verdict
from gateway.ratelimit.policy import RateLimit, cache_per_policy
from gateway.request_context import RequestContext

RawHeaders = list[tuple[bytes, bytes]]


def build_rate_limit_headers(verdict: Verdict) -> RawHeaders:
    """Return both headers, or none if no policy was counted. Shadow policies are left out.

    On a refusal, `t` is left out where it would be later than `Retry-After`.
    """
    max_reset = None if verdict.admitted else max(1, ceil(verdict.retry_after))
    policies, limits = [], []
    for standing in verdict.standings:
        if not standing.policy.shadow:
            policies.append(_serialize_policy(standing.policy))
            limits.append(_serialize_limit(standing, max_reset))
    if not limits:
        return []
    return [(b"ratelimit-policy", b", ".join(policies)), (b"ratelimit", b", ".join(limits))]


def report_fallback(fallback: str, context: RequestContext) -> None:
    """Add the fallback in use, `Verdict.degraded`, to the response headers and the access log."""
    field = (b"lockgate-limits", fallback.encode())
    if field not in context.response_headers:  # of another limit of the route
        context.response_headers.append(field)
    context.log_fields["limits"] = fallback


@cache_per_policy
def _serialize_policy(policy: RateLimit) -> bytes:
    return f'"{policy.name}";q={policy.rate.quota};w={policy.rate.window}'.encode()


def _serialize_limit(standing: Standing, max_reset: int | None) -> bytes:
    reset = ceil(standing.reset)
    parameter = "" if max_reset is not None and reset > max_reset else f";t={reset}"
    return f'"{standing.policy.name}";r={standing.remaining}{parameter}'.encode()
