"""`ConcurrencyLimit`, the declaration of a policy that bounds the requests at one time."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from gateway.ratelimit.key_override import KeyOverride
from gateway.ratelimit.policy import Policy
from gateway.ratelimit.policy_checks import (
    check_name,
    check_per,
    check_tiers,
    check_type,
    check_without_redis,
)
from gateway.ratelimit.rule import MICROSECONDS, Algorithm, Rule, WithoutRedis

MAX_LIMIT = 100_000
MAX_LEASE_SECONDS = 3_600


@dataclass(frozen=True, slots=True, init=False)
class ConcurrencyLimit(Policy):
    """At most `limit` requests at one time: streams and WebSockets for as long as they are open.

    Each request holds a lease until it ends. The process renews its leases; those of a process that
    has been killed expire after `lease_seconds`. The other keywords are those of `RateLimit`; the
    `tiers` are other limits by the value of the claim `tier_claim`.

    Raises:
        TypeError, ValueError: a value is invalid.
    """

    limit: int
    lease_seconds: int

    def __init__(  # noqa: PLR0913 - one keyword per word of the declaration
        self,
        name: str,
        limit: int,
        *,
        per: str = "user",
        without_redis: WithoutRedis = "local",
        shadow: bool = False,
        tiers: Mapping[str, int] | None = None,
        tier_claim: str | None = None,
        lease_seconds: int = 60,
    ) -> None:
        check_name(name)
        check_per(name, per)
        check_without_redis(name, without_redis)
        check_type(name, "shadow", shadow, bool, "True or False")
        check_tiers(name, per, tiers, tier_claim)
        _check_number(name, "limit", limit, MAX_LIMIT, "requests at one time, such as 5")
        for tier, value in (tiers or {}).items():
            _check_number(name, f"tiers[{tier!r}]", value, MAX_LIMIT, "requests at one time")
        _check_number(name, "lease_seconds", lease_seconds, MAX_LEASE_SECONDS, "seconds")
        set_field = object.__setattr__
        set_field(self, "name", name)
        set_field(self, "limit", limit)
        set_field(self, "per", per)
        set_field(self, "without_redis", without_redis)
        set_field(self, "shadow", shadow)
        set_field(self, "tiers", MappingProxyType(dict(tiers or {})))
        set_field(self, "tier_claim", tier_claim)
        set_field(self, "cost", 1)
        set_field(self, "lease_seconds", lease_seconds)

    @property
    def limit_text(self) -> str:
        """The limit, as people write it."""
        return f"{self.limit} at one time"

    def change(self, **changes: Any) -> "ConcurrencyLimit":  # noqa: ANN401 - as in `__init__`
        """Copy the policy with other values, given by the keywords of the declaration.

        Raises:
            TypeError, ValueError: a value is invalid, or does not fit the others.
        """
        return ConcurrencyLimit(self.name, **{**self._list_keywords(), **changes})

    def __reduce__(self) -> tuple[Any, ...]:
        """Describe the policy to `pickle`, by its declaration."""
        return partial(ConcurrencyLimit, **self._list_keywords()), (self.name,)

    def _list_keywords(self) -> dict[str, Any]:
        return {
            "limit": self.limit,
            "per": self.per,
            "without_redis": self.without_redis,
            "shadow": self.shadow,
            "tiers": dict(self.tiers) or None,
            "tier_claim": self.tier_claim,
            "lease_seconds": self.lease_seconds,
        }

    def make_rules(self, tier: str | None = None) -> tuple[Rule, ...]:
        """Make the one rule of a tier."""
        limit = self.limit if tier is None else self.tiers.get(tier, self.limit)
        return (
            Rule(
                policy=self.name,
                label=self.name,
                algorithm=Algorithm.CONCURRENCY,
                quota=limit,
                window=self.lease_seconds * MICROSECONDS,
                shadow=self.shadow,
                without_redis=self.without_redis,
            ),
        )

    def make_override_rules(self, override: KeyOverride) -> tuple[Rule, ...]:
        """Make the rule of a key with a limit of its own.

        Raises:
            ValueError: the override has rates, which this policy does not count.
        """
        if override.limit is None:
            raise ValueError(
                f"policy {self.name}: it limits the requests at one time; its override needs a "
                "limit, such as 5, not a rate"
            )
        return self.change(limit=override.limit, tiers=None, tier_claim=None).make_rules()


def _check_number(policy: str, field: str, value: object, largest: int, unit: str) -> None:
    check_type(policy, field, value, int, f"a whole number of {unit}")
    if not isinstance(value, int) or not 1 <= value <= largest:
        raise ValueError(
            f"policy {policy}: {field} is {value}; it must be at least 1 and at most {largest}"
        )
