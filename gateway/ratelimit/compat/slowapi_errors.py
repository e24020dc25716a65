"""The errors of a decorated endpoint: on a gateway and in any other app, each is its response.

Each is an error of the gateway, which responds with its problem document, and an `HTTPException`,
which Starlette and FastAPI turn into a response.
"""

from collections.abc import Mapping, Sequence

from slowapi.errors import RateLimitExceeded
from slowapi.wrappers import Limit
from starlette.exceptions import HTTPException

from gateway.errors.tree import QuotaExceeded, RateLimiterUnavailable


class LimitExceeded(RateLimitExceeded, QuotaExceeded):
    """429: slowapi's error, for which an application may have a handler, and `QuotaExceeded`.

    `policies` are the texts of all limits that refuse the request. slowapi's own handler ignores
    `headers`; Starlette and the gateway send them.
    """

    headers: Mapping[str, str] | None = None  # type: ignore[assignment]  # a property of the base

    def __init__(self, limit: Limit, policies: Sequence[str], retry_after: float) -> None:
        RateLimitExceeded.__init__(self, limit)
        self.policies = tuple(policies)
        self.retry_after = retry_after


class LimitUnavailable(RateLimiterUnavailable, HTTPException):  # type: ignore[misc]  # `headers`
    """503 with `Retry-After`: Redis gave no verdict, and `in_memory_fallback_enabled` is False."""

    status_code = RateLimiterUnavailable.status

    def __init__(self, retry_after: float) -> None:
        Exception.__init__(self, retry_after)  # `HTTPException` would set `headers` itself
        self.retry_after = retry_after
