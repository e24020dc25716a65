"""Response headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).

Both are structured-field lists of strings (RFC 9651), with an item for each window of a policy. The
labels need no escaping. A third one, `Lockgate-Limits`, names the fallback in use.
"""

from math import ceil

from gateway.ratelimit.limiter import Standing, Verdict
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule, cache_per_rule
from gateway.request_context import RequestContext

RawHeaders = list[tuple[bytes, bytes]]


def build_rate_limit_headers(verdict: Verdict) -> RawHeaders:
    """Return both headers, or none if no policy was counted. Shadow policies are left out.

    On a refusal, `t` is left out where it would be later than `Retry-After`.
    """
    max_reset = None if verdict.admitted else max(1, ceil(verdict.retry_after))
    policies, limits = [], []
    for standing in verdict.standings:
        if not standing.rule.shadow:
            policies.append(_serialize_policy(standing.rule))
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


@cache_per_rule
def _serialize_policy(rule: Rule) -> bytes:
    if rule.algorithm is Algorithm.CONCURRENCY:
        return f'"{rule.label}";q={rule.quota};qu="concurrent-requests"'.encode()
    return f'"{rule.label}";q={rule.quota};w={rule.window // MICROSECONDS}'.encode()


def _serialize_limit(standing: Standing, max_reset: int | None) -> bytes:
    reset = ceil(standing.reset)
    is_unknown = standing.rule.algorithm is Algorithm.CONCURRENCY  # no clock knows when one ends
    is_late = max_reset is not None and reset > max_reset
    parameter = "" if is_unknown or is_late else f";t={reset}"
    return f'"{standing.rule.label}";r={standing.remaining}{parameter}'.encode()
