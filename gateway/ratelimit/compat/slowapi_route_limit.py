"""`RouteLimit`: one `@limiter.limit(...)` on one endpoint, and the charges it makes."""

from dataclasses import dataclass
from functools import lru_cache
from logging import getLogger

from limits import RateLimitItem
from starlette.requests import Request

from gateway.ratelimit.compat.slowapi_declared_limit import DeclaredLimit, normalize_method
from gateway.ratelimit.limiter import Charge
from gateway.ratelimit.partition import digest
from gateway.ratelimit.rule import MICROSECONDS, SLOWAPI, Algorithm, Rule, WithoutRedis

log = getLogger("slowapi")


@dataclass(frozen=True, slots=True)
class LimitCharge:
    """The charge of one request under one limit. `key` is what `key_func` returned."""

    route_limit: "RouteLimit"
    item: RateLimitItem
    charge: Charge
    key: str


@dataclass(frozen=True, slots=True)
class RouteLimit:
    """The limits of one decorator. Endpoints with the same `scope` are counted together."""

    declared: DeclaredLimit
    scope: tuple[str, ...]

    async def make_charges(
        self, request: Request, prefix: str, without_redis: WithoutRedis
    ) -> list[LimitCharge]:
        """Return the charges of a request, one per limit; none if no limit applies to it.

        Raises:
            ValueError: a function of the limit returned a text that is not a limit, or no cost.
        """
        if not await self.declared.applies(request):
            return []
        caller = await self.declared.key_func(request)
        if not caller:
            log.error("Skipping limit of %s: key_func returned %r", self.scope[1], caller)
            return []
        cost = await self.declared.read_cost(request)
        key, charges = _to_text(caller), []
        for item in await self.declared.read_items(request, caller):
            charge = Charge(
                _make_rule(item, without_redis),
                self._make_key(request, prefix, key, item.get_expiry()),
                cost,
            )
            charges.append(LimitCharge(self, item, charge, key))
        return charges

    def _make_key(self, request: Request, prefix: str, key: str, window: int) -> str:
        """Make a key from caller, scope and window. The amount is left out, so it can change."""
        method = normalize_method(request.method) if self.declared.per_method else ""
        return f"{make_key_prefix(prefix)}{digest(key)}}}:{digest(*self.scope, method)}:{window}"


@lru_cache(maxsize=64)
def make_key_prefix(prefix: str) -> str:
    """Return what all keys of a limiter with this `key_prefix` begin with."""
    return f"lockgate:{{slow:{digest(prefix)[:8]}:"


def _to_text(caller: object) -> str:
    """Return the text of a key, as the limits package makes it: 7 and "7" are the same caller."""
    return caller.decode(errors="surrogateescape") if isinstance(caller, bytes) else str(caller)


@lru_cache(maxsize=1_024)
def _make_rule(item: RateLimitItem, without_redis: WithoutRedis) -> Rule:
    window = item.get_expiry() * MICROSECONDS
    return Rule(
        policy=SLOWAPI,
        label=SLOWAPI,
        algorithm=Algorithm.SLIDING_WINDOW,
        quota=item.amount,
        window=window,
        without_redis=without_redis,
    )
