"""`RateLimit`, the declaration of one rate-limit policy, and `Policy`, the base of all of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.policy_checks import (
    CLAIM,
    Rates,
    check_cost,
    check_name,
    check_per,
    check_prefetch,
    check_rates,
    check_tiers,
    check_type,
    check_without_redis,
    read_rates,
)
from gateway.ratelimit.rule import (
    MICROSECONDS,
    Algorithm,
    Rule,
    WithoutRedis,
    compute_largest_burst,
)
from gateway.settings.rate import Rate, format_rates

if TYPE_CHECKING:  # a command or a simulation needs no request
    from starlette.requests import HTTPConnection

Cost: TypeAlias = "int | Callable[[HTTPConnection], int]"

RateValue = str | Rate | list[str] | list[Rate] | Rates
"""The rates of a declaration: `120/minute`, several in one text, or a list."""

_NO_TIERS: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Policy(ABC):
    """The common part of all policies: name, partition, and fallback without Redis.

    `tiers` are keyed by the values of the claim `tier_claim`; a caller without one of these values
    is counted by the values of the policy itself.
    """

    name: str
    per: str
    without_redis: WithoutRedis
    shadow: bool
    tiers: Mapping[str, Any] = field(hash=False)
    tier_claim: str | None
    cost: Cost

    @abstractmethod
    def change(self, **changes: Any) -> "Policy":  # noqa: ANN401 - the keywords of `__init__`
        """Copy the policy with other values, given by the keywords of the declaration.

        Raises:
            TypeError, ValueError: a value is invalid, or does not fit the others.
        """

    @abstractmethod
    def make_rules(self, tier: str | None = None) -> tuple[Rule, ...]:
        """Make the rules of a tier; those of the policy itself if there is no such tier."""

    @abstractmethod
    def make_override_rules(self, override: KeyOverride) -> tuple[Rule, ...]:
        """Make the rules of a key with an override of the kind `rate`.

        Raises:
            ValueError: the override does not fit this policy.
        """

    @property
    @abstractmethod
    def limit_text(self) -> str:
        """The limit in words, as in a list of routes: `120/minute burst 5`."""

    @property
    def cost_text(self) -> str:
        """The cost of a request, to append to the limit: `, cost 5`; "" if it is 1."""
        if not isinstance(self.cost, int):
            return ", cost per request"
        return f", cost {self.cost}" if self.cost != 1 else ""

    @property
    def needs_caller(self) -> bool:
        """Whether it counts callers, so that a request without a valid token is refused."""
        return self.per != "address"

    @property
    def claims(self) -> frozenset[str]:
        """The claims that it reads, besides those that every token is read for."""
        named = {self.per.removeprefix(CLAIM)} if self.per.startswith(CLAIM) else set()
        return frozenset(named | {self.tier_claim} if self.tier_claim else named)


@dataclass(frozen=True, slots=True, init=False)
class RateLimit(Policy):
    """One policy: the rates, the partition it is counted for, and the fallback without Redis.

    A rate is a sliding window: never more than the quota in any window, wherever it starts.
    Several windows are counted together; a request must fit all of them. With `burst` the shortest
    window is a steady rate instead (GCRA, a leaky bucket) that admits up to `burst` requests at
    once. A `shadow` policy counts and is logged, but never refuses.

    `per` is `user`, `service`, `tenant`, `client` (an OAuth client or an API key), `address`, or
    `claim:NAME` for a claim of the token. `tiers` are other rates by the value of the claim
    `tier_claim`. `cost` is what one request is counted as: a number, or a function that gets the
    request. With `prefetch` a process may take that many requests of a busy key in advance.

    Raises:
        TypeError, ValueError: a value is invalid. A misspelt fallback would otherwise be none, and
            `shadow="false"` would never refuse a request.
    """

    rates: Rates
    burst: int | None
    prefetch: int | None

    def __init__(  # noqa: PLR0913 - one keyword per word of the declaration
        self,
        name: str,
        rate: RateValue,
        *,
        per: str = "user",
        without_redis: WithoutRedis = "local",
        burst: int | None = None,
        shadow: bool = False,
        tiers: Mapping[str, RateValue] | None = None,
        tier_claim: str | None = None,
        cost: Cost = 1,
        prefetch: int | None = None,
    ) -> None:
        check_name(name)
        check_per(name, per)
        check_without_redis(name, without_redis)
        check_type(name, "shadow", shadow, bool, "True or False")
        check_tiers(name, per, tiers, tier_claim)
        rates = read_rates(name, "rate", rate)
        by_tier = {
            tier: read_rates(name, f"tiers[{tier!r}]", value)
            for tier, value in (tiers or _NO_TIERS).items()
        }
        for some in (rates, *by_tier.values()):
            check_rates(name, some, burst)
            if prefetch is not None:
                check_prefetch(name, prefetch, some, burst)
            check_cost(name, cost, min(burst or some[0].quota, *(rate.quota for rate in some)))
        set_field = object.__setattr__
        set_field(self, "name", name)
        set_field(self, "rates", rates)
        set_field(self, "per", per)
        set_field(self, "without_redis", without_redis)
        set_field(self, "burst", burst)
        set_field(self, "shadow", shadow)
        set_field(self, "tiers", MappingProxyType(by_tier))
        set_field(self, "tier_claim", tier_claim)
        set_field(self, "cost", cost)
        set_field(self, "prefetch", prefetch)

    @property
    def limit_text(self) -> str:
        """The rates, and the burst if there is one."""
        return format_rates(self.rates) + (f" burst {self.burst}" if self.burst else "")

    def change(self, **changes: Any) -> "RateLimit":  # noqa: ANN401 - the keywords of `__init__`
        """Copy the policy with other values, given by the keywords of the declaration.

        Raises:
            TypeError, ValueError: a value is invalid, or does not fit the others.
        """
        return RateLimit(self.name, **{**self._list_keywords(), **changes})

    def __reduce__(self) -> tuple[Any, ...]:
        """Describe the policy to `pickle`, by its declaration."""
        keywords = self._list_keywords()
        if not isinstance(self.cost, int):
            keywords["cost"] = 1  # a simulation takes the recorded costs
        return partial(RateLimit, **keywords), (self.name,)

    def _list_keywords(self) -> dict[str, Any]:
        return {
            "rate": self.rates,
            "per": self.per,
            "without_redis": self.without_redis,
            "burst": self.burst,
            "shadow": self.shadow,
            "tiers": dict(self.tiers) or None,
            "tier_claim": self.tier_claim,
            "cost": self.cost,
            "prefetch": self.prefetch,
        }

    def make_rules(self, tier: str | None = None) -> tuple[Rule, ...]:
        """Make the rules of a tier, one per window, the shortest first."""
        rates: Rates = self.rates if tier is None else self.tiers.get(tier, self.rates)
        return tuple(
            Rule(
                policy=self.name,
                label=self.name if len(rates) == 1 else f"{self.name}:{rate.window}s",
                algorithm=Algorithm.GCRA if self.burst and not index else Algorithm.SLIDING_WINDOW,
                quota=rate.quota,
                window=rate.window * MICROSECONDS,
                burst=0 if index else self.burst or 0,
                shadow=self.shadow,
                without_redis=self.without_redis,
                prefetch=self.prefetch or 0,
            )
            for index, rate in enumerate(rates)
        )

    def make_override_rules(self, override: KeyOverride) -> tuple[Rule, ...]:
        """Make the rules of the rates of an override. A key with an override is counted exactly.

        The burst is that of the policy, as far as it fits.
        """
        if override.rates is None:
            raise ValueError(f"policy {self.name}: its override needs a rate, and not a limit")
        shortest = override.rates[0]
        most = compute_largest_burst(shortest.window * MICROSECONDS)
        burst = self.burst and max(1, min(self.burst, most))
        changed = self.change(rate=override.rates, burst=burst, prefetch=None)
        return changed.make_rules()
