"""`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).

Both are structured-field lists of strings (RFC 9651). A policy's name needs no escaping.
"""

from math import ceil

from gateway.ratelimit.limiter import Standing, Verdict
from gateway.ratelimit.policy import RateLimit
from gateway.ratelimit.policy_cache import cache_per_policy

Fields = list[tuple[bytes, bytes]]


def rate_limit_fields(verdict: Verdict) -> Fields:
    """Both headers, or none where nothing was counted; shadow policies are not announced.

    On a refusal no `t` may be later than `Retry-After`: such a `t` is left out.
    """
    latest = None if verdict.admitted else max(1, ceil(verdict.retry_after))
    policies, limits = [], []
    for standing in verdict.standings:
        if not standing.policy.shadow:
            policies.append(_policy(standing.policy))
            limits.append(_limit(standing, latest))
    if not limits:
        return []
    return [(b"ratelimit-policy", b", ".join(policies)), (b"ratelimit", b", ".join(limits))]


@cache_per_policy
def _policy(policy: RateLimit) -> bytes:
    return f'"{policy.name}";q={policy.rate.quota};w={policy.rate.window}'.encode()


def _limit(standing: Standing, latest: int | None) -> bytes:
    reset = ceil(standing.reset)
    until = "" if latest is not None and reset > latest else f";t={reset}"
    return f'"{standing.policy.name}";r={standing.remaining}{until}'.encode()
