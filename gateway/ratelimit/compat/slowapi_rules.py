"""What one `@limiter.limit(...)` of slowapi says, and what it means for a request."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem
from slowapi.wrappers import Limit, LimitGroup
from starlette.requests import Request

from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.partition import digest
from gateway.ratelimit.policy import RateLimit, WithoutRedis
from gateway.settings.rate import Rate


@dataclass(frozen=True, slots=True)
class Rule:
    """One decorator on one endpoint; `scope` is what its counts are kept under."""

    group: LimitGroup
    scope: str

    def charges(
        self, request: Request, prefix: str, without_redis: WithoutRedis
    ) -> Iterator[tuple[Limit, Charge]]:
        """Each limit that applies to the request, with the charge it makes.

        Raises:
            ValueError: the text of the limit is not one, or there is nobody to count.
        """
        for limit in self.group.with_request(request):  # type: ignore[no-untyped-call]
            if _applies(limit, request):
                policy = _policy(limit.limit, without_redis)
                cost = limit.cost(request) if callable(limit.cost) else limit.cost
                yield limit, Charge(policy, self._key(limit, request, prefix), cost)

    def _key(self, limit: Limit, request: Request, prefix: str) -> str:
        """Who, where and over how long; never how many, so that a number can be changed."""
        who = limit.key_func(request) if _takes_request(limit.key_func) else limit.key_func()
        if not who:
            raise ValueError(f"{self.scope}: key_func gave an empty key, so nobody is counted")
        where = (self.scope, request.method if limit.per_method else "")
        window = limit.limit.get_expiry()
        return f"lockgate:{{slow:{digest(prefix, who)}}}:{digest(*where)}:{window}"


def _applies(limit: Limit, request: Request) -> bool:
    if limit.methods is not None and request.method.lower() not in limit.methods:
        return False
    return not limit.is_exempt(request)


@lru_cache(maxsize=1_024)
def _policy(item: RateLimitItem, without_redis: WithoutRedis) -> RateLimit:
    rate = Rate(item.amount, item.get_expiry())
    return RateLimit("slowapi", rate, per="address", without_redis=without_redis)


@lru_cache(maxsize=1_024)
def _takes_request(key_func: Callable[..., str]) -> bool:
    return "request" in inspect.signature(key_func).parameters
