"""`RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).

Both are structured-field lists of strings (RFC 9651). A policy's name needs no escaping.
"""

from collections.abc import Sequence
from math import ceil

from gateway.limits.limiter import Standing, Verdict

Fields = list[tuple[str, str]]


def rate_limit_fields(verdict: Verdict) -> Fields:
    """Both headers, or none where nothing was counted; shadow policies are not announced.

    On a refusal no `t` may be later than `Retry-After`: such a `t` is left out.
    """
    shown = [standing for standing in verdict.standings if not standing.policy.shadow]
    if not shown:
        return []
    latest = None if verdict.admitted else max(1, ceil(verdict.retry_after))
    return [
        ("RateLimit-Policy", ", ".join(map(_policy, shown))),
        ("RateLimit", ", ".join(_limits(shown, latest))),
    ]


def _policy(standing: Standing) -> str:
    policy = standing.policy
    return f'"{policy.name}";q={policy.rate.quota};w={policy.rate.window}'


def _limits(standings: Sequence[Standing], latest: int | None) -> list[str]:
    texts = []
    for standing in standings:
        reset = ceil(standing.reset)
        until = "" if latest is not None and reset > latest else f";t={reset}"
        texts.append(f'"{standing.policy.name}";r={standing.remaining}{until}')
    return texts
