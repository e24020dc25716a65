"""The policies in force: as declared, with the rates that the settings or an operator give them."""

from collections.abc import Awaitable, Mapping, Sequence

from gateway.ratelimit.limiter import Charge, RateLimiter, Verdict
from gateway.ratelimit.policy import RateLimit
from gateway.settings.errors import ConfigError, InvalidSettings, suggest_nearest
from gateway.settings.rate import Rate


def apply_rates(
    policies: Mapping[str, RateLimit], overrides: Mapping[str, Rate]
) -> dict[str, RateLimit]:
    """Every policy, those named in `overrides` with the rate given there.

    Raises:
        SettingsMistaken: a name that is not declared; it names the nearest one.
    """
    if unknown := sorted(overrides.keys() - policies):
        raise InvalidSettings(
            [
                ConfigError(f"limits.{n}", "there is no such policy", suggest_nearest(n, policies))
                for n in unknown
            ]
        )
    amendments = {name: with_rate(policies[name], rate) for name, rate in overrides.items()}
    return {**policies, **amendments}


def with_rate(policy: RateLimit, rate: Rate, burst: int | None = None) -> RateLimit:
    """The same policy with another rate, and another burst if one is given."""
    return RateLimit(
        policy.name,
        rate,
        per=policy.per,
        without_redis=policy.without_redis,
        burst=burst or policy.burst,
        shadow=policy.shadow,
    )


class PolicyOverrides(RateLimiter):
    """Checks each charge under what is in force for its policy, whatever the route declared.

    `policies` may be replaced at any time: the next check sees the new ones.
    """

    def __init__(self, limiter: RateLimiter, policies: Mapping[str, RateLimit]) -> None:
        self._limiter = limiter
        self.policies = policies

    def check(self, charges: Sequence[Charge]) -> Awaitable[Verdict]:
        """Admit and charge the request, or refuse it at no cost."""
        for charge in charges:
            if self.policies.get(charge.policy.name, charge.policy) is not charge.policy:
                return self._limiter.check([self._in_force(charge) for charge in charges])
        return self._limiter.check(charges)

    def health(self) -> dict[str, str | int]:
        """What the limiter underneath says."""
        return self._limiter.health()

    def _in_force(self, charge: Charge) -> Charge:
        policy = self.policies.get(charge.policy.name, charge.policy)
        return charge if policy is charge.policy else Charge(policy, charge.key, charge.cost)
