"""`RouteLimit`: one `@limiter.limit(...)` on one endpoint, and the charges it makes."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from limits import RateLimitItem
from slowapi.wrappers import Limit, LimitGroup
from starlette.requests import Request

from gateway.ratelimit.compat.slowapi_internals import parse_limits
from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.partition import digest
from gateway.ratelimit.policy import RateLimit, WithoutRedis
from gateway.settings.rate import Rate


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """The limits of one decorator. Endpoints with the same `scope` are counted together."""

    group: LimitGroup
    scope: str

    def make_charges(
        self, request: Request, prefix: str, without_redis: WithoutRedis
    ) -> Iterator[tuple[Limit, Charge]]:
        """Yield each limit that applies to the request, with its charge.

        Raises:
            ValueError: the text of the limit is not a rate, or the key is empty.
        """
        for limit in parse_limits(self.group, request):
            if _applies(limit, request):
                policy = _make_policy(limit.limit, without_redis)
                cost = limit.cost(request) if callable(limit.cost) else limit.cost
                yield limit, Charge(policy, self._make_key(limit, request, prefix), cost)

    def _make_key(self, limit: Limit, request: Request, prefix: str) -> str:
        """Make a key from caller, scope and window. The amount is left out, so it can change."""
        takes_request = _takes_request(limit.key_func)
        caller = limit.key_func(request) if takes_request else limit.key_func()
        if not caller:
            raise ValueError(f"{self.scope}: key_func returned an empty key; expected a caller")
        counted_scope = (self.scope, request.method if limit.per_method else "")
        window = limit.limit.get_expiry()
        return f"lockgate:{{slow:{digest(prefix, caller)}}}:{digest(*counted_scope)}:{window}"


def _applies(limit: Limit, request: Request) -> bool:
    if limit.methods is not None and request.method.lower() not in limit.methods:
        return False
    return not limit.is_exempt(request)


@lru_cache(maxsize=1_024)
def _make_policy(item: RateLimitItem, without_redis: WithoutRedis) -> RateLimit:
    rate = Rate(item.amount, item.get_expiry())
    return RateLimit("slowapi", rate, per="address", without_redis=without_redis)


@lru_cache(maxsize=1_024)
def _takes_request(key_func: Callable[..., str]) -> bool:
    return "request" in inspect.signature(key_func).parameters
